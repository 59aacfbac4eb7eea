"""Processes that live and end together: whichever ends first, none is left behind."""

from collections.abc import Callable, Mapping, Sequence
import contextlib
import os
import signal
import subprocess
import threading
import time

from rapid_nav.shutdown import end_with_parent

# How long SIGTERM and SIGKILL are given to end a process [s]; together less than 3 s.
_KINDLY, _FORCIBLY = 2.2, 0.5
_REST = 2.0  # [s] until one that has ended is started again


class Processes:
    """A context: what was started in it is gone when it is left, or when this process dies."""

    def __init__(
        self,
        environment: Mapping[str, str],
        on_line: Callable[[str, str], None],
        timeout: float = _KINDLY,
    ) -> None:
        self.environment = environment
        self.on_line = on_line  # called with name and line from any thread
        self.timeout = timeout  # [s] for processes that are asked to end
        self.kept: dict[str, Sequence[str]] = {}  # commands of those that are restarted
        self.dead_since: dict[str, float] = {}
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.listeners: list[threading.Thread] = []

    def __enter__(self) -> 'Processes':
        """Start with none."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Ask all of them to end, and kill those that do not."""
        for number, timeout in ((signal.SIGTERM, self.timeout), (signal.SIGKILL, _FORCIBLY)):
            for process in self.running.values():
                _signal_group(process, number)
            _wait(list(self.running.values()), timeout)
        for listener in self.listeners:
            listener.join(0.2)

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start one in a group of its own, so that Ctrl-C ends it through us and in order."""
        process = subprocess.Popen(
            end_with_parent(command),
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            errors='replace',
        )
        self.running[name] = process
        listener = threading.Thread(target=self._listen, args=(name, process), daemon=True)
        listener.start()
        self.listeners.append(listener)

    def keep(self, name: str, command: Sequence[str]) -> None:
        """Start one that `revive` starts again whenever it has ended."""
        self.kept[name] = command
        self.start(name, command)

    def end(self, name: str, timeout: float) -> None:
        """End one before the others, and wait for it, at most this long [s]."""
        process = self.running[name]
        _signal_group(process, signal.SIGTERM)
        _wait([process], timeout)

    def revive(self) -> list[tuple[str, int]]:
        """Restart those that ended a moment ago; return their names and exit statuses."""
        revived = []
        for name, command in self.kept.items():
            status = self.running[name].poll()
            if status is None:
                continue
            since = self.dead_since.setdefault(name, time.monotonic())
            if time.monotonic() - since >= _REST:
                del self.dead_since[name]
                _signal_group(self.running[name], signal.SIGKILL)  # what it started itself
                self.start(name, command)
                revived.append((name, status))
        return revived

    def ended(self) -> tuple[str, int] | None:
        """Return the name and exit status of one that has ended, if one has."""
        for name, process in self.running.items():
            status = process.poll()
            if status is not None:
                return name, status
        return None

    def _listen(self, name: str, process: 'subprocess.Popen[str]') -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.on_line(name, line.rstrip())


def _signal_group(process: 'subprocess.Popen[str]', number: int) -> None:
    # Its group may outlive it, so it is told even if the process itself has gone.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _wait(processes: Sequence['subprocess.Popen[str]'], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and any(process.poll() is None for process in processes):
        time.sleep(0.02)
