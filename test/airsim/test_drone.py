"""The drone against simulators that misbehave, at the wire."""

import math
import socket
import threading
import time

from fake_simulator import FakeSimulator, POSE, SILENCE
import numpy as np
import pytest

from rapid_nav.airsim.drone import BadImage, connect, NoDrone, RPCError
from rapid_nav.drone.actions import BodyVelocity


def image(**changes):
    """Return the raw ImageResponse of a 4x2 depth image, with changes."""
    return {
        'image_data_uint8': b'',
        'image_data_float': [1.0] * 8,
        'camera_position': POSE['position'],
        'camera_orientation': POSE['orientation'],
        'time_stamp': 7,
        'message': '',
        'pixels_as_float': True,
        'compress': False,
        'width': 4,
        'height': 2,
        'image_type': 1,
        **changes,
    }


def look(*images, rgb=False):
    with FakeSimulator(simGetImages=list(images)) as simulator:
        drone = connect(port=simulator.port)
        try:
            return drone.sense(depth=not rgb, rgb=rgb)
        finally:
            drone.close()


def test_a_good_depth_image_is_metres_with_inf_for_the_sky():
    sense = look(image(image_data_float=[1.0, 2.0, 65504.0, 4.0] * 2))
    np.testing.assert_array_equal(sense.depth, [[1, 2, np.inf, 4]] * 2)
    assert sense.stamp_ns == 7
    assert sense.depth.dtype == np.float32


def test_a_good_colour_image_is_rgb():
    bgr = bytes([1, 2, 3] * 8)
    sense = look(image(image_data_float=[], image_data_uint8=bgr, image_type=0), rgb=True)
    np.testing.assert_array_equal(sense.rgb[0, 0], [3, 2, 1])


def test_nan_in_a_depth_image_stays_for_the_policy_to_judge():
    assert math.isnan(look(image(image_data_float=[math.nan] * 7 + [1.0])).depth[0, 0])


@pytest.mark.parametrize(
    'bad',
    [
        image(width=0, height=0, image_data_float=[]),
        image(image_data_float=[]),
        image(image_data_float=[0.0]),
        image(image_data_float=[1.0] * 7),
        image(image_data_float=[1.0] * 9),
        image(image_data_float=[0.0] * 8),
        image(width=-4, height=-2),
        image(width='4'),
        image(image_data_float=['x'] * 8),
        image(image_data_float=None),
        image(camera_position=3, image_data_float='?'),
        7,
        None,
    ],
    ids=str,
)
def test_what_is_no_depth_image_raises_bad_image(bad):
    with pytest.raises(BadImage):
        look(bad)


@pytest.mark.parametrize('data', [b'', b'\0', b'\xff' * 23, b'\0' * 24, b'\xff' * 25])
def test_what_is_no_colour_image_raises_bad_image(data):
    with pytest.raises(BadImage):
        look(image(image_data_float=[], image_data_uint8=data), rgb=True)


def test_too_few_images_raise_bad_image():
    with pytest.raises(BadImage, match='1 images asked, 0 came'):
        look()


def test_the_simulators_own_words_are_in_the_error():
    with pytest.raises(BadImage, match='camera is on fire'):
        look(image(image_data_float=[], message='camera is on fire'))


def test_a_collision_seen_beside_a_bad_image_is_not_forgotten():
    answers = [{'has_collided': True, 'object_name': 'wall'}, {'has_collided': False}]
    pictures = [[image(width=0)], [image()]]
    with FakeSimulator(
        simGetImages=lambda *_: pictures.pop(0), simGetCollisionInfo=lambda *_: answers.pop(0)
    ) as simulator:
        drone = connect(port=simulator.port)
        with pytest.raises(BadImage):
            drone.sense()
        assert drone.sense().collided
        drone.close()


def test_nobody_there_is_said_at_once_with_the_remedy():
    with socket.create_server(('127.0.0.1', 0)) as unused:
        port = unused.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(NoDrone, match='start `rapid-nav sim`'):
        connect(port=port)
    assert time.monotonic() - began < 2


def test_a_server_that_says_nothing_does_not_hang_the_client():
    with FakeSimulator(ping=SILENCE) as simulator, pytest.raises(NoDrone, match='did not answer'):
        connect(port=simulator.port, timeout_s=0.2)


def test_a_server_of_another_kind_is_no_drone():
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]

        def talk():
            connection, _ = listener.accept()
            connection.sendall(b'SSH-2.0-OpenSSH_9.2\r\n' * 10)
            connection.close()

        threading.Thread(target=talk, daemon=True).start()
        with pytest.raises(NoDrone):
            connect(port=port, timeout_s=2)


def test_the_dialect_with_arrays_is_named():
    with (
        FakeSimulator(simGetVehiclePose=[[0, 0, 0], [1, 0, 0, 0]]) as simulator,
        pytest.raises(NoDrone, match=r'Colosseum 2\.3'),
    ):
        connect(port=simulator.port)


def test_the_dialect_with_other_arguments_is_named():
    with (
        FakeSimulator(getMinRequiredClientVersion=4) as simulator,
        pytest.raises(NoDrone, match='Cosys'),
    ):
        connect(port=simulator.port)


def test_our_own_extras_are_none_on_a_real_airsim():
    with FakeSimulator() as simulator:
        drone = connect(port=simulator.port)
        assert drone.scene() is None
        assert drone.new_world('rooms', 1) is False
        with pytest.raises(RPCError, match='could not find'):
            drone.imu()
        drone.close()


def test_a_step_by_pose_is_along_the_heading_and_not_through_what_is_there():
    told = []
    south = {
        'position': {'x_val': 1.0, 'y_val': 2.0, 'z_val': -3.0},
        'orientation': {'w_val': 0.0, 'x_val': 0.0, 'y_val': 0.0, 'z_val': 1.0},
    }
    with FakeSimulator(
        simGetVehiclePose=south, simSetVehiclePose=lambda *words: told.append(words)
    ) as simulator:
        drone = connect(port=simulator.port)
        drone.move(BodyVelocity(forward=4.0, left=2.0, up=1.0, yaw_rate=math.pi), 0.5)
        drone.close()
    ((pose, through, _),) = told
    assert through is False
    assert [pose['position'][axis] for axis in ('x_val', 'y_val', 'z_val')] == pytest.approx(
        [1.0 - 2.0, 2.0 + 1.0, -3.0 - 0.5]
    )
    turn = pose['orientation']  # from south to the left: east
    assert math.degrees(2 * math.atan2(turn['z_val'], turn['w_val'])) == pytest.approx(90.0)
    assert turn['x_val'] == turn['y_val'] == 0.0
