"""The policy node: what it answers, what it refuses, and what can be changed in flight."""

from pathlib import Path
import time

from depth_camera import Camera, COLOURS, SOUND, STALE
from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
import numpy as np
import pytest
import rclpy
from sensor_msgs.msg import Image

from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.policy import Policy

NEVER, ALWAYS = 1.5, 0.0  # thresholds: no exit before the last, and the first


@pytest.fixture
def camera(ros, checkpoint: Path) -> Camera:
    return Camera(ros, checkpoint)


def test_a_depth_image_is_answered_with_a_command_of_its_stamp(camera: Camera) -> None:
    level = camera.answer(SOUND)
    assert level.num_levels == 3
    assert 0.0 < level.inference_time <= level.latency
    command = wait_until(lambda: camera.commands)[-1]
    assert command.header.stamp == level.header.stamp
    assert command.header.frame_id == 'base_link'
    assert command.twist.linear.x > 0.5


def test_a_recorder_is_waited_for(ros, checkpoint: Path) -> None:
    running = ros(checkpoint=checkpoint, recorder='late')
    policy, node = Policy(), rclpy.create_node('camera')
    commands = Listener(node).listen(TwistStamped, 'cmd_vel')
    images = node.create_publisher(Image, 'camera/depth', 1)
    running.spin(policy)
    running.spin(node)
    wait_until(policy.commands.get_subscription_count)
    wait_until(images.get_subscription_count)
    for _ in range(10):
        images.publish(conversions.image(SOUND, time.time_ns()))
        time.sleep(0.05)
    assert not commands
    late = Listener(rclpy.create_node('late'))
    late.listen(ExitLevel, 'exit_level')
    wait_until(lambda: images.publish(conversions.image(SOUND, time.time_ns())) or commands)


@pytest.mark.parametrize('bad', ['nan', 'zero', 'empty', 'short', 'encoding'])
def test_a_broken_image_gets_no_command_and_is_counted(camera: Camera, bad: str) -> None:
    changes = {
        'nan': {},
        'zero': {},
        'empty': {'height': 0, 'width': 0, 'data': b''},
        'short': {'data': bytes(100)},
        'encoding': {'encoding': 'rgb8'},
    }[bad]
    depth = SOUND * {'nan': np.nan, 'zero': 0.0}.get(bad, 1.0)
    camera.show(depth, **changes)
    wait_until(lambda: camera.counted('bad_images') == 1)
    assert not camera.commands
    camera.answer(SOUND)
    assert len(camera.commands) == 1


def test_a_stale_image_gets_no_command(camera: Camera) -> None:
    camera.show(SOUND, age=STALE)
    wait_until(lambda: camera.counted('stale_images') == 1)
    assert not camera.commands


def test_an_image_that_is_shown_twice_is_decided_on_once(camera: Camera) -> None:
    level = camera.answer(SOUND)
    camera.publish(SOUND, conversions.nanoseconds(level.header.stamp))
    wait_until(lambda: len(camera.commands) == 2)
    assert camera.commands[0] == camera.commands[1]
    assert len(camera.levels) == 1


def test_the_threshold_counts_from_the_next_decision_on(camera: Camera) -> None:
    assert camera.answer(SOUND).level == 2
    assert camera.set(threshold=ALWAYS) == ''
    assert camera.answer(SOUND).level == 0
    assert camera.set(threshold=NEVER) == ''
    assert camera.answer(SOUND).level == 2


def test_what_cannot_be_set_is_refused_with_the_reason(camera: Camera) -> None:
    assert '2.0' in camera.set(threshold=7.0)
    assert 'no such checkpoint' in camera.set(checkpoint='/nowhere.safetensors')
    assert 'never' in camera.set(operating_point='brisk')
    assert 'read-only' in camera.set(max_age=1.0)
    assert camera.answer(SOUND).level == 2


def test_a_budget_and_a_deadline_can_be_set_in_flight_and_are_reported(camera: Camera) -> None:
    assert camera.answer(SOUND).level == 2
    assert camera.set(budget=0.01) == ''  # less than any exit costs: the cheapest, always
    assert [camera.answer(SOUND).level for _ in range(4)][1:] == [0, 0, 0]
    wait_until(lambda: camera.told('budget') == '0.01')
    assert camera.set(deadline_ms=50.0) == ''
    wait_until(lambda: camera.told('deadline') == '50 ms')
    assert 'set one of them' in camera.set(budget_ms=1.0)


def test_a_task_of_colours_is_decided_by_colours_alone(ros, pedra: Path) -> None:
    camera = Camera(ros, pedra, topic='camera/image', sound=COLOURS)
    level = camera.answer(COLOURS)
    command = wait_until(lambda: camera.commands)[-1]
    assert level.num_levels == 3 and command.header.stamp == level.header.stamp
    assert command.twist.linear.x == pytest.approx(0.4 / 0.102, rel=0.1)
    camera.show(np.zeros_like(COLOURS))
    wait_until(lambda: camera.counted('bad_images') == 1)
    camera.show(SOUND)
    wait_until(lambda: camera.counted('bad_images') == 2)
    assert len(camera.commands) == 1
