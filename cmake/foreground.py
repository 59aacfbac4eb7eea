"""Run a command as the terminal's own job: Ctrl-C reaches it, and not the make it came from."""

import os
import signal
import sys


def main(command: list[str]) -> None:
    """Become the command, in a process group that the terminal talks to if there is one."""
    if os.getpid() != os.getpgrp():
        os.setpgid(0, 0)
    try:
        terminal = os.open('/dev/tty', os.O_RDWR)
    except OSError:
        terminal = None
    if terminal is not None:
        # Who takes the terminal from the background is stopped, unless it ignores that.
        before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        os.tcsetpgrp(terminal, os.getpgrp())
        signal.signal(signal.SIGTTOU, before)
        os.close(terminal)
    os.execvp(command[0], command)


if __name__ == '__main__':
    main(sys.argv[1:])
