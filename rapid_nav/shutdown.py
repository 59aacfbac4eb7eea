"""How a process of ours ends: when a signal asks it to, and with the process that started it."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import shutil
import signal
import threading
from types import FrameType

_REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """
    Yield an event that Ctrl-C, SIGTERM or a hang-up sets, where they would interrupt.

    For what must end at a moment of its own, between two steps of a training say.
    """
    requested = threading.Event()
    with _handled(lambda *_: requested.set()):
        yield requested


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """
    Raise KeyboardInterrupt at the first Ctrl-C, SIGTERM or hang-up, and ignore the others.

    Every `finally` and `with` on the way out so runs to its end, whichever signal it was, and
    however often it is repeated.
    """
    requested = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal requested
        if not requested:
            requested = True
            raise KeyboardInterrupt

    with _handled(interrupt):
        yield


def end_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that is killed when the thread that starts it ends, however that ends."""
    setpriv = shutil.which('setpriv')  # on every Linux
    return [*((setpriv, '--pdeathsig', 'KILL') if setpriv else ()), *command]


@contextlib.contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle the signals that ask for an end, in the main thread, and then as before."""
    before = {number: signal.getsignal(number) for number in _REQUESTS}
    # What is ignored stays so: nohup ignores hang-ups, and our own workers Ctrl-C.
    handled = [number for number in _REQUESTS if before[number] != signal.SIG_IGN]
    for number in handled:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, before[number])
