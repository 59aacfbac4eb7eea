"""What flights earn on a robot without a simulator: from depth, and a collision if one is told."""

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
from rapid_nav.drone.observation import BadDepth, check_depth
from rapid_nav.drone.reward import RewardConfig
from rapid_nav.msg import Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.qos import RECORD
from rapid_nav.nodes.lib.spin import run
from rapid_nav.options import check, setting

_PATIENCE = 5  # images, with an odom that has ceased
_IMAGES = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


@dataclass(frozen=True)
class OutcomeConfig(RewardConfig):
    """What is earned, and when a flight is over."""

    cap: float = setting(
        0.0, 'A flight ends after this distance, by odom; 0 sets no end.', unit='m', low=0.0
    )
    pause: float = setting(
        1.0, 'After so long without an image, another flight begins.', unit='s', low=0.01
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
        # What odom said lately, stamp [ns] and position (3,) [m]; images that wait for it.
        self.positions: deque[tuple[int, np.ndarray]] = deque(maxlen=100)
        self.waiting: deque[Image] = deque()
        self.touching = self.touched = False  # now, and since the last image
        self.flight = -1
        self.last: int | None = None  # stamp [ns]
        self.image = time.time_ns()  # counted on by one, as no other does
        self.episode: Episode | None = None
        self.outcomes = self.create_publisher(Outcome, 'outcome', RECORD)
        self.create_subscription(Odometry, 'odom', self.on_odom, _IMAGES)
        self.create_subscription(Bool, 'collision', self.on_collision, 10)
        self.create_subscription(Image, 'camera/depth', self.on_depth, _IMAGES)

    def on_odom(self, message: Odometry) -> None:
        """Note where it is."""
        p = message.pose.pose.position
        stamp = conversions.nanoseconds(message.header.stamp)
        self.positions.append((stamp, np.array([p.x, p.y, p.z])))
        self.judge_waiting()

    def on_collision(self, message: Bool) -> None:
        """Note whether it touches something."""
        self.touching = message.data
        self.touched = self.touched or message.data

    def on_depth(self, message: Image) -> None:
        """Take an image, to be judged as soon as it is known where it was taken."""
        self.waiting.append(message)
        self.judge_waiting()

    def judge_waiting(self) -> None:
        """Judge the images that odom has caught up with; all of them where there is none."""
        newest = self.positions[-1][0] if self.positions else None
        while self.waiting:
            stamp = conversions.nanoseconds(self.waiting[0].header.stamp)
            if newest is not None and newest < stamp and len(self.waiting) <= _PATIENCE:
                return
            there = [place for when, place in self.positions if when <= stamp]
            self.judge(self.waiting.popleft(), there[-1] if there else np.zeros(3))

    def judge(self, message: Image, position: np.ndarray) -> None:
        """Judge what the last command led to."""
        stamp = conversions.nanoseconds(message.header.stamp)
        if stamp == self.last:
            return  # it is shown again
        self.image += 1
        try:
            depth = conversions.depth_image(message)
            check_depth(depth)
        except (BadDepth, ValueError):
            self.counts['bad_images'] += 1
            return
        if self.last is not None and not 0 < stamp - self.last <= self.config.pause * 1e9:
            self.episode = None  # it stood still, or its clock began anew
        self.last = stamp
        if self.episode is None:
            self.flight += 1
            self.episode = Episode(self.config, self.config.cap)
        verdict = self.episode.judge(depth, position, self.touched)
        self.touched = self.touching
        near = verdict.clearance < self.config.near * self.config.depth_clip
        self.outcomes.publish(
            Outcome(
                header=conversions.header(stamp, message.header.frame_id),
                reward=verdict.reward,
                terminal=verdict.terminal,
                collision=verdict.collision or near,
                clearance=verdict.clearance,
                flight=self.flight,
                image=self.image,
            )
        )
        if verdict.terminal:
            self.episode = None


def main() -> int:
    """Judge flights until told to stop."""
    return run(OutcomeNode)
