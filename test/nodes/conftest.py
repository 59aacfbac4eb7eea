"""Real nodes over the real middleware, in a domain of their own, and somebody who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import threading
from typing import Any, TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # a machine without ROS still runs the other tests
    from rclpy.node import Node


class Ros:
    """Nodes that spin in threads of their own."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []
        self.nodes: list[Node] = []

    def spin(self, node: Node) -> Any:
        """Let a node live."""
        from rclpy.executors import SingleThreadedExecutor

        from rapid_nav.nodes.lib.spin import until_shutdown

        self.nodes.append(node)
        executor = SingleThreadedExecutor()
        executor.add_node(node)

        def live() -> None:
            with until_shutdown():
                executor.spin()

        self.run(live)
        return node

    def run(self, work: Callable[[], None]) -> None:
        """Do something in a thread that ends with ROS."""
        self.threads.append(threading.Thread(target=work, daemon=True))
        self.threads[-1].start()


@pytest.fixture
def ros(domain: int, request: pytest.FixtureRequest) -> Iterator[Callable[..., Ros]]:
    """Start ROS with these parameters for every node; it ends with the test."""
    import rclpy

    started = Ros()

    def start(**parameters: Any) -> Ros:
        given = [
            word
            for name, value in parameters.items()
            for word in ('-p', f'{name}:={str(value).lower()}')
        ]
        rclpy.init(args=['--ros-args', '-r', '__ns:=/rapid', *given], domain_id=domain)
        return started

    yield start
    rclpy.try_shutdown()
    for thread in started.threads:
        thread.join(10)
    # A node that is not destroyed is still discovered by the next test in its domain.
    for node in started.nodes:
        with contextlib.suppress(Exception):
            node.destroy_node()
