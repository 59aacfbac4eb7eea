"""Messages carry what they were made from."""

import numpy as np
import pytest

from rapid_nav.airsim import readings
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.nodes.lib import conversions


def test_a_depth_image_survives_its_message() -> None:
    depth = np.arange(12, dtype=np.float32).reshape(3, 4)
    depth[0, 0] = np.inf
    message = conversions.image(depth, 1_500_000_007)
    assert (message.encoding, message.step) == ('32FC1', 16)
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_007)
    np.testing.assert_array_equal(conversions.depth_image(message), depth)


@pytest.mark.parametrize(
    ('field', 'value'),
    [('encoding', '16UC1'), ('step', 20), ('height', 0), ('height', 4), ('data', b'')],
)
def test_what_is_no_depth_image_is_refused(field: str, value: object) -> None:
    message = conversions.image(np.ones((3, 4), np.float32), 0)
    setattr(message, field, value)
    with pytest.raises(ValueError, match='depth image|padded'):
        conversions.depth_image(message)


def test_a_colour_image_is_rgb_row_by_row() -> None:
    rgb = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    message = conversions.image(rgb, 0)
    assert (message.encoding, message.width, message.height, message.step) == ('rgb8', 3, 2, 9)
    assert bytes(message.data) == rgb.tobytes()


def test_a_command_survives_its_message_and_nan_is_refused() -> None:
    velocity = BodyVelocity(1.0, -0.5, 0.25, 0.1)
    message = conversions.command(velocity, 42)
    assert conversions.body_velocity(message) == velocity
    message.twist.linear.y = float('nan')
    with pytest.raises(ValueError, match='command is not finite'):
        conversions.body_velocity(message)


def test_a_wider_view_has_a_shorter_focal_length() -> None:
    mount = readings.Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    info = conversions.camera_info(readings.CameraInfo(256, 144, np.pi / 2, mount), 0)
    assert info.k[0] == pytest.approx(128.0)
    assert info.k[2] == 127.5
    assert info.k[5] == 71.5
    assert info.distortion_model == 'plumb_bob'


def test_a_beam_that_meets_nothing_is_infinite() -> None:
    mount = readings.Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))
    assert conversions.distance(readings.Distance(0, 3.0, 0.2, 40.0, mount)).range == 3.0
    assert conversions.distance(readings.Distance(0, 40.0, 0.2, 40.0, mount)).range == np.inf
