"""The policy node: what it answers, what it refuses, and what can be changed in flight."""

from pathlib import Path
import time

from diagnostic_msgs.msg import DiagnosticArray
from ear import Ear, wait_until
from geometry_msgs.msg import TwistStamped
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from rapid_nav.msg import ExitLevel
from rapid_nav.nodes import messages
from rapid_nav.nodes.policy import Policy

NEVER, ALWAYS = 1.5, 0.0  # thresholds: no exit before the last, and the first


class Camera:
    """Shows images to a policy and hears what it makes of them."""

    def __init__(
        self, ros, checkpoint: Path, topic: str = 'camera/depth',
        sound: np.ndarray | None = None, **parameters
    ) -> None:
        self.running = running = ros(checkpoint=checkpoint, **parameters)
        self.policy = Policy()
        self.node = rclpy.create_node('camera')
        ear = Ear(self.node)
        self.commands = ear.listen(TwistStamped, 'cmd_vel')
        self.levels = ear.listen(ExitLevel, 'exit_level')
        self.diagnostics = ear.listen(DiagnosticArray, '/diagnostics')
        self.images = self.node.create_publisher(Image, topic, 1)
        sound = SOUND if sound is None else sound
        self.parameters = self.node.create_client(SetParameters, 'policy/set_parameters')
        running.spin(self.policy)
        running.spin(self.node)
        # Nobody can see when a best-effort match is complete: show stale images until one counts.
        wait_until(lambda: self.show(sound, age=10.0) and self.policy.counts['stale_images'])
        wait_until(self.policy.commands.get_subscription_count)
        wait_until(self.policy.levels.get_subscription_count)
        time.sleep(0.1)
        self.policy.counts.clear()

    def show(self, depth: np.ndarray, age: float = 0.0, **changes) -> int:
        """Publish an image that is so old [s]; return its stamp."""
        return self.publish(depth, time.time_ns() - round(age * 1e9), **changes)

    def publish(self, depth: np.ndarray, stamp: int, **changes) -> int:
        """Publish an image of this stamp [ns]; return the stamp."""
        message = messages.image(depth, stamp)
        for name, value in changes.items():
            setattr(message, name, value)
        self.images.publish(message)
        return stamp

    def answer(self, depth: np.ndarray) -> ExitLevel:
        """Show an image and return how it was decided on."""
        stamp = self.show(depth)
        return wait_until(lambda: next(
            (m for m in self.levels if messages.nanoseconds(m.header.stamp) == stamp), None))

    def set(self, **values) -> str:
        """Set parameters as `ros2 param set` does; return why it was refused, or ''."""
        assert self.parameters.wait_for_service(10)
        answer = self.parameters.call_async(SetParameters.Request(parameters=[
            Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]))
        wait_until(answer.done)
        return answer.result().results[0].reason

    def told(self, key: str) -> str:
        """Return what /diagnostics said last of something, or ''."""
        for message in reversed(self.diagnostics):
            if message.status[0].name == '/rapid/policy':
                return {item.key: item.value for item in message.status[0].values}.get(key, '')
        return ''

    def counted(self, kind: str) -> int:
        """Return what /diagnostics said last of a count."""
        return int(self.told(kind) or 0)


SOUND = np.full((144, 256), 5.0, np.float32)
COLOURS = np.random.default_rng(0).integers(1, 256, (180, 320, 3), np.uint8)


@pytest.fixture
def camera(ros, checkpoint: Path) -> Camera:
    return Camera(ros, checkpoint)


def test_a_depth_image_is_answered_with_a_command_of_its_stamp(camera: Camera) -> None:
    level = camera.answer(SOUND)
    assert level.num_levels == 3
    assert 0.0 < level.inference_time <= level.latency < 1.0
    command = wait_until(lambda: camera.commands)[-1]
    assert command.header.stamp == level.header.stamp
    assert command.header.frame_id == 'base_link'
    assert command.twist.linear.x > 0.5


def test_a_recorder_is_waited_for(ros, checkpoint: Path) -> None:
    running = ros(checkpoint=checkpoint, recorder='late')
    policy, node = Policy(), rclpy.create_node('camera')
    commands = Ear(node).listen(TwistStamped, 'cmd_vel')
    images = node.create_publisher(Image, 'camera/depth', 1)
    running.spin(policy)
    running.spin(node)
    wait_until(policy.commands.get_subscription_count)
    wait_until(images.get_subscription_count)
    for _ in range(10):
        images.publish(messages.image(SOUND, time.time_ns()))
        time.sleep(0.05)
    assert not commands
    late = Ear(rclpy.create_node('late'))
    late.listen(ExitLevel, 'exit_level')
    wait_until(lambda: images.publish(messages.image(SOUND, time.time_ns())) or commands)


@pytest.mark.parametrize('bad', ['nan', 'zero', 'empty', 'short', 'encoding'])
def test_a_broken_image_gets_no_command_and_is_counted(camera: Camera, bad: str) -> None:
    changes = {
        'nan': {}, 'zero': {}, 'empty': {'height': 0, 'width': 0, 'data': b''},
        'short': {'data': bytes(100)}, 'encoding': {'encoding': 'rgb8'},
    }[bad]
    depth = SOUND * {'nan': np.nan, 'zero': 0.0}.get(bad, 1.0)
    camera.show(depth, **changes)
    wait_until(lambda: camera.counted('bad_images') == 1)
    assert not camera.commands
    camera.answer(SOUND)
    assert len(camera.commands) == 1


def test_a_stale_image_gets_no_command(camera: Camera) -> None:
    camera.show(SOUND, age=2.0)
    wait_until(lambda: camera.counted('stale_images') == 1)
    assert not camera.commands


def test_an_image_that_is_shown_twice_is_decided_on_once(camera: Camera) -> None:
    level = camera.answer(SOUND)
    camera.publish(SOUND, messages.nanoseconds(level.header.stamp))
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
