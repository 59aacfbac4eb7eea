"""How every node of ours starts and ends."""

from collections.abc import Callable, Iterator
import contextlib
import signal
import sys
import threading
from types import FrameType
from typing import TypeVar

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

AnyNode = TypeVar('AnyNode', bound=Node)
_JOIN_S = 20.0  # for the thread that spins to end
_REFUSALS = (ValueError, OSError, InvalidParameterTypeException, InvalidParameterValueException)


def run(make: Callable[[], AnyNode], work: Callable[[AnyNode], None] | None = None) -> int:
    """
    Spin a node until it is asked to stop; return the exit status of its process.

    `work` runs in the main thread meanwhile, and the node ends with it. SIGINT and SIGTERM are
    one: rclpy.ok() turns false, `work` comes to its end, and the node is destroyed; they break
    off only what is still being made. What a constructor refuses is one line and status 2; any
    other error ends the node in the same order, and is raised then.
    """
    signals = _Signals()
    node = None
    try:
        rclpy.init()
        node = _made(make)
        signals.interrupting = False
        if node and rclpy.ok():
            _live(node, work)
    except Refused as refused:
        print(f'{make.__name__}: {refused}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass  # there was nothing yet to end
    finally:
        signals.interrupting = False
        rclpy.try_shutdown()
        if node:
            node.destroy_node()
    return 0


class Refused(Exception):
    """Why a node is not made, or cannot go on, in one line; `work` may raise it too."""


class _Signals:
    """
    Takes SIGINT and SIGTERM after rclpy's own handler, which shuts it down.

    Any number of them is one: ros2 launch may pass on a Ctrl-C that the terminal has sent us too.
    """

    def __init__(self) -> None:
        self.interrupting = True  # the first one interrupts what the main thread does
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self)

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        if self.interrupting:
            self.interrupting = False
            raise KeyboardInterrupt


@contextlib.contextmanager
def until_shutdown() -> Iterator[None]:
    """Work with ROS until it is shut down, perhaps in the middle of a call."""
    try:
        yield
    except ExternalShutdownException:
        pass
    except RuntimeError:  # rclpy's calls fail so once it is shut down
        if rclpy.ok():
            raise


def _made(make: Callable[[], AnyNode]) -> AnyNode | None:
    """Return the node, None if ROS is shut down meanwhile; Refused says why it cannot be."""
    with until_shutdown():
        try:
            return make()
        except _REFUSALS as error:
            raise Refused(str(error)) from error
    return None


def _live(node: AnyNode, work: Callable[[AnyNode], None] | None) -> None:
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    if work is None:
        _spin(executor)
        return
    with spinning(executor), until_shutdown():
        work(node)


@contextlib.contextmanager
def spinning(executor: SingleThreadedExecutor) -> Iterator[None]:
    """
    Spin an executor in a thread; at the end ROS is shut down, and the thread joined.

    An error of a callback shuts ROS down at once, and is raised here at the end.
    """
    errors: list[Exception] = []

    def spin() -> None:
        try:
            _spin(executor)
        except Exception as error:
            errors.append(error)
            rclpy.try_shutdown()

    listener = threading.Thread(target=spin, daemon=True)
    listener.start()
    try:
        yield
    finally:
        rclpy.try_shutdown()
        listener.join(_JOIN_S)  # the interpreter must not end under its feet
        for error in errors:
            raise error


def _spin(executor: SingleThreadedExecutor) -> None:
    with until_shutdown():
        executor.spin()
