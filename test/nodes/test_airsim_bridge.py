"""The bridge: a simulated drone is a ROS 2 robot, and stays one when things break."""

import math
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
from nav_msgs.msg import Odometry
import numpy as np
import pytest
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import (
    CameraInfo,
    FluidPressure,
    Image,
    Imu,
    MagneticField,
    NavSatFix,
    PointCloud2,
    Range,
)
from std_srvs.srv import Trigger

from rapid_nav import geometry
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.msg import Outcome
from rapid_nav.nodes.airsim_bridge import AirSimBridge, work
from rapid_nav.nodes.lib import conversions
from rapid_nav.sim.render.views import slopes
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world

AHEAD = BodyVelocity(forward=1.0)
EVER = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)  # late or not
SETTINGS = {
    'SettingsVersion': 1.2,
    'SimMode': 'Multirotor',
    'Vehicles': {
        'drone': {
            'VehicleType': 'SimpleFlight',
            'Sensors': {
                'beam': {'SensorType': 5, 'Enabled': True},
                'lidar': {'SensorType': 6, 'Enabled': True, 'PointsPerSecond': 10000},
                'imu': {'SensorType': 2, 'Enabled': True},
                'gps': {'SensorType': 3, 'Enabled': True},
                'barometer': {'SensorType': 1, 'Enabled': True},
                'magnetometer': {'SensorType': 4, 'Enabled': True},
            },
        }
    },
}


def serve(port: int = 0, settings: dict | None = None) -> Server:
    return Server(make_world('corridor', 1), settings, port=port)


@pytest.fixture
def simulator():
    with serve(settings=SETTINGS) as server:
        yield server


class BridgeClient:
    """Bridges a simulator, hears everything and commands what a test wants."""

    def __init__(self, ros, port: int, **parameters) -> None:
        self.ros = ros(port=port, **parameters)
        self.bridge = AirSimBridge()
        self.node = rclpy.create_node('bridge_client')
        ear = Listener(self.node)
        self.depth = ear.listen(Image, 'camera/depth')
        self.odom = ear.listen(Odometry, 'odom')
        self.outcomes = ear.listen(Outcome, 'outcome')
        self.info = ear.listen(CameraInfo, 'camera/camera_info')
        self.clock = ear.listen(Clock, '/clock')
        self.diagnostics = ear.listen(DiagnosticArray, '/diagnostics')
        self.listen = ear.listen
        self.commands = self.node.create_publisher(TwistStamped, 'cmd_vel', 1)
        self.ros.spin(self.bridge)
        self.ros.spin(self.node)

    def take_off(self) -> 'BridgeClient':
        """Let the bridge work until images come."""
        self.ros.run(lambda: work(self.bridge))
        wait_until(lambda: self.depth and self.commands.get_subscription_count())
        return self

    def command(self, velocity: BodyVelocity) -> int:
        """Answer the newest image; return its stamp."""
        stamp = conversions.nanoseconds(self.depth[-1].header.stamp)
        self.commands.publish(conversions.command(velocity, stamp))
        return stamp

    def fly(self, velocity: BodyVelocity, seconds: float) -> None:
        """Answer every image that comes for so long [simulated s]."""
        until = self.now() + seconds
        while self.now() < until:
            count = len(self.depth)
            self.command(velocity)
            wait_until(lambda count=count: len(self.depth) > count)

    def now(self) -> float:
        """Return the simulated time [s]."""
        return conversions.nanoseconds(self.depth[-1].header.stamp) / 1e9

    def speed(self) -> float:
        """Return the speed over ground [m/s]."""
        velocity = self.odom[-1].twist.twist.linear
        return math.hypot(velocity.x, velocity.y)

    def ahead(self) -> float:
        """Return how far the drone is along the direction it started in [m]."""
        first, last = self.odom[0].pose.pose, self.odom[-1].pose.pose
        yaw = 2 * math.atan2(first.orientation.z, first.orientation.w)
        x, y = (last.position.x - first.position.x, last.position.y - first.position.y)
        return x * math.cos(yaw) + y * math.sin(yaw)

    def call(self, service: str) -> Trigger.Response:
        """Call a service and return its answer."""
        client = self.node.create_client(Trigger, service)
        assert client.wait_for_service(10)
        answer = client.call_async(Trigger.Request())
        wait_until(answer.done)
        return answer.result()

    def complaint(self) -> str:
        """Return the last message of the bridge on /diagnostics."""
        return self.diagnostics[-1].status[0].message if self.diagnostics else ''


def test_all_of_one_look_carries_one_stamp(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(ros, simulator.port, lockstep=True, answer_timeout=0.6).take_off()
    wait_until(lambda: len(bridge_client.odom) >= 2 and len(bridge_client.info) >= 2)
    stamps = [message.header.stamp for message in bridge_client.odom]
    assert stamps == [message.header.stamp for message in bridge_client.outcomes][: len(stamps)]
    assert bridge_client.depth[0].header.stamp in stamps
    assert bridge_client.info[-1].header.stamp in stamps
    assert bridge_client.clock[-1].clock in stamps
    assert bridge_client.depth[0].header.frame_id.endswith('_optical')
    assert (bridge_client.depth[0].width, bridge_client.depth[0].height) == (256, 144)
    assert conversions.depth_image(bridge_client.depth[0]).min() > 0.05


def test_a_late_subscriber_receives_nothing_old(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(ros, simulator.port)
    for topic in ('odom', 'outcome'):
        (said,) = bridge_client.node.get_publishers_info_by_topic(f'/rapid/{topic}')
        assert said.qos_profile.durability == DurabilityPolicy.VOLATILE
        assert said.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_a_recorder_is_waited_for(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(ros, simulator.port, lockstep=True, recorder='late')
    bridge_client.ros.run(lambda: work(bridge_client.bridge))
    wait_until(lambda: bridge_client.bridge.loop.waits_for_recorder)
    time.sleep(0.3)
    assert not bridge_client.outcomes
    ear = Listener(rclpy.create_node('late'))
    ear.listen(Odometry, 'odom')
    ear.listen(Outcome, 'outcome')
    wait_until(lambda: bridge_client.outcomes)


def test_a_command_forward_takes_the_drone_further_ahead(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(ros, simulator.port).take_off()
    before = bridge_client.ahead()
    bridge_client.fly(AHEAD, 1.5)
    assert bridge_client.ahead() > before + 0.5
    assert bridge_client.odom[-1].header.frame_id == 'odom'
    assert bridge_client.odom[-1].twist.twist.linear.x > 0.3


@pytest.mark.parametrize('lockstep', [True, False])
def test_a_silent_policy_stops_the_drone(ros, simulator: Server, lockstep: bool) -> None:
    bridge_client = BridgeClient(
        ros, simulator.port, lockstep=lockstep, answer_timeout=0.1
    ).take_off()
    bridge_client.fly(AHEAD, 1.2)
    assert bridge_client.speed() > 0.5
    silent = bridge_client.now()
    wait_until(lambda: bridge_client.now() > silent + 3.5)
    assert bridge_client.speed() < 0.2
    assert bridge_client.bridge.counts['unanswered_images' if lockstep else 'silences'] > 0


def test_lockstep_waits_for_the_command_to_each_image(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(
        ros, simulator.port, lockstep=True, answer_timeout=30.0
    ).take_off()
    first = bridge_client.now()
    time.sleep(0.5)
    assert bridge_client.now() == first
    for count in range(1, 6):
        bridge_client.command(BodyVelocity())
        wait_until(lambda count=count: bridge_client.now() >= first + 0.102 * count - 1e-4)
    assert bridge_client.now() == pytest.approx(first + 5 * 0.102, abs=1e-6)


def test_a_lost_simulator_is_said_once_and_flown_on_when_it_is_back(
    ros, capfd: pytest.CaptureFixture[str]
) -> None:
    server = serve().start()
    port = server.port
    bridge_client = BridgeClient(ros, port, world='corridor')
    bridge_client.take_off()

    def all_is_well() -> bool:
        """Command the drone, which complains otherwise, and return whether it is content."""
        bridge_client.command(BodyVelocity())
        return bridge_client.complaint() == 'ok'

    wait_until(all_is_well)
    server.stop()
    wait_until(lambda: 'No simulator' in bridge_client.complaint())
    told = bridge_client.bridge.counts['lost_simulators']
    images = len(bridge_client.depth)
    time.sleep(1.5)
    assert (told, len(bridge_client.depth)) == (1, images)
    with serve(port):
        wait_until(lambda: len(bridge_client.depth) > images + 3)
        wait_until(all_is_well)
        assert bridge_client.bridge.counts['lost_simulators'] == 1
        assert bridge_client.outcomes[-1].flight == 1
    assert capfd.readouterr().err.count('[ERROR]') == 1


def test_every_other_sensor_is_a_topic_while_it_has_subscribers(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(ros, simulator.port)
    kinds = {
        'imu': Imu,
        'gps': NavSatFix,
        'magnetic_field': MagneticField,
        'pressure': FluidPressure,
        'range': Range,
        'points': PointCloud2,
        'camera/image': Image,
    }
    received = {topic: bridge_client.listen(kind, topic) for topic, kind in kinds.items()}
    bridge_client.take_off()
    wait_until(lambda: all(received.values()))
    assert received['imu'][-1].linear_acceleration.z == pytest.approx(9.8, abs=4.0)
    assert received['gps'][-1].latitude == pytest.approx(47.64, abs=0.1)
    assert received['pressure'][-1].fluid_pressure == pytest.approx(1e5, rel=0.1)
    assert received['points'][-1].width > 100
    assert (received['camera/image'][-1].encoding, received['camera/image'][-1].width) == (
        'rgb8',
        256,
    )


def test_a_sensor_that_the_drone_does_not_have_is_left_out(ros) -> None:
    settings = {
        **SETTINGS,
        'Vehicles': {
            'bare': {
                'VehicleType': 'SimpleFlight',
                'Sensors': {'imu': {'SensorType': 2, 'Enabled': True}},
            }
        },
    }
    with serve(settings=settings) as bare:
        bridge_client = BridgeClient(ros, bare.port)
        bridge_client.listen(Range, 'range')
        imu = bridge_client.listen(Imu, 'imu')
        bridge_client.take_off()
        wait_until(lambda: imu and bridge_client.bridge.sensors.due['range'] == math.inf)


def test_land_takeoff_and_reset_are_services(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(ros, simulator.port).take_off()
    high = bridge_client.odom[-1].pose.pose.position.z
    assert bridge_client.call('land').success
    wait_until(lambda: bridge_client.odom[-1].pose.pose.position.z < high - 0.5)
    assert bridge_client.call('takeoff').success
    wait_until(lambda: bridge_client.odom[-1].pose.pose.position.z > 0.8)
    flight = bridge_client.outcomes[-1].flight
    assert bridge_client.call('reset').success
    wait_until(lambda: bridge_client.outcomes[-1].flight == flight + 1)


def test_a_flight_ends_with_a_collision_and_the_next_one_begins(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(
        ros, simulator.port, lockstep=True, world='corridor', seed=5
    ).take_off()
    deadline = time.monotonic() + 60
    while bridge_client.outcomes[-1].flight == 0 and time.monotonic() < deadline:
        bridge_client.command(BodyVelocity(forward=3.0))
        time.sleep(0.01)
    ends = [outcome for outcome in bridge_client.outcomes if outcome.terminal]
    assert len(ends) == 1
    assert ends[0].collision
    assert ends[0].collided_with
    assert ends[0].reward == -1.0
    assert bridge_client.outcomes[-1].flight == 1


def test_two_drones_fly_one_simulator(ros) -> None:
    settings = {
        **SETTINGS,
        'Vehicles': {name: {'VehicleType': 'SimpleFlight'} for name in ('one', 'two')},
    }
    with serve(settings=settings) as server:
        bridge_client = BridgeClient(ros, server.port, vehicle='two').take_off()
        bridge_client.fly(AHEAD, 1.0)
        assert bridge_client.call('reset').success
        assert len(bridge_client.bridge.loop._drone().vehicles()) == 2
        assert len(bridge_client.depth) > 5


def test_pedras_commands_are_steps_by_pose_and_its_colours_are_shown_without_being_asked(
    ros, simulator: Server
) -> None:
    bridge_client = BridgeClient(ros, simulator.port, task='pedra', lockstep=True).take_off()
    colours = bridge_client.listen(Image, 'camera/image')
    wait_until(lambda: colours)
    step = BodyVelocity(forward=0.4 / 0.102, yaw_rate=math.radians(10.0) / 0.102)
    count, before = len(bridge_client.odom), bridge_client.odom[-1].pose.pose
    bridge_client.command(step)
    wait_until(lambda: len(bridge_client.odom) > count)
    after = bridge_client.odom[-1].pose.pose
    assert math.dist(
        (before.position.x, before.position.y), (after.position.x, after.position.y)
    ) == pytest.approx(0.4, abs=0.02)
    turned = 2 * (
        math.atan2(after.orientation.z, after.orientation.w)
        - math.atan2(before.orientation.z, before.orientation.w)
    )
    assert math.degrees(turned) == pytest.approx(10.0, abs=0.5)
    assert bridge_client.speed() < 0.1


def test_pedras_flights_end_near_a_wall_before_it_is_touched(ros, simulator: Server) -> None:
    bridge_client = BridgeClient(
        ros, simulator.port, task='pedra', lockstep=True, flights=1
    ).take_off()
    until = time.monotonic() + 60
    while not bridge_client.outcomes[-1].terminal and time.monotonic() < until:
        count = len(bridge_client.outcomes)
        # An outcome may arrive before its image.
        wait_until(
            lambda: bridge_client.depth[-1].header.stamp == bridge_client.outcomes[-1].header.stamp
        )
        bridge_client.command(BodyVelocity(forward=0.4 / 0.102))
        wait_until(lambda count=count: len(bridge_client.outcomes) > count)
    last = bridge_client.outcomes[-1]
    assert last.terminal and last.collision and last.reward == -1.0
    assert 0.5 < last.clearance < 0.07 * 19.6


def test_a_service_that_takes_long_holds_up_neither_commands_nor_diagnostics(
    ros, simulator: Server
) -> None:
    bridge_client = BridgeClient(ros, simulator.port).take_off()
    client = bridge_client.node.create_client(Trigger, 'land')
    assert client.wait_for_service(10)
    answer = client.call_async(Trigger.Request())
    wait_until(lambda: not bridge_client.bridge.loop.flying)
    assert bridge_client.call('reset').message == 'land is still under way'
    count = bridge_client.bridge.counts['commands_between_flights']

    def is_received() -> bool:
        bridge_client.command(AHEAD)
        return bridge_client.bridge.counts['commands_between_flights'] > count

    wait_until(is_received)
    assert not answer.done()  # it lands meanwhile
    wait_until(answer.done)
    assert answer.result().success


def test_a_command_for_an_image_of_the_last_flight_opens_no_new_one(
    ros, simulator: Server
) -> None:
    bridge_client = BridgeClient(ros, simulator.port, max_command_age=60.0).take_off()
    old = conversions.nanoseconds(bridge_client.depth[-1].header.stamp)
    flight = bridge_client.outcomes[-1].flight
    assert bridge_client.call('reset').success
    wait_until(lambda: bridge_client.outcomes[-1].flight == flight + 1)
    for _ in range(10):
        bridge_client.commands.publish(conversions.command(BodyVelocity(forward=5.0), old))
    wait_until(lambda: bridge_client.bridge.counts['commands_between_flights'] >= 1)
    count = len(bridge_client.odom)
    wait_until(lambda: len(bridge_client.odom) > count + 5)
    assert bridge_client.speed() < 0.2


def test_the_camera_matrix_projects_the_simulators_rays_to_their_own_pixels(
    ros, simulator: Server
) -> None:
    bridge_client = BridgeClient(ros, simulator.port, lockstep=True).take_off()
    info = wait_until(lambda: bridge_client.info and bridge_client.info[-1])
    assert (info.k[2], info.k[5]) == (127.5, 71.5)
    u, v = slopes(info.width, info.height, math.pi / 2)
    rays = np.stack([*np.meshgrid(u, v), np.ones((info.height, info.width))], axis=-1)
    pixels = rays @ np.reshape(info.k, (3, 3)).T
    columns, rows = np.meshgrid(np.arange(info.width), np.arange(info.height))
    np.testing.assert_allclose(pixels[..., 0], columns, atol=1e-9)
    np.testing.assert_allclose(pixels[..., 1], rows, atol=1e-9)


def test_the_floor_seen_through_camera_info_lies_flat_and_at_its_height(
    ros, simulator: Server
) -> None:
    bridge_client = BridgeClient(ros, simulator.port, lockstep=True).take_off()
    info = wait_until(lambda: bridge_client.info and bridge_client.info[-1])
    depth = conversions.depth_image(bridge_client.depth[-1])
    pose = bridge_client.odom[-1].pose.pose
    inverse = np.linalg.inv(np.reshape(info.k, (3, 3)))
    column = info.width // 2
    heights = []
    for row in range(info.height - 20, info.height, 4):  # below the horizon: the floor
        x, y, z = inverse @ (column, row, 1.0) * depth[row, column]
        o = pose.orientation
        ahead = np.array([z, -x, -y])  # optical to body
        mount = bridge_client.bridge.loop.camera.mount
        turned = geometry.rotate(np.roll(mount.orientation, 1), ahead) + mount.position
        up = geometry.rotate(np.array([o.w, o.x, o.y, o.z]), turned)[2]
        heights.append(pose.position.z + up)
    assert np.ptp(heights) < 0.002, heights
