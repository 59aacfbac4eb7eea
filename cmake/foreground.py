"""Run a command as the terminal's own job: Ctrl-C reaches it, and not the make it came from."""

import contextlib
import os
import signal
import sys


def take_terminal() -> None:
    """Move to a process group of our own, and the terminal with us if it was with ours."""
    with contextlib.suppress(OSError):  # there may be no terminal
        terminal = os.open('/dev/tty', os.O_RDWR)
        if os.tcgetpgrp(terminal) == os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
            # A background process that takes the terminal is stopped unless it ignores SIGTTOU.
            before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(terminal, os.getpgrp())
            signal.signal(signal.SIGTTOU, before)
        os.close(terminal)


if __name__ == '__main__':
    take_terminal()
    os.execvp(sys.argv[1], sys.argv[1:])
