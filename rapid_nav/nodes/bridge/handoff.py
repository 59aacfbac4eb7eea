"""What the executor's thread hands to the thread that flies: commands and service requests."""

from concurrent.futures import Future
import threading
import time

from rapid_nav.drone.actions import BodyVelocity

_TIMEOUT_S = 120.0  # for a service request


class ServiceRequest:
    """One call of a service. It is answered once; later answers are dropped."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcome: Future[str] = Future()  # what went wrong, or ''
        self.deadline = time.monotonic() + _TIMEOUT_S
        self.begun = False

    def answer(self, outcome: str) -> None:
        """Tell the caller, unless it has been told already; the handoff's lock is held."""
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class Handoff:
    """The newest command for an image, and at most one service request. Safe from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._command: tuple[int, BodyVelocity] | None = None
        self._request: ServiceRequest | None = None
        self._closed = False

    def put_command(self, stamp_ns: int, velocity: BodyVelocity) -> None:
        """Leave the command for the image of this stamp."""
        with self._changed:
            self._command = (stamp_ns, velocity)
            self._changed.notify_all()

    def wait_for_command(self, stamp_ns: int, timeout_s: float) -> BodyVelocity | None:
        """Return the command for this image; None if there is none in time, or a request."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self.has_request()
                    or self._closed
                    or (self._command and self._command[0] == stamp_ns)
                ),
                timeout_s,
            )
            stamp, velocity = self._command or (None, None)
            return velocity if stamp == stamp_ns else None

    def sleep(self, seconds: float) -> None:
        """Wait, at most until there is a request."""
        with self._changed:
            self._changed.wait_for(lambda: self.has_request() or self._closed, max(seconds, 0.0))

    def submit(self, name: str) -> ServiceRequest:
        """Leave a request, or return one that is refused because another is under way."""
        request = ServiceRequest(name)
        with self._changed:
            if self._closed:
                request.answer('the bridge is ending')
            elif self._request:
                request.answer(f'{self._request.name} is still under way')
            else:
                self._request = request
                self._changed.notify_all()
        return request

    def has_request(self) -> bool:
        """Return whether a request waits to be begun."""
        with self._changed:
            return self._request is not None and not self._request.begun

    def begin_request(self) -> ServiceRequest | None:
        """Return the request that waits, if there is one; it is to be answered by `finish`."""
        with self._changed:
            if self._request is None or self._request.begun:
                return None
            self._request.begun = True
            return self._request

    def finish(self, request: ServiceRequest, outcome: str) -> None:
        """Answer a request: '' if all went well. Later ones are not concerned."""
        with self._changed:
            request.answer(outcome)
            if self._request is request:
                self._request = None

    def fail(self, why: str) -> None:
        """Answer whatever is under way or waits."""
        with self._changed:
            if self._request:
                self.finish(self._request, why)

    def expire(self) -> None:
        """Answer the request if its time is over; one that was begun still blocks others."""
        with self._changed:
            if self._request and time.monotonic() > self._request.deadline:
                self._request.answer('it took too long')
                if not self._request.begun:
                    self._request = None

    def close(self) -> None:
        """Wake every thread for the last time."""
        with self._changed:
            self._closed = True
            self.fail('the bridge is ending')
            self._changed.notify_all()
