"""A process of the stack on its own: started, interrupted and read by a test."""

import os
from pathlib import Path
import signal
import subprocess
import time
from typing import Any

from rapid_nav.stack.flight import Process


class NodeProcess:
    """A context: one executable with its parameters, in the ROS domain of the test."""

    def __init__(
        self,
        folder: Path,
        executable: str,
        *arguments: str,
        namespace: str = 'rapid',
        **parameters: Any,
    ) -> None:
        process = Process(
            executable,
            executable,
            arguments=arguments,
            parameters=None if executable == 'rapid-nav' else parameters,
        )
        self.file = folder / f'{executable}_{time.monotonic_ns()}.txt'
        with self.file.open('w') as output:
            self.process = subprocess.Popen(
                process.command(namespace),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, 'PYTHONUNBUFFERED': '1', 'RCUTILS_COLORIZED_OUTPUT': '0'},
                start_new_session=True,
            )

    def __enter__(self) -> 'NodeProcess':
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def output(self) -> str:
        """Return what it has printed and logged so far."""
        return self.file.read_text()

    def says(self, words: str, timeout: float = 120.0) -> None:
        """Wait until it has printed some words; fail with its output if it does not."""
        deadline = time.monotonic() + timeout
        while words not in self.output():
            assert self.process.poll() is None and time.monotonic() < deadline, self.output()
            time.sleep(0.05)

    def end(self, number: int = signal.SIGINT, timeout: float = 60.0) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout)
