"""The pilot: an image comes in, a velocity goes out, and how early it was decided."""

from collections import Counter, deque
import contextlib
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.deciding.decision_maker import Choice, LIVE, make_decision_maker, PolicyConfig
from rapid_nav.nodes.deciding.loading import load, Loaded
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.async_parameters import AsyncParameterService
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.qos import hears, RECORD
from rapid_nav.nodes.lib.spin import run

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class Policy(Node):
    """Answers every sound image of its task's kind with a command of the same stamp."""

    def __init__(self) -> None:
        super().__init__('policy', start_parameter_services=False)
        self.config = declare(self, PolicyConfig, live=LIVE, accept=self.accept)
        self.decision_maker = make_decision_maker(self.config)
        self.prepared: Loaded | None = None
        self.parameters = AsyncParameterService(self, self.prepare)
        self.counts: Counter[str] = Counter()
        self.waits: deque[float] = deque(maxlen=1000)  # [s]
        self.last_ns: int | None = None  # stamp of the newest image that was decided on
        self.answered: tuple[TwistStamped, ExitLevel] | None = None
        self.trouble = ''
        self.recorded = not self.config.recorder
        self.commands = self.create_publisher(TwistStamped, 'cmd_vel', 1)
        self.levels = self.create_publisher(ExitLevel, 'exit_level', RECORD)
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # rclpy hands on when a message arrived to a callback that takes a second argument.
        topic = 'camera/image' if self.decision_maker.sees_rgb else 'camera/depth'
        self.create_subscription(
            Image,
            topic,
            self.on_image,
            NEWEST,  # type: ignore[arg-type]
            callback_group=MutuallyExclusiveCallbackGroup(),
        )
        self.create_timer(1.0, self.diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def prepare(self, values: dict[str, Any]) -> None:
        """Load a checkpoint that is about to be set, in a thread, while the old one flies on."""
        checkpoint = values.get('checkpoint', self.config.checkpoint)
        if checkpoint != self.config.checkpoint:
            with contextlib.suppress(ValueError):  # it is met, and told, again when it is set
                self.prepared = load(checkpoint, self.decision_maker.loaded.task)

    def accept(self, config: PolicyConfig) -> None:
        """Change the checkpoint, or what steers its exits, in flight."""
        self.decision_maker = make_decision_maker(config, self.decision_maker, self.prepared)
        self.config, self.prepared = config, None
        self.get_logger().debug(f'Steered by {self.decision_maker.state()}')

    def on_image(self, image: Image, info: dict[str, int]) -> None:
        """Decide on an image, unless it must not be flown by."""
        stamp = conversions.nanoseconds(image.header.stamp)
        self.recorded = self.recorded or hears(self.config.recorder, self, self.levels)
        if not self.recorded:
            return
        if self.answered and stamp == self.last_ns:
            self.commands.publish(self.answered[0])  # the answer was lost on its way
            return
        age = self.get_clock().now().nanoseconds - stamp
        if age > self.config.max_age * 1e9:
            simulated = self.get_parameter('use_sim_time').value
            hint = '' if simulated else '; if a simulator tells the time, set use_sim_time'
            self.refuse('stale_images', f'the image is {age / 1e9:.1f} s old{hint}')
            return
        arrived = info['received_timestamp']  # [ns]
        read = conversions.color_image if self.decision_maker.sees_rgb else conversions.depth_image
        try:
            choice = self.decide(read(image), stamp, waited=(time.time_ns() - arrived) / 1e9)
        except ValueError as error:
            self.refuse('bad_images', str(error))
            return
        command = conversions.command(choice.velocity, stamp)
        self.commands.publish(command)
        wait = (time.time_ns() - arrived) / 1e9
        level = conversions.exit_level(
            choice.decision,
            image.header,
            choice.spent,
            wait,
            self.decision_maker.loaded.checkpoint_id,
            choice.explored,
        )
        self.levels.publish(level)
        self.answered, self.trouble = (command, level), ''
        self.counts['images'] += 1
        self.counts[f'exit_{choice.decision.level}'] += 1
        self.waits.append(wait)

    def decide(self, pixels: np.ndarray, stamp: int, waited: float) -> Choice:
        """Decide on an image of this stamp [ns], see DecisionMaker.decide."""
        if self.last_ns is None or abs(stamp - self.last_ns) > self.config.max_age * 1e9:
            self.decision_maker.history.reset()  # what was seen before belongs to another flight
        answer = self.decision_maker.decide(pixels, waited)
        self.last_ns = stamp
        return answer

    def refuse(self, kind: str, why: str) -> None:
        """Count an image that is not flown by; no command is better than a blind one."""
        self.counts[kind] += 1
        self.trouble = f'No command: {why}'
        self.get_logger().warning(self.trouble, throttle_duration_sec=5.0)

    def diagnose(self) -> None:
        """Publish what was counted since the start, and the latency of the last decisions."""
        latency = {
            f'latency_p{q}_ms': f'{1e3 * np.percentile(self.waits, q):.2f}'
            for q in (50, 99)
            if self.waits
        }
        self.diagnostics.publish(
            conversions.diagnostics(
                self.get_clock().now().to_msg(),
                self.get_fully_qualified_name(),
                self.trouble,
                {**self.counts, **latency, **self.decision_maker.state()},
            )
        )


def main() -> int:
    """Fly by the camera until told to stop."""
    return run(Policy)
