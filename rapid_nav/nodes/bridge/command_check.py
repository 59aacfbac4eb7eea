"""Which commands on cmd_vel are flown: fresh ones, in the body's frame, within the limits."""

import math

from geometry_msgs.msg import TwistStamped

from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.diagnostics import Faults


def checked(
    message: TwistStamped, now_ns: int | None, config: BridgeConfig, faults: Faults
) -> BodyVelocity | None:
    """
    Return what is flown of a command, or None if it is refused; faults are counted.

    `now_ns` is the stamp of the newest image, if there is one yet. A speed or a yaw rate above
    its limit is reduced to it, the direction kept.
    """
    frame = message.header.frame_id
    if frame not in ('', conversions.BASE):
        why = f'in frame {frame!r}, and not in the body frame {conversions.BASE!r}'
        _refuse('foreign_frame_commands', why, faults)
        return None
    try:
        velocity = conversions.body_velocity(message)
    except ValueError as error:
        _refuse('non_finite_commands', str(error), faults)
        return None
    if now_ns is not None:
        age = (now_ns - conversions.nanoseconds(message.header.stamp)) / 1e9
        if abs(age) > config.max_command_age:
            when = f'{age:.1f} s older' if age > 0 else f'{-age:.1f} s newer'
            why = f'stamped {when} than the newest image; stamp it with its image or with /clock'
            _refuse('old_commands' if age > 0 else 'future_commands', why, faults)
            return None
    return _limited(velocity, config, faults)


def _refuse(kind: str, why: str, faults: Faults) -> None:
    faults.counts['refused_commands'] += 1
    faults.add(kind, f'Command refused: {why}')


def _limited(velocity: BodyVelocity, config: BridgeConfig, faults: Faults) -> BodyVelocity:
    along = (velocity.forward, velocity.left, velocity.up)
    speed, turn = math.hypot(*along), velocity.yaw_rate
    if speed <= config.max_speed and abs(turn) <= config.max_yaw_rate:
        return velocity
    faults.add(
        'limited_commands',
        f'Command of {speed:.1f} m/s and {turn:.1f} rad/s reduced to the limits of '
        f'{config.max_speed:g} m/s (max_speed) and {config.max_yaw_rate:g} rad/s (max_yaw_rate)',
    )
    share = min(1.0, config.max_speed / speed) if speed else 1.0
    limit = config.max_yaw_rate
    forward, left, up = (share * one for one in along)
    return BodyVelocity(forward, left, up, max(-limit, min(turn, limit)))
