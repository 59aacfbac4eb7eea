"""Somebody who listens to topics, and patience."""

from collections.abc import Callable
import time
from typing import Any

from rclpy.node import Node


class Listener:
    """Hears topics and keeps what it heard."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.heard: dict[str, list[Any]] = {}

    def listen(self, kind: type, topic: str, qos: Any = 100) -> list[Any]:
        """Return the list that everything said on a topic goes to."""
        heard: list[Any] = self.heard.setdefault(topic, [])
        self.node.create_subscription(kind, topic, heard.append, qos)
        return heard


def wait_until(true: Callable[[], Any], timeout: float = 120.0) -> Any:
    """Return what becomes true in time, or fail."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.01)
    raise AssertionError('it did not happen in time')
