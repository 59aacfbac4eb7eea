"""New weights in the air: taken between two decisions, refused if they are no good, undone."""

from pathlib import Path
import zlib

from depth_camera import Camera, SOUND
from listener import Listener, wait_until
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.parameter import Parameter
import torch

from rapid_nav.agent.checkpoint import Checkpoint, load, save
from rapid_nav.agent.config import rapid_stages
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.airsim_bridge import AirSimBridge, work
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.policy import Policy
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world


def version(path: Path) -> int:
    return zlib.crc32(path.read_bytes())


@pytest.fixture
def newer(checkpoint: Path, tmp_path: Path) -> Path:
    """Return the file of other weights for the same task."""
    made = load(checkpoint)
    torch.manual_seed(1)
    for weight in made.network.parameters():
        weight.data += 0.05 * torch.randn_like(weight)
    path = tmp_path / 'newer.safetensors'
    save(path, Checkpoint(made.network, made.task, made.operating_points, {'updates': 7}))
    return path


def test_new_weights_decide_on_every_image_after_those_that_the_old_ones_did(
    ros, checkpoint: Path, newer: Path
) -> None:
    camera = Camera(ros, checkpoint)
    assert camera.answer(SOUND).weights == version(checkpoint)
    stamps = []
    for k in range(30):  # and in the middle of it new weights
        if k == 10:
            assert camera.set(checkpoint=str(newer)) == ''
        stamps.append(conversions.nanoseconds(camera.answer(SOUND).header.stamp))
    received = {
        conversions.nanoseconds(level.header.stamp): level.weights for level in camera.levels
    }
    assert set(stamps) <= received.keys()  # not one image was missed
    flown = [received[stamp] for stamp in stamps]
    assert flown == sorted(flown, key=[version(checkpoint), version(newer)].index)
    assert flown[-1] == version(newer)
    wait_until(lambda: camera.told('updates') == '7')
    assert camera.set(checkpoint=str(checkpoint)) == ''  # and back
    assert camera.answer(SOUND).weights == version(checkpoint)


def test_in_lockstep_too_no_image_is_missed_while_weights_come_and_go(
    ros, checkpoint: Path, newer: Path
) -> None:
    with Server(make_world('corridor', 1), port=0) as simulator:
        running = ros(
            checkpoint=checkpoint,
            port=simulator.port,
            lockstep=True,
            use_sim_time=True,
            recorder='ear',
        )
        node = rclpy.create_node('ear')
        ear = Listener(node)
        levels = ear.listen(ExitLevel, 'exit_level', 1000)
        outcomes = ear.listen(Outcome, 'outcome', 1000)
        ear.listen(Odometry, 'odom')  # a recorder hears that as well
        parameters = node.create_client(SetParameters, 'policy/set_parameters')
        bridge = AirSimBridge()
        for one in (Policy(), bridge, node):
            running.spin(one)
        running.run(lambda: work(bridge))
        wait_until(lambda: len(levels) > 30)
        for path in (newer, checkpoint):  # there and back
            answer = parameters.call_async(
                SetParameters.Request(
                    parameters=[Parameter('checkpoint', value=str(path)).to_parameter_msg()]
                )
            )
            wait_until(answer.done)
            decided = len(levels)
            wait_until(lambda count=decided: len(levels) > count + 30)
    flown = [level.weights for level in levels]
    assert [one for one, before in zip(flown, [0, *flown], strict=False) if one != before] == [
        version(checkpoint),
        version(newer),
        version(checkpoint),
    ]
    stamps = {conversions.nanoseconds(level.header.stamp) for level in levels}
    seen = outcomes[: len(levels) - 1]
    assert {conversions.nanoseconds(outcome.header.stamp) for outcome in seen} <= stamps
    assert [one.image for one in seen] == [seen[0].image + k for k in range(len(seen))]
    assert bridge.counts['unanswered_images'] == 0


def test_a_file_that_cannot_be_flown_is_refused_and_the_old_weights_fly_on(
    ros, checkpoint: Path, newer: Path, tmp_path: Path
) -> None:
    camera = Camera(ros, checkpoint)
    cut = tmp_path / 'cut.safetensors'
    cut.write_bytes(newer.read_bytes()[:-1000])
    made = load(checkpoint)
    small = EarlyExitNetwork(NetworkConfig((3, 18, 32), 25, rapid_stages()[:2]))
    save(tmp_path / 'small.safetensors', Checkpoint(small, made.task))
    save(tmp_path / 'game.safetensors', Checkpoint(made.network, {'name': 'breakout'}))
    observation = {**made.task['observation'], 'half_depth': 7.0}
    save(
        tmp_path / 'other.safetensors',
        Checkpoint(made.network, {**made.task, 'observation': observation}),
    )
    for name, why in (
        ('nowhere', 'no such checkpoint'),
        ('cut', 'not a whole rapid_nav checkpoint'),
        ('small', 'cannot fly a task'),
        ('game', 'not trained to fly'),
        ('other', 'another task than the one that is flown'),
    ):
        assert why in camera.set(checkpoint=str(tmp_path / f'{name}.safetensors'))
        assert camera.answer(SOUND).weights == version(checkpoint)
    assert camera.set(checkpoint=str(newer)) == ''


def test_exploring_flies_the_action_that_it_says_and_the_same_ones_for_a_seed(
    ros, checkpoint: Path
) -> None:
    camera = Camera(ros, checkpoint, epsilon=0.5)
    levels = [camera.answer(SOUND) for _ in range(40)]
    grid = camera.policy.decision_maker.grid
    wait_until(lambda: len(camera.commands) == 40)
    for level, command in zip(levels, camera.commands, strict=True):
        flown = grid.velocity(level.action, 5.0)
        assert command.twist.angular.z == pytest.approx(flown.yaw_rate, abs=1e-5)
        assert command.twist.linear.z == pytest.approx(flown.up, abs=1e-5)
    explored = [level.explored for level in levels]
    assert 8 < sum(explored) < 32
    rng = np.random.default_rng(0)
    drawn = [(rng.random(), int(rng.integers(25))) for _ in levels]
    assert explored == [chance < 0.5 for chance, _ in drawn]
    assert [level.action for level in levels if level.explored] == [
        action for chance, action in drawn if chance < 0.5
    ]
    assert camera.set(epsilon=0.0) == ''
    assert not camera.answer(SOUND).explored
