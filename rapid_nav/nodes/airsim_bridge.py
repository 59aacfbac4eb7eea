"""The drone as a ROS 2 robot: its sensors are topics, its velocity a command."""

from collections.abc import Iterator
import contextlib
from functools import partial
import time

from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.task import Future
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import Trigger

from rapid_nav.airsim.drone import WrongSimulator
from rapid_nav.drone.task import TASKS
from rapid_nav.msg import Outcome
from rapid_nav.nodes.bridge.command_check import checked
from rapid_nav.nodes.bridge.conditions import conditions
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.bridge.control_loop import ControlLoop, Frame
from rapid_nav.nodes.bridge.handoff import Handoff
from rapid_nav.nodes.bridge.sensors import SensorConfig, Sensors
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.diagnostics import Condition, Diagnostics, Faults, foreign_publishers
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.qos import IMAGES, RECORD, subscribed
from rapid_nav.nodes.lib.spin import Refused, run, until_shutdown

SERVICES = ('takeoff', 'land', 'reset')
_ACKNOWLEDGE_S = 5.0  # for every subscriber to receive the end


class AirSimBridge(Node):
    """Topics and services of one drone; `loop` flies it, in the thread of `work`."""

    def __init__(self) -> None:
        super().__init__('airsim_bridge')
        self.config = declare(self, BridgeConfig)
        self.began_at = time.monotonic()
        self.faults = Faults()
        self.counts = self.faults.counts
        self.handoff = Handoff()
        self.decides_on_rgb = TASKS[self.config.task].observation.kind == 'rgb'
        self.depth = self.create_publisher(Image, 'camera/depth', IMAGES)
        self.image = self.create_publisher(
            Image, 'camera/image', IMAGES if self.decides_on_rgb else 1
        )
        self.camera_info = self.create_publisher(CameraInfo, 'camera/camera_info', 1)
        self.odom = self.create_publisher(Odometry, 'odom', RECORD)
        self.outcome = self.create_publisher(Outcome, 'outcome', RECORD)
        # A bridge that does not publish the time must not look like one that does.
        self.clock = (
            self.create_publisher(Clock, '/clock', 1) if self.config.publish_clock else None
        )
        self.sensors = Sensors(self, declare(self, SensorConfig))
        self.loop = ControlLoop(
            self.config, self.handoff, self.faults, self.sensors.publish_due, rclpy.ok
        )
        self.create_subscription(TwistStamped, 'cmd_vel', self.on_command, 1)
        group = ReentrantCallbackGroup()  # a request that takes long must not hold up commands
        for name in SERVICES:
            self.create_service(
                Trigger, name, partial(self.on_service, name), callback_group=group
            )
        self.diagnostics = Diagnostics(self, self.conditions, lambda: self.counts)

    def fly(self) -> None:
        """Publish flights until they are over; Refused if the simulator is of another kind."""
        try:
            with contextlib.closing(self.loop.frames(self.is_recorded, self.wants_rgb)) as frames:
                for frame in frames:
                    self.publish(frame)
        except WrongSimulator as error:
            raise Refused(str(error)) from error
        for publisher in (self.odom, self.outcome):
            publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))

    def is_recorded(self) -> bool:
        """Return whether the nodes that must miss nothing have subscribed."""
        recorder = self.config.recorder
        return not recorder or subscribed(recorder, self, self.odom, self.outcome)

    def wants_rgb(self) -> bool:
        """Return whether the colour image is decided on or has subscribers."""
        return self.decides_on_rgb or (self.config.rgb and self.image.get_subscription_count() > 0)

    def publish(self, frame: Frame) -> None:
        """Publish a frame under one stamp, the image that is decided on last."""
        sense, result = frame.sense, frame.result
        stamp = sense.stamp_ns
        depth = None if sense.depth is None else conversions.image(sense.depth, stamp)
        rgb = None if sense.rgb is None else conversions.image(sense.rgb, stamp)
        images = [(self.depth, depth), (self.image, rgb)]
        if not self.decides_on_rgb:
            images.reverse()
        if frame.repeated:
            images = images[-1:]
        else:
            if self.clock:
                self.clock.publish(Clock(clock=conversions.time(stamp)))
            self.odom.publish(conversions.odometry(sense))
            self.outcome.publish(
                Outcome(
                    header=conversions.header(stamp, conversions.CAMERA_OPTICAL),
                    reward=result.reward,
                    terminal=result.terminal,
                    collision=result.collision,
                    clearance=result.clearance,
                    collided_with=sense.collision_name if result.collision else '',
                    flight=frame.flight,
                    image=frame.sequence,
                )
            )
            self.camera_info.publish(conversions.camera_info(frame.camera, stamp))
            self.count(frame)
        for publisher, image in images:
            if image is not None:
                publisher.publish(image)

    def count(self, frame: Frame) -> None:
        """Count a frame, and the flight that it ends."""
        self.counts['images'] += 1
        if frame.result.terminal:
            self.counts['flights'] += 1
            self.counts['collisions'] += frame.result.collision
            touched = f': {frame.sense.collision_name}' if frame.result.collision else ''
            self.get_logger().debug(f'Flight {frame.flight} is over{touched}')

    def on_command(self, message: TwistStamped) -> None:
        """Fly a command that may be flown."""
        velocity = checked(message, self.loop.flights.now_ns, self.config, self.faults)
        if velocity is not None:
            self.loop.command(conversions.nanoseconds(message.header.stamp), velocity)

    async def on_service(
        self, name: str, _: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """Take off, land or reset, and answer when it is done."""
        response.message = '' if self.loop.drone else self.loop.trouble or 'not connected yet'
        if not response.message:
            answered = Future(executor=self.executor)
            request = self.handoff.submit(name)
            request.outcome.add_done_callback(lambda done: self._wake(answered, done.result()))
            response.message = await answered
        response.success = not response.message
        return response

    def _wake(self, answered: Future, outcome: str) -> None:
        answered.set_result(outcome)
        if self.executor is not None:
            self.executor.wake()  # it sleeps until something happens

    def conditions(self) -> Iterator[Condition]:
        """Yield what is wrong now."""
        self.handoff.expire()
        yield from conditions(self.loop, self, self.began_at)
        yield from self.faults.conditions()
        decided = self.image if self.decides_on_rgb else self.depth
        own = (self.odom, self.outcome, decided, self.clock)
        yield from foreign_publishers(self, filter(None, own))


def work(bridge: AirSimBridge) -> None:
    """Fly until the flights are over."""
    with until_shutdown():
        bridge.fly()


def main() -> int:
    """Bridge one drone until its flights are over."""
    return run(AirSimBridge, work)
