"""A listener to topics, and a wait for conditions."""

from collections.abc import Callable
import time
from typing import Any

from rclpy.node import Node


class Listener:
    """Subscribes to topics and keeps what it received."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.received: dict[str, list[Any]] = {}

    def listen(self, kind: type, topic: str, qos: Any = 100) -> list[Any]:
        """Return the list that everything said on a topic goes to."""
        received: list[Any] = self.received.setdefault(topic, [])
        self.node.create_subscription(kind, topic, received.append, qos)
        return received


def wait_until(true: Callable[[], Any], timeout: float = 400.0) -> Any:
    """Return what becomes true in time [s], or fail; a busy machine takes minutes."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError('it did not happen in time')
