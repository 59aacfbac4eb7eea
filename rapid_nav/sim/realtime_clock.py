"""How a free-running simulation keeps to real time."""

from collections.abc import Callable
import math
import time

_AT_ONCE = 2  # steps that are made together, if the machine keeps up
_FALLEN_BEHIND = 0.25  # [s] of real time that is given up rather than caught up with


class RealtimeClock:
    """Tells how many steps are due at a speed [steps/s], by a clock that returns seconds."""

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed, self._clock = speed, clock
        self._epoch: tuple[float, int] | None = None  # real time [s] and step

    def restart(self) -> None:
        """Start counting when steps are next asked for."""
        self._epoch = None

    def due(self, made: int) -> tuple[int, float | None]:
        """Return how many steps to make now that `made` are, or 0 and how long to wait [s]."""
        now = self._clock()
        if self._epoch is None:
            self._epoch = now, made
        began, first = self._epoch
        due = math.floor((now - began) * self._speed) - (made - first)
        if due > max(_FALLEN_BEHIND * self._speed, _AT_ONCE):
            self._epoch = now, made  # a slow machine makes simulated time slow, not jumpy
            return _AT_ONCE, None
        if due < _AT_ONCE:
            return 0, (_AT_ONCE - due) / self._speed
        return due, None
