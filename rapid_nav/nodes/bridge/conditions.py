"""What may be wrong with a bridge: docs/reference/diagnostics.md is the table of it."""

from collections.abc import Iterator
import time

from rclpy.node import Node

from rapid_nav.nodes.bridge.control_loop import ControlLoop
from rapid_nav.nodes.lib.diagnostics import Condition, ERROR, publishers_of, STALE, WARN

_START_S, _REACH_S = 15.0, 3.0  # until a simulator of ours is there, and one that runs already
_NO_ANSWER_S = 2.0  # until the simulator counts as stopped
_NO_COMMAND_S = 2.0  # until the drone counts as not commanded


def conditions(loop: ControlLoop, node: Node, began_at: float) -> Iterator[Condition]:
    """Yield what holds now of connection, simulator and commands; `began_at` is monotonic [s]."""
    now, config = time.monotonic(), loop.config
    commanders = publishers_of(node, 'cmd_vel')
    where = f'{config.host}:{config.port}'
    if loop.drone is None:
        grace = _START_S if config.world else _REACH_S
        if loop.flights.number < 0 and (not loop.trouble or now - began_at < grace):
            yield Condition(WARN, 'waiting', f'Waiting for the simulator at {where}')
        else:
            yield Condition(ERROR, 'no simulator', loop.trouble or f'No simulator at {where}')
        return
    if (asking := loop.asking_since) and now - asking > _NO_ANSWER_S:
        message = f'The simulator at {where} has not answered for {now - asking:.1f} s'
        yield Condition(STALE, 'no answer', message)
    elif loop.waits_for_recorder:
        message = f'Waiting for {config.recorder} to subscribe to odom and outcome'
        yield Condition(WARN, 'no recorder', message)
    elif loop.flying and now - loop.commanded_at > _NO_COMMAND_S:
        message = f'No command for {now - loop.commanded_at:.1f} s: the drone hovers'
        if not commanders:
            message = 'No node publishes cmd_vel: the drone hovers'
        yield Condition(WARN, 'no command', message)
    if len(commanders) > 1:
        names = ' and '.join(commanders)
        message = f'cmd_vel is published by {names}: each overrides the other'
        yield Condition(ERROR, f'cmd_vel of {names}', message)
