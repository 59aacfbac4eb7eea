"""Files that are replaced as a whole: a reader sees the old one or the new one, never a part."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import tempfile


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """
    Yield a temporary file of its own beside `path`, which takes its place when the block ends.

    The content is on the disk before the name is, so a power cut leaves one of the two files.
    If the block raises, `path` is as it was and the temporary is gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=temporary_prefix(path))
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open('rb') as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_prefix(path: Path) -> str:
    """Return how the names of the temporary files of `path` begin."""
    return f'.{path.name}.'


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace a file by this content."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
