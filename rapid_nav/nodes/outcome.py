"""Outcomes for a robot without a simulator: from depth, odometry and a bumper."""

from collections import Counter, deque
from dataclasses import dataclass
import time

from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Bool

from rapid_nav.drone.episode import Episode
from rapid_nav.drone.observation import check_depth
from rapid_nav.drone.reward import RewardConfig
from rapid_nav.msg import Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.qos import RECORD
from rapid_nav.nodes.lib.spin import run
from rapid_nav.nodes.lib.subscribe import subscribe
from rapid_nav.options import check, setting

_MAX_WAITING = 5  # images, for an odom that may have ceased
_IMAGES = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class OutcomeConfig(RewardConfig):
    """The reward, and when a flight is over."""

    cap: float = setting(
        0.0, 'Distance after which a flight ends, by odom; 0 for no limit.', unit='m', low=0.0
    )
    pause: float = setting(
        1.0, 'Time without an image after which another flight begins.', unit='s', low=0.01
    )

    def __post_init__(self) -> None:
        check(self)


class OutcomeNode(Node):
    """
    Publishes an outcome for each depth image, with its stamp.

    `collision` (std_msgs/Bool, true for as long as something is touched) ends a flight; without
    a bumper, the parameter `near` lets a close obstacle count as one. `odom`, where there is
    one, adds what is earned for new ground, and the cap.
    """

    def __init__(self) -> None:
        super().__init__('outcome')
        self.config = declare(self, OutcomeConfig)
        self.counts: Counter[str] = Counter()
        # The last of odom: stamp [ns] and position (3,) [m]. Images wait until it is as new.
        self.positions: deque[tuple[int, np.ndarray]] = deque(maxlen=100)
        self.waiting: deque[Image] = deque()
        self.touching = self.touched = False  # now, and since the last image
        self.flight = -1
        self.last: int | None = None  # stamp [ns]
        self.sequence = time.time_ns()  # counted on by one; no other node counts here
        self.episode: Episode | None = None
        self.outcomes = self.create_publisher(Outcome, 'outcome', RECORD)
        for kind, topic, callback, qos in (
            (Odometry, 'odom', self.on_odom, _IMAGES),
            (Bool, 'collision', self.on_collision, 10),
            (Image, 'camera/depth', self.on_depth, _IMAGES),
        ):
            subscribe(self, kind, topic, callback, qos, self.counts)

    def on_odom(self, message: Odometry) -> None:
        """Store the position."""
        stamp = conversions.nanoseconds(message.header.stamp)
        self.positions.append((stamp, conversions.position(message)))
        self.evaluate_waiting()

    def on_collision(self, message: Bool) -> None:
        """Store whether it touches something."""
        self.touching = message.data
        self.touched = self.touched or message.data

    def on_depth(self, message: Image) -> None:
        """Store an image until its position is known."""
        self.waiting.append(message)
        self.evaluate_waiting()

    def evaluate_waiting(self) -> None:
        """Evaluate the images up to the newest odometry, or all if there is none."""
        newest = self.positions[-1][0] if self.positions else None
        while self.waiting:
            stamp = conversions.nanoseconds(self.waiting[0].header.stamp)
            if newest is not None and newest < stamp and len(self.waiting) <= _MAX_WAITING:
                return
            before = [place for when, place in self.positions if when <= stamp]
            self.evaluate(self.waiting.popleft(), before[-1] if before else np.zeros(3))

    def evaluate(self, message: Image, position: np.ndarray) -> None:
        """Publish the outcome of the last command."""
        stamp = conversions.nanoseconds(message.header.stamp)
        if stamp == self.last:
            return  # sent again
        self.sequence += 1
        try:
            depth = conversions.depth_image(message)
            check_depth(depth)
        except ValueError:
            self.counts['bad_images'] += 1
            return
        if self.last is not None and not 0 < stamp - self.last <= self.config.pause * 1e9:
            self.episode = None  # a pause, or a clock that began anew
        self.last = stamp
        if self.episode is None:
            self.flight += 1
            self.episode = Episode(self.config, self.config.cap)
        result = self.episode.step(depth, position, self.touched)
        self.touched = self.touching
        self.outcomes.publish(
            Outcome(
                header=conversions.header(stamp, message.header.frame_id),
                reward=result.reward,
                terminal=result.terminal,
                collision=result.collision,
                clearance=result.clearance,
                flight=self.flight,
                image=self.sequence,
            )
        )
        if result.terminal:
            self.episode = None


def main() -> int:
    """Publish outcomes until told to stop."""
    return run(OutcomeNode)
