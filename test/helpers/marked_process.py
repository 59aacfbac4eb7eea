"""A program run as a process, which finds all the processes that belong to it."""

from collections.abc import Callable, Mapping
import contextlib
import os
from pathlib import Path
import signal
import subprocess
import time


class MarkedProcess:
    """A program, its output in a file, and every process that it has started."""

    def __init__(
        self, command: list[str], folder: Path, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.output, self.mark = folder / 'output.txt', f'{folder}'
        with self.output.open('w') as output:
            self.process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Every process that it starts inherits the mark, so none can hide.
                env={**environment, 'RAPID_NAV_TEST_RUN': self.mark},
                cwd=folder,
            )

    def said(self, words: str, timeout: float = 120.0) -> 'MarkedProcess':
        """Wait until it says this."""
        self.wait_for(lambda: words in self.output.read_text(), timeout)
        return self

    def wait_for(self, true: Callable[[], object], timeout: float) -> None:
        """Wait until something is true, for as long as it lives."""
        deadline = time.monotonic() + timeout
        while not true():
            assert time.monotonic() < deadline, self.output.read_text()
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.05)

    def alive(self) -> dict[int, str]:
        """Return the command lines of its processes that live, by their numbers."""
        found = {}
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                mine = f'RAPID_NAV_TEST_RUN={self.mark}'.encode() in (
                    folder / 'environ'
                ).read_bytes().split(b'\0')
                command = (folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
            except OSError:
                continue
            if mine and command:
                found[int(folder.name)] = command
        return found

    def kill(self) -> None:
        """Kill whatever of it still lives."""
        for process in self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def handles_signals(self) -> bool:
        """Return whether it has begun to handle SIGTERM: it is past its imports."""
        status = Path(f'/proc/{self.process.pid}/status').read_text()
        caught = next(line for line in status.splitlines() if line.startswith('SigCgt'))
        return bool(int(caught.split()[1], 16) >> 14 & 1)
