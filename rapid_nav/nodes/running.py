"""How every node of ours starts and ends."""

from collections.abc import Callable
import contextlib
import sys
import threading
from typing import TypeVar

import rclpy
from rclpy.exceptions import InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

Some = TypeVar('Some', bound=Node)
_PATIENCE_S = 2.0


def run(make: Callable[[], Some], work: Callable[[Some], None] | None = None) -> int:
    """
    Spin a node until it is told to stop; return the exit status of its process.

    `work` runs in the main thread meanwhile, and the node ends with it.
    """
    rclpy.init()
    listener = None
    try:
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if work is None:
            executor.spin()
        else:
            listener = threading.Thread(target=_spin, args=(executor,), daemon=True)
            listener.start()
            work(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ValueError, InvalidParameterValueException) as error:
        print(f'{make.__name__}: {error}', file=sys.stderr)
        return 2
    finally:
        rclpy.try_shutdown()
        if listener:
            listener.join(_PATIENCE_S)  # the interpreter must not end under its feet
    return 0


def _spin(executor: SingleThreadedExecutor) -> None:
    with contextlib.suppress(ExternalShutdownException):
        executor.spin()
