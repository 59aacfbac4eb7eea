"""How every node of ours starts and ends."""

from collections.abc import Callable, Iterator
import contextlib
import signal
import sys
import threading
from types import FrameType
from typing import TypeVar

import rclpy
from rclpy.exceptions import InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

Some = TypeVar('Some', bound=Node)
_PATIENCE_S = 20.0


def run(make: Callable[[], Some], work: Callable[[Some], None] | None = None) -> int:
    """
    Spin a node until it is told to stop; return the exit status of its process.

    `work` runs in the main thread meanwhile, and the node ends with it.
    """
    interrupts = Interrupts()
    node = None
    try:
        rclpy.init()
        with until_shutdown():
            node = make()
        if node:
            _live(node, work)
    except (ValueError, InvalidParameterValueException) as error:
        print(f'{make.__name__}: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass  # there was nothing yet to work with, or nothing any more
    finally:
        interrupts.over = True
        rclpy.try_shutdown()
        if node:
            node.destroy_node()
    return 0


class Interrupts:
    """
    Breaks off what the main thread does at the first Ctrl-C, and lets it end in peace at others.

    Whoever starts nodes may well pass on a Ctrl-C that the terminal has sent them too: ros2
    launch does when one of them has ended before the rest. rclpy's own handler comes before it.
    """

    def __init__(self) -> None:
        self.over = False
        signal.signal(signal.SIGINT, self)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Hear one Ctrl-C."""
        if not self.over:
            self.over = True
            raise KeyboardInterrupt


@contextlib.contextmanager
def until_shutdown() -> Iterator[None]:
    """Work with ROS until it is shut down, perhaps in the middle of a sentence."""
    try:
        yield
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:
        if rclpy.ok():
            raise


def _live(node: Some, work: Callable[[Some], None] | None) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    if work is None:
        _spin(executor)
        return
    listener = threading.Thread(target=_spin, args=(executor,), daemon=True)
    listener.start()
    try:
        with until_shutdown():
            work(node)
    finally:
        rclpy.try_shutdown()
        listener.join(_PATIENCE_S)  # the interpreter must not end under its feet


def _spin(executor: SingleThreadedExecutor) -> None:
    with until_shutdown():
        executor.spin()
