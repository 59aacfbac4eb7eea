"""The drone as a ROS 2 robot: its senses are topics, its velocity a command."""

from collections import Counter
from functools import partial
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.clock import Clock as NodeClock
from rclpy.clock import ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from rapid_nav.airsim import readings
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.drone.episode import Verdict
from rapid_nav.drone.task import TASKS
from rapid_nav.msg import Outcome
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.bridge.control_loop import ControlLoop
from rapid_nav.nodes.bridge.handoff import Handoff
from rapid_nav.nodes.bridge.sensors import SensorConfig, Sensors
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.qos import hears, IMAGES, RECORD
from rapid_nav.nodes.lib.spin import run, until_shutdown

ERRANDS = ('takeoff', 'land', 'reset')
_AT_FIRST = 'not connected yet'
_START_S = 15.0  # that a simulator of ours, which starts beside us, may take
_PATIENCE_S = 120.0  # with an errand
_LAST_WORDS_S = 5.0  # for everybody to hear the end


class AirSimBridge(Node):
    """Topics and services of one drone; `loop` flies it."""

    def __init__(self) -> None:
        super().__init__('airsim_bridge')
        self.config = declare(self, BridgeConfig)
        self.counts: Counter[str] = Counter()
        self.trouble = _AT_FIRST
        self.handoff = Handoff()
        self.decides_on_rgb = TASKS[self.config.task].observation.kind == 'rgb'
        self.depth = self.create_publisher(Image, 'camera/depth', IMAGES)
        self.image = self.create_publisher(
            Image, 'camera/image', IMAGES if self.decides_on_rgb else 1
        )
        self.camera_info = self.create_publisher(CameraInfo, 'camera/camera_info', 1)
        self.odom = self.create_publisher(Odometry, 'odom', RECORD)
        self.outcome = self.create_publisher(Outcome, 'outcome', RECORD)
        self.clock = self.create_publisher(Clock, '/clock', 1)
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.sensors = Sensors(self, declare(self, SensorConfig))
        self.create_subscription(TwistStamped, 'cmd_vel', self.on_command, 1)
        for errand in ERRANDS:
            self.create_service(Trigger, errand, partial(self.on_errand, errand))
        # The simulator's clock stops with the simulator, just when there is something to say.
        self.create_timer(1.0, self.diagnose, clock=NodeClock(clock_type=ClockType.STEADY_TIME))
        self.loop = ControlLoop(self.config, self)

    def is_recorded(self) -> bool:
        """Return whether whoever must miss nothing listens."""
        recorder = self.config.recorder
        return not recorder or hears(recorder, self, self.odom, self.outcome)

    def wants_rgb(self) -> bool:
        """Return whether somebody looks at the colour image, or is to decide on it."""
        return self.decides_on_rgb or (self.config.rgb and self.image.get_subscription_count() > 0)

    def publish(
        self, sense: readings.Sense, camera: readings.CameraInfo, verdict: Verdict, flight: int
    ) -> None:
        """Publish one look at the world; all has one stamp; what is decided on goes last."""
        stamp = sense.stamp_ns
        if self.config.publish_clock:
            self.clock.publish(Clock(clock=conversions.time(stamp)))
        self.odom.publish(conversions.odometry(sense))
        self.outcome.publish(
            Outcome(
                header=conversions.header(stamp, conversions.CAMERA_OPTICAL),
                reward=verdict.reward,
                terminal=verdict.terminal,
                collision=verdict.collision,
                clearance=verdict.clearance,
                collided_with=sense.collision_name if verdict.collision else '',
                flight=flight,
                image=self.loop.look,
            )
        )
        self.camera_info.publish(conversions.camera_info(camera, stamp))
        if self.decides_on_rgb:
            self._publish_depth(sense)
        elif sense.rgb is not None:
            self._publish_rgb(sense)
        self.publish_decided(sense)
        self.counts['images'] += 1

    def publish_decided(self, sense: readings.Sense) -> None:
        """Publish the image of a look that is decided on, perhaps again."""
        if self.decides_on_rgb:
            self._publish_rgb(sense)
        else:
            self._publish_depth(sense)

    def _publish_depth(self, sense: readings.Sense) -> None:
        assert sense.depth is not None, 'it was asked for'
        self.depth.publish(conversions.image(sense.depth, sense.stamp_ns))

    def _publish_rgb(self, sense: readings.Sense) -> None:
        assert sense.rgb is not None, 'it was asked for'
        self.image.publish(conversions.image(sense.rgb, sense.stamp_ns))

    def on_command(self, message: TwistStamped) -> None:
        """Fly a command, or in lockstep leave it where it is waited for."""
        try:
            velocity: BodyVelocity = conversions.body_velocity(message)
        except ValueError as error:
            self.counts['refused_commands'] += 1
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self.loop.command(conversions.nanoseconds(message.header.stamp), velocity)

    def on_errand(
        self, errand: str, _: Trigger.Request, answer: Trigger.Response
    ) -> Trigger.Response:
        """Take off, land or reset, and answer when it is done."""
        answer.message = self.trouble or self.handoff.send(errand, _PATIENCE_S)
        answer.success = not answer.message
        return answer

    def report(self, trouble: str) -> None:
        """Say what is wrong, '' for nothing any more, on /diagnostics and once in the log."""
        before, self.trouble = self.trouble, trouble
        if trouble and self.loop.flights.number < 0:
            self.wait(before)
        elif trouble and not before:
            self.get_logger().error(trouble)
        elif before and not trouble:
            self.get_logger().info(f'Connected to {self.config.host}:{self.config.port}')
        if trouble != before:
            self.diagnose()

    def wait(self, before: str) -> None:
        """Say that there is no simulator yet, and after a while what there is instead."""
        if before == _AT_FIRST:
            self.get_logger().info('Waiting for the simulator')
            self.waiting_since = time.monotonic()
        elif time.monotonic() - self.waiting_since > (_START_S if self.config.world else 0.0):
            self.get_logger().warning(self.trouble, throttle_duration_sec=60.0)

    def diagnose(self) -> None:
        """Publish what was counted since the start."""
        self.diagnostics.publish(
            conversions.diagnostics(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self.trouble,
                self.counts,
            )
        )

    def finish(self) -> None:
        """Wait until everybody has heard the end."""
        for publisher in (self.odom, self.outcome):
            publisher.wait_for_all_acked(Duration(seconds=_LAST_WORDS_S))


def work(bridge: AirSimBridge) -> None:
    """Fly until the flights are over."""
    with until_shutdown():
        bridge.loop.run()
        bridge.finish()


def main() -> int:
    """Bridge one drone until its flights are over."""
    return run(AirSimBridge, work)
