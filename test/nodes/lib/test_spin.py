"""Programs of the stack, each a process of its own: asked to end more than once, they end well."""

from pathlib import Path
import signal
import subprocess
import time

import pytest

from rapid_nav import resources

PROGRAMS = resources.prefix() / 'lib' / 'rapid_nav'


@pytest.mark.parametrize(
    ('program', 'said'),
    [
        (('rapid-nav', 'sim', '--port', '0'), 'Simulating'),
        (('airsim_bridge', '--ros-args', '-p', 'port:=1'), 'Waiting'),
    ],
)
def test_any_number_of_interrupts_is_one(
    domain: int, tmp_path: Path, program: tuple[str, ...], said: str
) -> None:
    with (tmp_path / 'output').open('w+') as output:
        process = subprocess.Popen(
            [PROGRAMS / program[0], *program[1:]], stdout=output, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 60
        while said not in (told := Path(output.name).read_text()):
            assert process.poll() is None and time.monotonic() < deadline, told
            time.sleep(0.05)
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)  # ros2 launch may pass on what the terminal sent
            time.sleep(0.003)
        process.kill()
        assert process.wait() == 0, Path(output.name).read_text()
        assert 'Traceback' not in Path(output.name).read_text()
