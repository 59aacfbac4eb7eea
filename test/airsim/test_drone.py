"""The drone against simulators that misbehave, at the wire."""

import copy
import math
import queue
import socket
import threading

from fake_simulator import ANSWERS, FakeSimulator, POSE, SILENCE
from hypothesis import given, settings
from hypothesis import strategies as some
import numpy as np
import pytest

from rapid_nav.airsim.drone import BadImage, connect, NoDrone, RPCError, WrongSimulator
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


def sensed(*images, rgb=False):
    with FakeSimulator(simGetImages=list(images)) as simulator:
        drone = connect(port=simulator.port)
        try:
            return drone.sense(depth=not rgb, rgb=rgb)
        finally:
            drone.close()


def test_a_good_depth_image_is_metres_with_inf_for_the_sky():
    sense = sensed(image(image_data_float=[1.0, 2.0, 65504.0, 4.0] * 2))
    np.testing.assert_array_equal(sense.depth, [[1, 2, np.inf, 4]] * 2)
    assert sense.stamp_ns == 7
    assert sense.depth.dtype == np.float32


def test_a_good_colour_image_is_rgb():
    bgr = bytes([1, 2, 3] * 8)
    sense = sensed(image(image_data_float=[], image_data_uint8=bgr, image_type=0), rgb=True)
    np.testing.assert_array_equal(sense.rgb[0, 0], [3, 2, 1])


def test_nan_in_a_depth_image_is_left_for_the_policy_to_refuse():
    assert math.isnan(sensed(image(image_data_float=[math.nan] * 7 + [1.0])).depth[0, 0])


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
        sensed(bad)


@pytest.mark.parametrize('data', [b'', b'\0', b'\xff' * 23, b'\0' * 24, b'\xff' * 25])
def test_what_is_no_colour_image_raises_bad_image(data):
    with pytest.raises(BadImage):
        sensed(image(image_data_float=[], image_data_uint8=data), rgb=True)


def test_too_few_images_raise_bad_image():
    with pytest.raises(BadImage, match='1 images asked, 0 came'):
        sensed()


def test_the_simulators_own_words_are_in_the_error():
    with pytest.raises(BadImage, match='camera is on fire'):
        sensed(image(image_data_float=[], message='camera is on fire'))


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


def test_a_simulator_that_is_not_there_is_reported_with_the_remedy():
    with socket.create_server(('127.0.0.1', 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NoDrone, match='start `rapid-nav sim`'):
        connect(port=port)


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


def test_another_dialect_is_told_from_a_simulator_that_is_not_there_yet():
    for answers in (
        {'simGetVehiclePose': [[0, 0, 0], [1, 0, 0, 0]]},
        {'getMinRequiredClientVersion': 4},
        {'getMinRequiredClientVersion': 'x'},
    ):
        with FakeSimulator(**answers) as simulator, pytest.raises(WrongSimulator):
            connect(port=simulator.port)
    with FakeSimulator(ping=SILENCE) as simulator, pytest.raises(NoDrone) as silent:
        connect(port=simulator.port, timeout_s=0.2)
    assert not isinstance(silent.value, WrongSimulator)


def test_a_simulator_that_lacks_a_function_of_ours_is_of_another_dialect():
    simulator = FakeSimulator()
    del simulator.answers['simGetVehiclePose']
    with simulator, pytest.raises(WrongSimulator, match='could not find function'):
        connect(port=simulator.port)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_state_that_is_not_finite_is_refused(value):
    state = copy.deepcopy(ANSWERS['getMultirotorState'])
    state['kinematics_estimated']['position'] = {'x_val': value, 'y_val': 0.0, 'z_val': 0.0}
    with FakeSimulator(getMultirotorState=state) as simulator:
        drone = connect(port=simulator.port)
        with pytest.raises(RPCError, match='not finite'):
            drone.sense(depth=False)
        drone.close()


@given(
    answer=some.recursive(
        some.none() | some.booleans() | some.integers(-9, 9) | some.floats(width=32) | some.text(),
        lambda one: some.lists(one, max_size=3) | some.dictionaries(some.text(), one, max_size=3),
        max_leaves=6,
    )
)
@settings(max_examples=30)
def test_whatever_a_simulator_answers_is_an_error_of_the_call(answer):
    calls = ('getMultirotorState', 'simGetCollisionInfo', 'getImuData', 'getLidarData')
    with FakeSimulator(**dict.fromkeys(calls, answer), getSettingsString='') as simulator:
        drone = connect(port=simulator.port)
        for call in (lambda: drone.sense(depth=False), drone.imu, drone.lidar):
            with pytest.raises(RPCError):
                call()
        drone.close()


def test_no_collision_is_lost_between_threads_that_sense_at_once():
    answers = queue.SimpleQueue()
    with FakeSimulator(
        simGetCollisionInfo=lambda *_: {'has_collided': not answers.empty() and answers.get()}
    ) as simulator:
        drone = connect(port=simulator.port)
        for _ in range(100):
            answers.put(True)
            told: list[bool] = []

            def sense(told=told):
                told.append(drone.sense(depth=False).collided)

            threads = [threading.Thread(target=sense) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert any(told)
        drone.close()
