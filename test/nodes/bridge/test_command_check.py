"""What is flown of cmd_vel: fresh, finite commands in the body frame, within the limits."""

import math

from geometry_msgs.msg import TwistStamped
from hypothesis import given
from hypothesis import strategies as some
import pytest

from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.nodes.bridge.command_check import checked
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.diagnostics import Faults

NOW = 100 * 10**9  # [ns]
CONFIG = BridgeConfig(max_speed=5.0, max_yaw_rate=2.0, max_command_age=1.0)


def command(age: float = 0.0, frame: str = conversions.BASE, **velocity: float) -> TwistStamped:
    message = conversions.command(BodyVelocity(**velocity), NOW - round(age * 1e9))
    message.header.frame_id = frame
    return message


@given(some.lists(some.floats(), min_size=4, max_size=4))
def test_whatever_comes_what_is_flown_is_finite_and_within_the_limits(values: list[float]) -> None:
    flown = checked(
        command(**dict(zip(('forward', 'left', 'up', 'yaw_rate'), values, strict=True))),
        NOW,
        CONFIG,
        Faults(),
    )
    if flown is None:
        assert not all(map(math.isfinite, values))
    else:
        assert math.hypot(flown.forward, flown.left, flown.up) <= 5.0 * (1 + 1e-9)
        assert abs(flown.yaw_rate) <= 2.0


def test_a_command_within_the_limits_is_flown_as_it_is() -> None:
    velocity = {'forward': 3.0, 'left': -1.0, 'up': 0.5, 'yaw_rate': 1.9}
    faults = Faults()
    assert checked(command(**velocity), NOW, CONFIG, faults) == BodyVelocity(**velocity)
    assert not faults.counts


def test_a_reduced_command_keeps_its_direction_and_is_reported() -> None:
    faults = Faults()
    flown = checked(command(forward=30.0, left=40.0), NOW, CONFIG, faults)
    assert flown is not None
    assert (flown.forward, flown.left) == pytest.approx((3.0, 4.0))
    assert faults.counts == {'limited_commands': 1}
    (condition,) = faults.conditions()
    assert '50.0 m/s' in condition.message and 'max_speed' in condition.message


@pytest.mark.parametrize(
    ('message', 'kind'),
    [
        (command(age=20.0), 'old_commands'),
        (command(age=-20.0), 'future_commands'),
        (command(age=NOW / 1e9), 'old_commands'),  # not stamped at all
        (command(frame='odom'), 'foreign_frame_commands'),
        (command(frame='/base_link'), 'foreign_frame_commands'),
        (command(forward=math.nan), 'non_finite_commands'),
        (command(yaw_rate=-math.inf), 'non_finite_commands'),
    ],
)
def test_a_refused_command_is_counted_by_its_reason(message: TwistStamped, kind: str) -> None:
    faults = Faults()
    assert checked(message, NOW, CONFIG, faults) is None
    assert faults.counts == {'refused_commands': 1, kind: 1}
    assert next(faults.conditions()).kind == kind


def test_an_empty_frame_is_the_bodys() -> None:
    assert checked(command(frame=''), NOW, CONFIG, Faults()) is not None
