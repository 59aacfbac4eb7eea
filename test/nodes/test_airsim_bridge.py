"""The bridge: a simulated drone is a ROS 2 robot, and stays one when things break."""

import math
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rcl_interfaces.msg import Log
import rclpy
from rclpy.logging import LoggingSeverity
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


class Pilot:
    """Bridges a simulator, hears everything and commands what a test wants."""

    def __init__(self, ros, port: int, **parameters) -> None:
        self.ros = ros(port=port, **parameters)
        self.bridge = AirSimBridge()
        self.node = rclpy.create_node('pilot')
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

    def take_off(self) -> 'Pilot':
        """Let the bridge work until images come."""
        self.ros.run(lambda: work(self.bridge))
        wait_until(lambda: self.depth and self.commands.get_subscription_count(), 60)
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
        wait_until(answer.done, 60)
        return answer.result()

    def complaint(self) -> str:
        """Return the last message of the bridge on /diagnostics."""
        return self.diagnostics[-1].status[0].message if self.diagnostics else ''


def test_all_of_one_look_carries_one_stamp(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port, lockstep=True, answer_timeout=0.6).take_off()
    wait_until(lambda: len(pilot.odom) >= 2 and len(pilot.info) >= 2)
    stamps = [message.header.stamp for message in pilot.odom]
    assert stamps == [message.header.stamp for message in pilot.outcomes][: len(stamps)]
    assert pilot.depth[0].header.stamp in stamps
    assert pilot.info[-1].header.stamp in stamps
    assert pilot.clock[-1].clock in stamps
    assert pilot.depth[0].header.frame_id.endswith('_optical')
    assert (pilot.depth[0].width, pilot.depth[0].height) == (256, 144)
    assert conversions.depth_image(pilot.depth[0]).min() > 0.05


def test_whoever_comes_late_hears_nothing_old(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port)
    for topic in ('odom', 'outcome'):
        (said,) = pilot.node.get_publishers_info_by_topic(f'/rapid/{topic}')
        assert said.qos_profile.durability == DurabilityPolicy.VOLATILE
        assert said.qos_profile.reliability == ReliabilityPolicy.RELIABLE


def test_a_recorder_is_waited_for(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port, lockstep=True, recorder='late')
    pilot.ros.run(lambda: work(pilot.bridge))
    wait_until(lambda: pilot.bridge.loop.waits_for_recorder, 60)
    time.sleep(0.3)
    assert not pilot.outcomes
    ear = Listener(rclpy.create_node('late'))
    ear.listen(Odometry, 'odom')
    ear.listen(Outcome, 'outcome')
    wait_until(lambda: pilot.outcomes)


def test_a_command_forward_takes_the_drone_further_ahead(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port).take_off()
    before = pilot.ahead()
    pilot.fly(AHEAD, 1.5)
    assert pilot.ahead() > before + 0.5
    assert pilot.odom[-1].header.frame_id == 'odom'
    assert pilot.odom[-1].twist.twist.linear.x > 0.3


@pytest.mark.parametrize('lockstep', [True, False])
def test_a_silent_policy_stops_the_drone(ros, simulator: Server, lockstep: bool) -> None:
    pilot = Pilot(ros, simulator.port, lockstep=lockstep, answer_timeout=0.1).take_off()
    pilot.fly(AHEAD, 1.2)
    assert pilot.speed() > 0.5
    silent = pilot.now()
    wait_until(lambda: pilot.now() > silent + 3.5, 60)
    assert pilot.speed() < 0.2
    assert pilot.bridge.counts['unanswered_images' if lockstep else 'silences'] > 0


def test_lockstep_waits_for_the_command_to_each_image(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port, lockstep=True, answer_timeout=30.0).take_off()
    first = pilot.now()
    time.sleep(0.5)
    assert pilot.now() == first
    for count in range(1, 6):
        pilot.command(BodyVelocity())
        wait_until(lambda count=count: pilot.now() >= first + 0.102 * count - 1e-4)
    assert pilot.now() == pytest.approx(first + 5 * 0.102, abs=1e-6)


def test_a_lost_simulator_is_said_once_and_flown_on_when_it_is_back(ros) -> None:
    server = serve().start()
    port = server.port
    pilot = Pilot(ros, port, world='corridor')
    log = pilot.listen(Log, '/rosout', EVER)
    pilot.take_off()
    wait_until(lambda: pilot.complaint() == 'ok')
    server.stop()
    wait_until(lambda: 'No simulator' in pilot.complaint())
    told = pilot.bridge.counts['lost_simulators']
    images = len(pilot.depth)
    time.sleep(1.5)
    assert (told, len(pilot.depth)) == (1, images)
    with serve(port):
        wait_until(lambda: len(pilot.depth) > images + 3, 60)
        assert pilot.complaint() == 'ok'
        assert pilot.bridge.counts['lost_simulators'] == 1
        assert pilot.outcomes[-1].flight == 1
    assert (
        len(wait_until(lambda: [line for line in log if line.level >= LoggingSeverity.ERROR])) == 1
    )


def test_every_other_sensor_is_a_topic_while_somebody_listens(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port)
    kinds = {
        'imu': Imu,
        'gps': NavSatFix,
        'magnetic_field': MagneticField,
        'pressure': FluidPressure,
        'range': Range,
        'points': PointCloud2,
        'camera/image': Image,
    }
    heard = {topic: pilot.listen(kind, topic) for topic, kind in kinds.items()}
    pilot.take_off()
    wait_until(lambda: all(heard.values()), 30)
    assert heard['imu'][-1].linear_acceleration.z == pytest.approx(9.8, abs=4.0)
    assert heard['gps'][-1].latitude == pytest.approx(47.64, abs=0.1)
    assert heard['pressure'][-1].fluid_pressure == pytest.approx(1e5, rel=0.1)
    assert heard['points'][-1].width > 100
    assert (heard['camera/image'][-1].encoding, heard['camera/image'][-1].width) == ('rgb8', 256)


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
        pilot = Pilot(ros, bare.port)
        pilot.listen(Range, 'range')
        imu = pilot.listen(Imu, 'imu')
        pilot.take_off()
        wait_until(lambda: imu and pilot.bridge.sensors.due['range'] == math.inf)


def test_land_takeoff_and_reset_are_services(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port).take_off()
    high = pilot.odom[-1].pose.pose.position.z
    assert pilot.call('land').success
    wait_until(lambda: pilot.odom[-1].pose.pose.position.z < high - 0.5)
    assert pilot.call('takeoff').success
    wait_until(lambda: pilot.odom[-1].pose.pose.position.z > 0.8)
    flight = pilot.outcomes[-1].flight
    assert pilot.call('reset').success
    wait_until(lambda: pilot.outcomes[-1].flight == flight + 1)


def test_a_flight_ends_with_a_collision_and_the_next_one_begins(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port, lockstep=True, world='corridor', seed=5).take_off()
    deadline = time.monotonic() + 60
    while pilot.outcomes[-1].flight == 0 and time.monotonic() < deadline:
        pilot.command(BodyVelocity(forward=3.0))
        time.sleep(0.01)
    ends = [outcome for outcome in pilot.outcomes if outcome.terminal]
    assert len(ends) == 1
    assert ends[0].collision
    assert ends[0].collided_with
    assert ends[0].reward == -1.0
    assert pilot.outcomes[-1].flight == 1


def test_two_drones_fly_one_simulator(ros) -> None:
    settings = {
        **SETTINGS,
        'Vehicles': {name: {'VehicleType': 'SimpleFlight'} for name in ('one', 'two')},
    }
    with serve(settings=settings) as server:
        pilot = Pilot(ros, server.port, vehicle='two').take_off()
        pilot.fly(AHEAD, 1.0)
        assert pilot.call('reset').success
        assert len(pilot.bridge.loop._drone().vehicles()) == 2
        assert len(pilot.depth) > 5


def test_pedras_commands_are_steps_by_pose_and_its_colours_are_shown_without_being_asked(
    ros, simulator: Server
) -> None:
    pilot = Pilot(ros, simulator.port, task='pedra', lockstep=True).take_off()
    colours = pilot.listen(Image, 'camera/image')
    wait_until(lambda: colours)
    step = BodyVelocity(forward=0.4 / 0.102, yaw_rate=math.radians(10.0) / 0.102)
    count, before = len(pilot.odom), pilot.odom[-1].pose.pose
    pilot.command(step)
    wait_until(lambda: len(pilot.odom) > count)
    after = pilot.odom[-1].pose.pose
    assert math.dist(
        (before.position.x, before.position.y), (after.position.x, after.position.y)
    ) == pytest.approx(0.4, abs=0.02)
    turned = 2 * (
        math.atan2(after.orientation.z, after.orientation.w)
        - math.atan2(before.orientation.z, before.orientation.w)
    )
    assert math.degrees(turned) == pytest.approx(10.0, abs=0.5)
    assert pilot.speed() < 0.1


def test_pedras_flights_end_near_a_wall_before_it_is_touched(ros, simulator: Server) -> None:
    pilot = Pilot(ros, simulator.port, task='pedra', lockstep=True, flights=1).take_off()
    until = time.monotonic() + 60
    while not pilot.outcomes[-1].terminal and time.monotonic() < until:
        count = len(pilot.outcomes)
        # An outcome may be heard before its image.
        wait_until(lambda: pilot.depth[-1].header.stamp == pilot.outcomes[-1].header.stamp)
        pilot.command(BodyVelocity(forward=0.4 / 0.102))
        wait_until(lambda count=count: len(pilot.outcomes) > count)
    last = pilot.outcomes[-1]
    assert last.terminal and last.collision and last.reward == -1.0
    assert 0.5 < last.clearance < 0.07 * 19.6


def test_a_service_that_takes_long_holds_up_neither_commands_nor_diagnostics(
    ros, simulator: Server
) -> None:
    pilot = Pilot(ros, simulator.port).take_off()
    client = pilot.node.create_client(Trigger, 'land')
    assert client.wait_for_service(10)
    answer = client.call_async(Trigger.Request())
    wait_until(lambda: not pilot.bridge.loop.flying)
    assert pilot.call('reset').message == 'land is still under way'
    count = pilot.bridge.counts['commands_between_flights']

    def is_heard() -> bool:
        pilot.command(AHEAD)
        return pilot.bridge.counts['commands_between_flights'] > count

    wait_until(is_heard)
    assert not answer.done()  # it lands meanwhile
    wait_until(answer.done, 60)
    assert answer.result().success


def test_a_command_for_an_image_of_the_last_flight_opens_no_new_one(
    ros, simulator: Server
) -> None:
    pilot = Pilot(ros, simulator.port, max_command_age=60.0).take_off()
    old = conversions.nanoseconds(pilot.depth[-1].header.stamp)
    flight = pilot.outcomes[-1].flight
    assert pilot.call('reset').success
    wait_until(lambda: pilot.outcomes[-1].flight == flight + 1)
    for _ in range(10):
        pilot.commands.publish(conversions.command(BodyVelocity(forward=5.0), old))
    wait_until(lambda: pilot.bridge.counts['commands_between_flights'] >= 1)
    count = len(pilot.odom)
    wait_until(lambda: len(pilot.odom) > count + 5)
    assert pilot.speed() < 0.2


def test_the_camera_matrix_projects_the_simulators_rays_to_their_own_pixels(
    ros, simulator: Server
) -> None:
    pilot = Pilot(ros, simulator.port, lockstep=True).take_off()
    info = wait_until(lambda: pilot.info and pilot.info[-1])
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
    pilot = Pilot(ros, simulator.port, lockstep=True).take_off()
    info = wait_until(lambda: pilot.info and pilot.info[-1])
    depth = conversions.depth_image(pilot.depth[-1])
    pose = pilot.odom[-1].pose.pose
    inverse = np.linalg.inv(np.reshape(info.k, (3, 3)))
    column = info.width // 2
    heights = []
    for row in range(info.height - 20, info.height, 4):  # below the horizon: the floor
        x, y, z = inverse @ (column, row, 1.0) * depth[row, column]
        o = pose.orientation
        ahead = np.array([z, -x, -y])  # optical to body
        mount = pilot.bridge.loop.camera.mount
        turned = geometry.rotate(np.roll(mount.orientation, 1), ahead) + mount.position
        up = geometry.rotate(np.array([o.w, o.x, o.y, o.z]), turned)[2]
        heights.append(pose.position.z + up)
    assert np.ptp(heights) < 0.002, heights
