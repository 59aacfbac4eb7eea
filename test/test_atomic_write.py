"""Files replaced as a whole: on a full disk, by several writers, and by one that is killed."""

from pathlib import Path
import subprocess
import sys

import numpy as np
import pytest

from rapid_nav.agent import training_state
from rapid_nav.atomic_write import replacing, write_atomically


def limited(code: str, folder: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Run code in a process whose files may not grow beyond a size, as on a full disk [bytes]."""
    limit = f'import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\n'
    return subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path[:0] = {sys.path!r}\n{limit}{code}'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    write_atomically(tmp_path / 'file', 'old')
    ended = limited(
        'from pathlib import Path\n'
        'from rapid_nav.atomic_write import write_atomically\n'
        "write_atomically(Path('file'), b'x' * 5000)",
        tmp_path,
        4096,
    )
    assert 'OSError' in ended.stderr
    assert (tmp_path / 'file').read_text() == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['file']


def test_a_state_that_does_not_fit_on_the_disk_is_an_os_error(tmp_path: Path) -> None:
    training_state.save(tmp_path / 'state', {'old': np.zeros(1)})
    ended = limited(
        'from pathlib import Path\n'
        'import numpy as np\n'
        'from rapid_nav.agent import training_state\n'
        'try:\n'
        "    training_state.save(Path('state'), {'new': np.zeros(5000)})\n"
        'except OSError as error:\n'
        '    print(error)',
        tmp_path,
        4096,
    )
    assert 'state' in ended.stdout and not ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ['state']
    assert 'old' in training_state.load(tmp_path / 'state')


def test_two_writers_have_temporaries_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        one.write_text('one')
        other.write_text('other')
    assert path.read_text() == 'one'  # the last to end
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_raises_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / 'file'
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text('half')
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
