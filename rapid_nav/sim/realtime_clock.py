"""How a free-running clock keeps to the wall."""

from collections.abc import Callable
import math
import time

_AT_ONCE = 2  # steps that are made together, if the machine keeps up
_FALLEN_BEHIND = 0.25  # [s] of real time that is given up rather than caught up with


class Pace:
    """Tells how many steps are owed at a speed [steps/s], by a clock that returns seconds."""

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._epoch: tuple[float, int] | None = None  # real time [s] and step

    def restart(self) -> None:
        """Owe nothing for the time until now."""
        self._epoch = None

    def owed(self, made: int) -> tuple[int, float | None]:
        """Return how many steps to make now that `made` are, or 0 and how long to wait [s]."""
        now = self._clock()
        if self._epoch is None:
            self._epoch = now, made
        began, first = self._epoch
        owed = math.floor((now - began) * self._speed) - (made - first)
        if owed > max(_FALLEN_BEHIND * self._speed, _AT_ONCE):
            self._epoch = now, made  # a slow machine makes simulated time slow, not jumpy
            return _AT_ONCE, None
        if owed < _AT_ONCE:
            return 0, (_AT_ONCE - owed) / self._speed
        return owed, None
