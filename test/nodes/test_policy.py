"""The policy node: what it answers, what it refuses, and what can be changed in flight."""

import itertools
from pathlib import Path
import time

from depth_camera import Camera, COLOURS, SOUND
from depth_camera import STALE as OLD
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
import numpy as np
import pytest
import rclpy
import safetensors.numpy
from sensor_msgs.msg import Image
import torch

from rapid_nav.agent.checkpoint import Checkpoint, save
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import TASKS
from rapid_nav.inference.network_config import NetworkConfig, Stage
from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.deciding.decision_maker import make_decision_maker, PolicyConfig
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.diagnostics import ERROR, OK, STALE, WARN
from rapid_nav.nodes.policy import Policy

SCENE = np.linspace(1.0, 9.0, 144 * 256, dtype=np.float32).reshape(144, 256)
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
    camera.show(SOUND, age=OLD)
    wait_until(lambda: camera.counted('stale_images') == 1)
    assert not camera.commands


@pytest.mark.parametrize('ahead', [60.0, 3600.0])
def test_an_image_from_the_future_gets_no_command(camera: Camera, ahead: float) -> None:
    camera.show(SOUND, age=-ahead)
    camera.wait_for(WARN, 's ahead')
    assert camera.counted('future_images') == 1
    assert not camera.commands
    camera.show(SOUND, age=OLD)  # nor has it made an old one young
    wait_until(lambda: camera.counted('stale_images') == 1)
    assert not camera.commands


def test_images_that_run_backwards_get_no_command(camera: Camera) -> None:
    camera.answer(SOUND)
    newest = camera.policy.check.newest
    camera.publish(SOUND, newest - 10_000_000)
    wait_until(lambda: camera.counted('backward_images') == 1)
    assert len(camera.commands) == 1


def test_one_image_repeated_for_ever_gets_no_command_once_it_is_old(ros, checkpoint: Path) -> None:
    camera = Camera(ros, checkpoint, max_age=1.0)
    stamp = camera.show(SOUND)
    wait_until(lambda: camera.publish(SOUND, stamp) and camera.policy.counts['stale_images'])
    time.sleep(0.1)
    before = len(camera.commands)
    for _ in range(10):
        camera.publish(SOUND, stamp)
        time.sleep(0.02)
    assert len(camera.commands) == before
    camera.wait_for(WARN, 's old')


def test_a_frozen_camera_gets_no_command_until_its_pixels_change(
    ros, checkpoint: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    camera = Camera(ros, checkpoint, frozen_after=0.3)
    printed: list[str] = []

    def is_over() -> bool:
        time.sleep(0.05)
        printed.append(capfd.readouterr().err)
        return 'Over: No command: frozen' in ''.join(printed)

    counts = camera.policy.counts
    wait_until(lambda: camera.show(SCENE) and counts['frozen_images'] > 5)
    flown = counts['images']
    wait_until(
        lambda: camera.show(SCENE) and (s := camera.status()) and s.level == ERROR and s.message
    )
    assert counts['images'] == flown and 'frozen camera' in camera.status().message
    camera.answer(SCENE + np.float32(0.1))
    shown = itertools.count(1)
    wait_until(lambda: camera.show(SCENE + np.float32(next(shown))) and is_over())
    assert ''.join(printed).count('Over: No command: frozen') == 1
    assert ''.join(printed).count('No command: frozen') == 2  # as it began, and as it ended


def test_an_image_without_a_pattern_may_stay(ros, checkpoint: Path) -> None:
    camera = Camera(ros, checkpoint, frozen_after=0.05)
    first = camera.answer(SOUND)
    for _ in range(5):
        time.sleep(0.1)
        last = camera.answer(SOUND)
    assert camera.policy.counts['frozen_images'] == 0
    assert first.header.stamp.sec <= last.header.stamp.sec


def test_the_state_follows_the_camera(camera: Camera) -> None:
    assert camera.answer(SOUND)
    wait_until(lambda: camera.show(SOUND) and is_ok(camera))
    camera.wait_for(STALE, 'No image on camera/depth for')
    wait_until(lambda: camera.show(SOUND) and is_ok(camera))


def is_ok(camera: Camera) -> bool:
    time.sleep(0.05)
    return (status := camera.status()) is not None and status.level == OK


def test_another_commander_of_its_drone_is_named_as_an_error(camera: Camera) -> None:
    rival = rclpy.create_node('rival')
    rival.create_publisher(TwistStamped, 'cmd_vel', 1)
    camera.wait_for(ERROR, '/rapid/cmd_vel is published by /rapid/rival too')
    rival.destroy_node()
    wait_until(lambda: camera.show(SOUND) and is_ok(camera))


def test_a_policy_without_a_camera_says_so(ros, checkpoint: Path) -> None:
    running = ros(checkpoint=checkpoint, recorder='late')
    node = rclpy.create_node('watcher')
    received = Listener(node).listen(DiagnosticArray, '/diagnostics')
    running.spin(Policy())
    running.spin(node)
    status = wait_until(lambda: received and received[-1].status[0])
    assert status.level == WARN
    assert 'Waiting for images on camera/depth' in status.message
    assert 'Waiting for late to subscribe' in status.message


def test_a_policy_waits_for_the_time_of_a_simulator(ros, checkpoint: Path) -> None:
    running = ros(checkpoint=checkpoint, use_sim_time=True)
    policy, node = Policy(), rclpy.create_node('watcher')
    ear = Listener(node)
    received = ear.listen(DiagnosticArray, '/diagnostics')
    commands = ear.listen(TwistStamped, 'cmd_vel')
    images = node.create_publisher(Image, 'camera/depth', 1)
    running.spin(policy)
    running.spin(node)
    wait_until(lambda: images.publish(conversions.image(SOUND, 10**12)) or policy.seen_at)
    status = wait_until(lambda: received and received[-1].status[0])
    assert status.level == WARN and 'Waiting for /clock' in status.message
    assert not commands


def test_a_network_that_answers_no_number_gets_no_command(ros, tmp_path: Path) -> None:
    path = tmp_path / 'overflow.safetensors'
    near = save_overflowing(path)
    camera = Camera(ros, path)
    camera.answer(np.full((36, 64), 100.0, np.float32))
    before = len(camera.commands)
    depth = np.full((36, 64), 1000.0, np.float32)
    depth.reshape(-1)[near] = 0.0
    camera.policy.decision_maker.history.reset()
    camera.show(depth)
    camera.wait_for(ERROR, 'NaN or infinity; load another checkpoint')
    assert camera.counted('non_finite_answers') == 1
    assert len(camera.commands) == before


def save_overflowing(path: Path) -> int:
    """
    Write a network whose weights are finite, and whose answers are too for images of one value.

    It overflows where the newest image is near in one pixel and far in another; return the one.
    """
    task = TASKS['drone']
    shape, actions = task.observation.shape, ActionGrid(task.actions).num_actions
    config = NetworkConfig(shape, actions, (Stage((), hidden=1),), duelling=False)
    network = EarlyExitNetwork(config)
    size = shape[1] * shape[2]
    checked = np.random.default_rng(0).random((1, *shape), np.float32)[0, -1].reshape(-1)
    near, far = int(checked[:size].argmin()), int(checked[:size].argmax())
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        dense = network.heads[0].dense.weight
        dense[0, 2 * size + near], dense[0, 2 * size + far] = 1e38, -1e38
        network.heads[0].q.weight.fill_(10.0)
    save(path, Checkpoint(network, task.to_dict()))
    return near


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
    assert 'never' in camera.set(operating_point='brisk', threshold=0.5)
    assert 'read-only' in camera.set(max_age=1.0)
    assert camera.answer(SOUND).level == 2


def test_a_checkpoint_of_nan_is_refused_and_the_old_one_flies_on(
    camera: Camera, checkpoint: Path, tmp_path: Path
) -> None:
    bad = tmp_path / 'nan.safetensors'
    weights = safetensors.numpy.load_file(checkpoint)
    weights['heads.2.q.bias'][0] = np.nan
    with safetensors.safe_open(checkpoint, framework='np') as file:
        bad.write_bytes(safetensors.numpy.save(weights, file.metadata()))
    flown = camera.answer(SOUND).weights
    assert 'heads.2.q.bias has values that are NaN' in camera.set(checkpoint=str(bad))
    assert camera.answer(SOUND).weights == flown


def test_an_operating_point_that_is_not_used_must_exist_too(checkpoint: Path) -> None:
    config = PolicyConfig(checkpoint=str(checkpoint), operating_point='nope', threshold=0.5)
    with pytest.raises(ValueError, match="no operating point 'nope'"):
        make_decision_maker(config)


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
