"""Where the thread that hears ROS leaves things for the thread that flies."""

import threading
import time

from rapid_nav.drone.actions import BodyVelocity


class Handoff:
    """The newest answer to an image, and one errand at a time (taking off, landing, resetting)."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._answer: tuple[int, BodyVelocity] | None = None
        self._errand: str | None = None
        self._outcome: str | None = None
        self.closed = False

    def answer(self, stamp_ns: int, velocity: BodyVelocity) -> None:
        """Leave the command for the image of this stamp."""
        with self._news:
            self._answer = (stamp_ns, velocity)
            self._news.notify_all()

    def wait_for_answer(self, stamp_ns: int, timeout_s: float) -> BodyVelocity | None:
        """Return the command for this image; None if none came in time or there is an errand."""
        with self._news:
            self._news.wait_for(
                lambda: (
                    self._errand or self.closed or (self._answer and self._answer[0] == stamp_ns)
                ),
                timeout_s,
            )
            answered, velocity = self._answer or (None, None)
            return velocity if answered == stamp_ns else None

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until there is an errand."""
        with self._news:
            self._news.wait_for(lambda: self._errand or self.closed, max(seconds, 0.0))

    def send(self, errand: str, timeout_s: float) -> str:
        """Leave an errand and wait until it is done; return what went wrong, or ''."""
        deadline = time.monotonic() + timeout_s
        with self._news:
            self._errand, self._outcome = errand, None
            self._news.notify_all()
            self._news.wait_for(
                lambda: self._outcome is not None or self.closed, deadline - time.monotonic()
            )
            done, self._errand = self._outcome, None
            return 'it took too long' if done is None else done

    def errand(self) -> str | None:
        """Return the errand that waits, if one does."""
        with self._news:
            return self._errand

    def report(self, outcome: str) -> None:
        """Say how the errand went: '' for well."""
        with self._news:
            self._errand, self._outcome = None, outcome
            self._news.notify_all()

    def close(self) -> None:
        """Wake everybody up for the last time."""
        with self._news:
            self.closed = True
            self._news.notify_all()
