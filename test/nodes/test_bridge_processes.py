"""The bridge as a process: the states it reports, and how it leaves the simulator."""

from collections.abc import Callable, Iterator
import math
from pathlib import Path
import signal

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fake_simulator import FakeSimulator, POSE
from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
from node_process import NodeProcess
import pytest
import rclpy
from sensor_msgs.msg import Image

from rapid_nav.airsim.drone import connect
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.nodes.lib import conversions

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
ERROR, STALE = DiagnosticStatus.ERROR, DiagnosticStatus.STALE


class Commander:
    """Hears the bridge's images and diagnostics, and answers images while it is to."""

    def __init__(self, ros: Callable, commands: bool = True) -> None:
        self.answers = False
        running = ros()
        self.node = rclpy.create_node('commander')
        ear = Listener(self.node)
        self.diagnostics = ear.listen(DiagnosticArray, '/diagnostics')
        self.images = ear.listen(Image, 'camera/depth', 1)
        if commands:
            self.commands = self.node.create_publisher(TwistStamped, 'cmd_vel', 1)
            self.node.create_subscription(Image, 'camera/depth', self.on_image, 1)
        running.spin(self.node)

    def on_image(self, image: Image) -> None:
        if self.answers:
            stamp = conversions.nanoseconds(image.header.stamp)
            self.commands.publish(conversions.command(BodyVelocity(), stamp))

    def is_told(self, level: bytes, words: str = '') -> bool:
        """Return whether the bridge's last status has this level and these words."""
        said = [
            one
            for array in list(self.diagnostics)
            for one in array.status
            if one.name == '/rapid/airsim_bridge'
        ]
        return bool(said) and said[-1].level == level and words in said[-1].message


@pytest.fixture
def start(tmp_path: Path, domain: int) -> Iterator[Callable[..., NodeProcess]]:
    """Return what starts a process that does not outlive the test."""
    started: list[NodeProcess] = []

    def begin(executable: str, *arguments: str, **parameters: object) -> NodeProcess:
        started.append(NodeProcess(tmp_path, executable, *arguments, **parameters))
        return started[-1]

    yield begin
    for process in started:
        process.__exit__()


def simulate(start: Callable, port: int, *flags: str) -> NodeProcess:
    """Start a simulator; return it once it says where it is."""
    simulator = start('rapid-nav', 'sim', '--port', str(port), '--world', 'corridor', *flags)
    simulator.says(f':{port}')
    return simulator


def is_paused(port: int) -> bool:
    drone = connect(port=port)
    try:
        return drone._is_paused()
    finally:
        drone.close()


def test_every_state_is_reported_and_logged_once_when_it_begins_and_ends(
    ros, start, port: int, checkpoint: Path
) -> None:
    watcher = Commander(ros, commands=False)
    bridge = start('airsim_bridge', port=port, world='corridor', use_sim_time=True)
    wait_until(lambda: watcher.is_told(WARN, 'Waiting for the simulator'))
    simulator = simulate(start, port)
    wait_until(lambda: watcher.is_told(WARN, 'No node publishes cmd_vel'))
    policy = start('policy', checkpoint=str(checkpoint), use_sim_time=True)
    wait_until(lambda: watcher.is_told(OK, 'ok'))
    simulator.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: watcher.is_told(STALE, 'has not answered for'))
    simulator.process.send_signal(signal.SIGCONT)
    wait_until(lambda: watcher.is_told(OK, 'ok'))
    policy.process.kill()
    wait_until(lambda: watcher.is_told(WARN, 'No command for'))
    simulator.process.kill()
    wait_until(lambda: watcher.is_told(ERROR, 'No simulator'))
    for words in ('Waiting for the simulator', 'No node publishes', 'has not answered', 'No sim'):
        ends = ['Over: ' in line for line in bridge.output().splitlines() if words in line]
        # Begin, end, begin, end: however often it comes on a slow machine, each is said once.
        assert ends == [bool(index % 2) for index in range(len(ends))] != [], words
    assert bridge.end() == 0


def test_a_bridge_that_discovers_no_other_node_says_so(
    start, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
    simulate(start, port)
    start('airsim_bridge', port=port).says('No node publishes cmd_vel: the drone hovers')


def test_commands_that_are_refused_reduced_or_missing_are_reported_with_their_reason(
    ros, start, port: int
) -> None:
    commander = Commander(ros)
    simulate(start, port)
    start('airsim_bridge', port=port, lockstep=True, answer_timeout=0.05)
    wait_until(lambda: commander.images and commander.is_told(WARN, 'No command for an image'))
    for words, velocity, age, frame in (
        ('not finite', math.nan, 0.0, 'base_link'),
        ("in frame 'odom'", 1.0, 0.0, 'odom'),
        ('older than the newest image', 1.0, 20.0, 'base_link'),
        ('newer than the newest image', 1.0, -20.0, 'base_link'),
        ('reduced to the limits', 30.0, 0.0, 'base_link'),
    ):

        def is_reported(words=words, velocity=velocity, age=age, frame=frame) -> bool:
            stamp = conversions.nanoseconds(commander.images[-1].header.stamp)
            command = conversions.command(BodyVelocity(velocity), stamp - round(age * 1e9))
            command.header.frame_id = frame
            commander.commands.publish(command)
            return commander.is_told(WARN, words)

        wait_until(is_reported)


def test_a_simulator_that_sends_no_images_or_refuses_is_reported(ros, start) -> None:
    commander = Commander(ros)
    image = {'width': 0, 'height': 0, 'image_data_float': [], 'time_stamp': 5}
    done = dict.fromkeys(('enableApiControl', 'armDisarm', 'reset', 'simPause', 'hover'), True)
    camera = {'simGetCameraInfo': {'fov': 90.0, 'pose': POSE}, 'simGetImages': [image]}
    with FakeSimulator(**done, **camera) as simulator:
        start('airsim_bridge', port=simulator.port)
        wait_until(lambda: commander.is_told(WARN, 'Bad image: a 0x0 image'))
        del simulator.answers['getMultirotorState']
        wait_until(lambda: commander.is_told(ERROR, 'The simulator refuses'))


def test_two_bridges_or_commanders_in_one_namespace_are_named_as_an_error(
    ros, start, port: int
) -> None:
    commander = Commander(ros)
    simulate(start, port)
    first = start('airsim_bridge', port=port)
    wait_until(lambda: commander.images)
    with start('airsim_bridge', port=port) as second:
        for bridge in (first, second):
            for topic in ('/rapid/odom', '/clock'):
                told = f'{topic} is published by /rapid/airsim_bridge too'
                bridge.says(told)
        wait_until(lambda: commander.is_told(ERROR, 'namespace'))
        second.end()
    first.says('Over: /clock is published')
    rival = rclpy.create_node('rival')
    rival.create_publisher(TwistStamped, 'cmd_vel', 1)
    first.says('cmd_vel is published by /rapid/commander and /rapid/rival')
    rival.destroy_node()
    first.says('Over: cmd_vel is published')


def test_two_bridges_in_one_domain_name_each_other_as_publishers_of_the_clock(
    start, port: int
) -> None:
    simulate(start, port)
    first = start('airsim_bridge', port=port)
    second = start('airsim_bridge', port=port, namespace='other')
    told = '/clock is published by /{}/airsim_bridge too'
    first.says(told.format('other'))
    second.says(told.format('rapid'))
    assert 'odom is published' not in first.output()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM], ids=['INT', 'TERM'])
@pytest.mark.parametrize('waiting', [False, True], ids=['flying', 'waiting'])
def test_a_lockstep_bridge_leaves_the_simulators_clock_running(
    ros, start, port: int, number: int, waiting: bool
) -> None:
    commander = Commander(ros)
    simulate(start, port)
    bridge = start('airsim_bridge', port=port, lockstep=True, answer_timeout=600.0)
    wait_until(lambda: commander.images)
    assert is_paused(port)
    if not waiting:
        commander.answers = True
        wait_until(lambda: len(commander.images) > 10)
    bridge.end(number)
    assert not is_paused(port)
    assert 'Traceback' not in bridge.output()


def test_a_bridge_that_waits_for_a_recorder_leaves_the_clock_running(
    ros, start, port: int
) -> None:
    commander = Commander(ros)
    simulate(start, port)
    bridge = start('airsim_bridge', port=port, lockstep=True, recorder='nobody')
    wait_until(lambda: commander.is_told(WARN, 'Waiting for nobody to subscribe'))
    assert is_paused(port)
    bridge.end(signal.SIGTERM)
    assert not is_paused(port)


@pytest.mark.parametrize(
    ('answers', 'words'),
    [
        ({'simGetVehiclePose': [[0, 0, 0], [1, 0, 0, 0]]}, 'Colosseum 2.3'),
        ({'getMinRequiredClientVersion': 4}, 'Cosys'),
    ],
)
def test_a_wrong_dialect_ends_the_bridge_with_the_reason(
    start, answers: dict[str, object], words: str
) -> None:
    with FakeSimulator(**answers) as simulator:
        bridge = start('airsim_bridge', port=simulator.port)
        assert bridge.process.wait(120) != 0
    assert words in bridge.output()
    assert 'Traceback' not in bridge.output()
