"""The policy: an image comes in, a velocity goes out, and how early it was decided."""

from collections import deque
from collections.abc import Callable, Iterator
import contextlib
from functools import partial
import time
from typing import Any

from geometry_msgs.msg import TwistStamped
import numpy as np
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from rapid_nav.drone.observation import BadDepth
from rapid_nav.drone.rgb import BadRgb
from rapid_nav.inference.exit_rule import NonFiniteAnswer
from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.deciding.decision_maker import (
    FlightDecision,
    LIVE,
    make_decision_maker,
    PolicyConfig,
)
from rapid_nav.nodes.deciding.image_check import ImageCheck, Refusal
from rapid_nav.nodes.deciding.loading import load, Loaded
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.async_parameters import AsyncParameterService
from rapid_nav.nodes.lib.diagnostics import (
    Condition,
    Diagnostics,
    ERROR,
    Faults,
    foreign_publishers,
    STALE,
    WARN,
)
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.qos import RECORD, subscribed
from rapid_nav.nodes.lib.spin import run

NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_NO_IMAGE_S = 2.0  # until the camera counts as silent
_ERRORS = ('frozen_images', 'non_finite_answers')  # the other faults are warnings


class Policy(Node):
    """Answers every sound image of its task's kind with a command of the same stamp."""

    def __init__(self) -> None:
        super().__init__('policy', start_parameter_services=False)
        self.config = declare(self, PolicyConfig, live=LIVE, accept=self.accept)
        self.decision_maker = make_decision_maker(self.config)
        self.prepared: Loaded | None = None
        self.parameters = AsyncParameterService(self, self.prepare)
        self.faults = Faults()
        self.counts = self.faults.counts
        self.waits: deque[float] = deque(maxlen=1000)  # [s]
        self.check = ImageCheck(self.config)
        self.answered: tuple[TwistStamped, ExitLevel] | None = None
        self.seen_at: float | None = None  # monotonic, of the newest image [s]
        self.recorded = not self.config.recorder
        self.simulated = bool(self.get_parameter('use_sim_time').value)
        self.commands = self.create_publisher(TwistStamped, 'cmd_vel', 1)
        self.levels = self.create_publisher(ExitLevel, 'exit_level', RECORD)
        self.topic = 'camera/image' if self.decision_maker.sees_rgb else 'camera/depth'
        # rclpy hands on when a message arrived to a callback that takes a second argument.
        on_image: Any = self.on_image
        self.create_subscription(
            Image, self.topic, on_image, NEWEST, callback_group=MutuallyExclusiveCallbackGroup()
        )
        self.diagnostics = Diagnostics(self, self.conditions, self.state)

    def prepare(self, values: dict[str, Any]) -> None:
        """Load a checkpoint that is about to be set, in a thread, while the old one flies on."""
        checkpoint = values.get('checkpoint', self.config.checkpoint)
        if checkpoint != self.config.checkpoint:
            with contextlib.suppress(ValueError):  # it is met, and told, again when it is set
                self.prepared = load(checkpoint, self.decision_maker.loaded.task)

    def accept(self, config: PolicyConfig) -> None:
        """Change the checkpoint, or what controls its exits, in flight."""
        self.decision_maker = make_decision_maker(config, self.decision_maker, self.prepared)
        self.config, self.prepared = config, None
        self.get_logger().debug(f'Decides by {self.decision_maker.state()}')

    def on_image(self, image: Image, info: dict[str, int]) -> None:
        """Decide on an image, unless it must not be flown by: then there is no command."""
        self.seen_at = time.monotonic()
        self.recorded = self.recorded or subscribed(self.config.recorder, self, self.levels)
        now = self.get_clock().now().nanoseconds
        if not self.recorded or now == 0:  # simulated time has not begun
            return
        arrived = info['received_timestamp']  # [ns]
        stamp = conversions.nanoseconds(image.header.stamp)
        try:
            self.check.stamp(stamp, now, self.simulated)
            if self.answered and stamp == self.check.newest:
                self.commands.publish(self.answered[0])  # the answer was lost on its way
                return
            made = self.decide(image, stamp, partial(_since, arrived))
        except Refusal as refusal:
            self.faults.add(refusal.kind, f'No command: {refusal}')
        except (conversions.BadMessage, BadDepth, BadRgb) as error:
            self.faults.add('bad_images', f'No command: {error}')
        except NonFiniteAnswer as error:
            self.faults.add('non_finite_answers', f'No command: {error}; load another checkpoint')
        else:
            self.answer(image, made, stamp, arrived)

    def decide(self, image: Image, stamp: int, waited: Callable[[], float]) -> FlightDecision:
        """Decide on an image of this stamp [ns] that has `waited()` [s]; see DecisionMaker."""
        read = conversions.color_image if self.decision_maker.sees_rgb else conversions.depth_image
        pixels = read(image)
        self.check.pixels(pixels, stamp)
        if self.check.begins(stamp):
            self.decision_maker.history.reset()  # what was seen before belongs to another flight
        made = self.decision_maker.decide(pixels, waited())
        self.check.newest = stamp
        return made

    def answer(self, image: Image, made: FlightDecision, stamp: int, arrived: int) -> None:
        """Publish a decision, and note what it took."""
        command = conversions.command(made.velocity, stamp)
        self.commands.publish(command)
        wait = _since(arrived)
        checkpoint_id = self.decision_maker.loaded.checkpoint_id
        level = conversions.exit_level(
            made.decision, image.header, made.spent, wait, checkpoint_id, made.explored
        )
        self.levels.publish(level)
        self.answered = command, level
        self.counts['images'] += 1
        self.counts[f'exit_{made.decision.level}'] += 1
        self.waits.append(wait)

    def conditions(self) -> Iterator[Condition]:
        """Yield what is wrong for now: docs/reference/diagnostics.md is the table of it."""
        if not self.recorded:
            message = f'Waiting for {self.config.recorder} to subscribe to exit_level'
            yield Condition(WARN, 'no recorder', message)
        if self.get_clock().now().nanoseconds == 0:
            yield Condition(WARN, 'no clock', 'Waiting for /clock (use_sim_time)')
        if self.seen_at is None:
            yield Condition(WARN, 'no image yet', f'Waiting for images on {self.topic}')
        elif (silent := time.monotonic() - self.seen_at) > _NO_IMAGE_S:
            yield Condition(STALE, 'no image', f'No image on {self.topic} for {silent:.1f} s')
        for condition in self.faults.conditions():
            error = condition.kind in _ERRORS
            yield condition._replace(level=ERROR) if error else condition
        yield from foreign_publishers(self, (self.commands, self.levels))

    def state(self) -> dict[str, object]:
        """Return what was counted since the start, and the latency of the last decisions."""
        waits = list(self.waits)
        latency = {
            f'latency_p{q}_ms': f'{1e3 * np.percentile(waits, q):.2f}' for q in (50, 99) if waits
        }
        return {**self.counts, **latency, **self.decision_maker.state()}


def _since(arrived: int) -> float:
    """Return the time since a message arrived [ns], in seconds."""
    return (time.time_ns() - arrived) / 1e9


def main() -> int:
    """Fly by the camera until asked to stop."""
    return run(Policy)
