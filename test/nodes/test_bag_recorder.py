"""A recorded flight: other tools read it, its outcomes repeat, and it is learned from."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import subprocess
import time

from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from nav_msgs.msg import Odometry
from node_process import NodeProcess
import numpy as np
import pytest
import rclpy
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Bool

from rapid_nav import resources
from rapid_nav.cli.train_drone import main as train_drone
from rapid_nav.cli.train_drone import TrainDroneConfig
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import TransitionAssembler
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.msgdef import definition
from rapid_nav.nodes.outcome import OutcomeNode
from rapid_nav.nodes.trainer import Trainer
from rapid_nav.offline.training.bag_reader import trajectories

KINDS = {
    'camera/depth': Image,
    'odom': Odometry,
    'outcome': Outcome,
    'exit_level': ExitLevel,
    'cmd_vel': TwistStamped,
}


class Flown:
    """A flight that was recorded."""

    def __init__(self, bag: Path, report: Path) -> None:
        self.bag, self.report = bag, json.loads(report.read_text())


@pytest.fixture(scope='module')
def flown(tmp_path_factory: pytest.TempPathFactory) -> Flown:
    """Fly for 12 simulated seconds and record it."""
    folder = tmp_path_factory.mktemp('bags')
    environment = {k: v for k, v in os.environ.items() if k != 'ROS_DOMAIN_ID'}
    subprocess.run(
        [
            str(resources.prefix() / 'bin' / 'rapid-nav'),
            'fly',
            '--lockstep',
            '--duration',
            '12',
            '--world',
            'pillars',
            '--seed',
            '4',
            '--record',
            str(folder / 'flight.mcap'),
            '--report',
            str(folder / 'flight.json'),
        ],
        check=True,
        timeout=150,
        env=environment,
    )
    return Flown(folder / 'flight.mcap', folder / 'flight.json')


def recorded(bag: Path) -> Iterator[tuple[str, bytes]]:
    """Yield topic and message in the order they were written."""
    with bag.open('rb') as file:
        for _, channel, message in make_reader(file).iter_messages(log_time_order=False):
            yield channel.topic.removeprefix('/rapid/'), message.data


def test_every_image_of_a_flight_is_in_its_bag_with_what_became_of_it(flown: Flown) -> None:
    # By their stamps: an image whose answer is long in coming is published once more.
    seen: dict[str, set[tuple[int, int]]] = {topic: set() for topic in KINDS}
    for topic, data in recorded(flown.bag):
        if topic in KINDS:
            stamp = deserialize_message(data, KINDS[topic]).header.stamp
            seen[topic].add((stamp.sec, stamp.nanosec))
    assert {topic: len(stamps) for topic, stamps in seen.items()} == dict.fromkeys(
        KINDS, flown.report['decisions']
    )
    assert all(stamps == seen['exit_level'] for stamps in seen.values())


def test_the_stock_readers_open_it_and_know_our_messages_from_the_file_alone(flown: Flown) -> None:
    with flown.bag.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        levels = [
            message for *_, message in reader.iter_decoded_messages(topics=['/rapid/exit_level'])
        ]
    assert len(levels) == flown.report['decisions']
    assert {level.num_levels for level in levels} == {len(flown.report['exit_shares'])}
    rosbags = pytest.importorskip('rosbags.highlevel')
    with rosbags.AnyReader([flown.bag]) as reader:
        kinds = {one.topic: one.msgtype for one in reader.connections}
        assert kinds['/rapid/outcome'] == 'rapid_nav/msg/Outcome'
        read = [
            reader.deserialize(raw, one.msgtype)
            for one, _, raw in reader.messages(
                [one for one in reader.connections if one.topic == '/rapid/exit_level']
            )
        ]
    assert [one.action for one in read] == [level.action for level in levels]


def test_a_definition_holds_what_it_is_made_of_and_each_once() -> None:
    text = definition('nav_msgs/msg/Odometry')
    assert text.count('MSG: geometry_msgs/Quaternion\n') == 1
    assert text.count('MSG: ') == 9


def test_what_is_assembled_from_a_bag_is_the_whole_flight(flown: Flown) -> None:
    assembler = TransitionAssembler(FlightTask().observation.history, 25)
    found = list(trajectories([flown.bag], FlightTask(), assembler))
    assert assembler.counts()['joined'] == flown.report['decisions']
    assert assembler.lost_share() == 0.0
    # The last image of a flight has no action to learn from, and of the first two of all nobody
    # knows what was seen before.
    assert sum(one.transitions for one in found) == (
        flown.report['decisions'] - flown.report['flights'] - 2
    )


def test_a_network_learns_from_a_bag_without_ros(flown: Flown, tmp_path: Path) -> None:
    config = TrainDroneConfig(out=tmp_path, bag=(flown.bag,), network='rapid')
    train = config.train.__class__(
        steps=100, steps_per_update=1, replay_size=2000, learning_starts=0, distil_share=0.5
    )
    assert (
        train_drone(
            config.__class__(
                out=tmp_path,
                bag=(flown.bag,),
                train=train,
                agent=config.agent.__class__(batch_size=32, learning_rate=1e-3),
            )
        )
        == 0
    )
    rows = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    assert rows[-1]['td_error'] < 0.9 * rows[0]['td_error']
    assert rows[-1]['regret_0'] < 0.7 * rows[0]['regret_0']  # its exit was distilled
    assert rows[-1]['updates'] == 100
    with pytest.raises(ValueError, match='no bag to learn from'):
        (tmp_path / 'no.mcap').write_bytes(b'nothing')
        train_drone(TrainDroneConfig(out=tmp_path / 'other', bag=(tmp_path / 'no.mcap',)))


def test_no_recording_overwrites_a_file(domain: int, tmp_path: Path) -> None:
    bag = tmp_path / 'flight.mcap'
    bag.write_bytes(b'an older flight')
    with NodeProcess(tmp_path, 'record', file=str(bag)) as recorder:
        assert recorder.process.wait(120) == 2
        assert f'{bag} exists already; record to another file' in recorder.output()
        assert 'Traceback' not in recorder.output()
    with NodeProcess(tmp_path, 'rapid-nav', 'fly', '--record', str(bag)) as fly:
        assert fly.process.wait(120) == 2
        assert f'{bag} exists already; record to another file' in fly.output()
        assert len(fly.output().splitlines()) == 1  # nothing had started
    assert bag.read_bytes() == b'an older flight'


def test_what_a_killed_recorder_has_written_is_learned_from(
    ros, flown: Flown, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running, bag = ros(), tmp_path / 'killed.mcap'
    node = running.spin(rclpy.create_node('player'))
    publishers = {topic: node.create_publisher(KINDS[topic], topic, 100) for topic in KINDS}
    whole = [(topic, data) for topic, data in recorded(flown.bag) if topic in KINDS]
    with NodeProcess(tmp_path, 'record', file=str(bag)) as recorder:
        wait_until(
            lambda: (
                all(one.get_subscription_count() for one in publishers.values())
                or recorder.process.poll() is not None
            )
        )
        for topic, data in whole:
            publishers[topic].publish(deserialize_message(data, KINDS[topic]))
            time.sleep(0.002)
        wait_until(lambda: bag.stat().st_size > 10**6)
        recorder.process.kill()
        recorder.process.wait()
    with pytest.raises(McapError), bag.open('rb') as file:  # it has no end
        make_reader(file).get_summary()
    assembler = TransitionAssembler(FlightTask().observation.history, 25)
    found = list(trajectories([bag], FlightTask(), assembler))
    assert 'has no end: read as far as it is whole' in caplog.text
    # Without the last chunk, of 1 MB, and what a busy machine was late to record.
    assert assembler.counts()['joined'] > 5
    assert sum(one.transitions for one in found) > 10


class Player:
    """Shows a recorded flight to nodes, without a bridge: what a camera and a bumper would say."""

    def __init__(self) -> None:
        self.node = rclpy.create_node('player')
        self.topics = {
            topic: self.node.create_publisher(KINDS[topic], topic, 100)
            for topic in ('camera/depth', 'exit_level')
        }
        self.odom = self.node.create_publisher(Odometry, 'odom', 100)
        self.bumper = self.node.create_publisher(Bool, 'collision', 10)

    def play(self, bag: Path, received: list[Outcome]) -> list[Outcome]:
        """Play it, image by image as outcomes arrive; return what the bridge said of them."""
        images: dict[int, dict] = {}
        for topic, data in recorded(bag):
            if topic in KINDS:
                message = deserialize_message(data, KINDS[topic])
                stamp = conversions.nanoseconds(message.header.stamp)
                images.setdefault(stamp, {})[topic] = message
        touched = None
        for count, (_, said) in enumerate(sorted(images.items()), 1):
            self.odom.publish(said['odom'])
            if touched != said['outcome'].collision:
                touched = said['outcome'].collision
                self.bumper.publish(Bool(data=touched))
                time.sleep(0.3)  # nothing but time says that it was felt
            for topic, publisher in self.topics.items():
                publisher.publish(said[topic])
            wait_until(lambda count=count: len(received) >= count)
        return [said['outcome'] for _, said in sorted(images.items())]


def test_depth_and_a_bumper_alone_earn_what_the_bridge_said_and_are_learned_from(
    ros, flown: Flown, tmp_path: Path
) -> None:
    running = ros(out=tmp_path / 'fleet', learning_starts=20, steps_per_update=8, cap=100.0)
    judge, trainer = running.spin(OutcomeNode()), Trainer()
    player = Player()
    received = Listener(player.node).listen(Outcome, 'outcome', 300)
    running.spin(player.node)
    running.spin(trainer)
    running.run(lambda: trainer.learner.run(rclpy.ok))
    wait_until(lambda: '/rapid' in trainer.drones)
    wait_until(
        lambda: (
            player.topics['camera/depth'].get_subscription_count() == 2
            and player.bumper.get_subscription_count()
            and judge.outcomes.get_subscription_count() == 2
        )
    )
    time.sleep(0.3)
    bridge = player.play(flown.bag, received)
    wait_until(lambda: len(received) == len(bridge))
    np.testing.assert_allclose(
        [one.reward for one in received], [one.reward for one in bridge], atol=1e-6
    )
    last_of_all = len(bridge) - 1  # which the bridge ended for its duration alone
    assert [one.terminal for one in received[:last_of_all]] == [
        one.terminal for one in bridge[:last_of_all]
    ]
    wait_until(lambda: trainer.assembler.counts()['joined'] == len(bridge))
    list(map(trainer.learner.add, trainer.assembler.flush()))
    wait_until(lambda: trainer.learner.trainer.learner.updates >= (len(bridge) - 40) // 8)
    assert trainer.assembler.lost_share() == 0.0
