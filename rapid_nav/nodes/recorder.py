"""Listens to a flight and keeps its journal."""

import threading

from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from rapid_nav.flight.journal import Frame, Journal, Thought
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes import messages

# As the publishers of a record keep it: nothing is missed by whoever joins late.
RECORD = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Recorder(Node):
    """Puts together what was said about the same image; `lock` guards the journal."""

    def __init__(self, namespace: str) -> None:
        super().__init__('recorder', namespace=namespace)
        self.journal = Journal()
        self.lock = threading.Lock()
        self.odometry: dict[int, Odometry] = {}
        self.outcomes: dict[int, Outcome] = {}
        self.create_subscription(Odometry, 'odom', self.on_odometry, RECORD)
        self.create_subscription(Outcome, 'outcome', self.on_outcome, RECORD)
        self.create_subscription(ExitLevel, 'exit_level', self.on_exit_level, RECORD)

    def on_odometry(self, message: Odometry) -> None:
        """Keep where the drone was until its outcome is there too."""
        self.odometry[messages.nanoseconds(message.header.stamp)] = message
        self.join()

    def on_outcome(self, message: Outcome) -> None:
        """Keep an outcome until it is known where the drone was."""
        self.outcomes[messages.nanoseconds(message.header.stamp)] = message
        self.join()

    def on_exit_level(self, message: ExitLevel) -> None:
        """Note a decision."""
        with self.lock:
            self.journal.thought(Thought(
                messages.nanoseconds(message.header.stamp), message.level, message.num_levels,
                message.macs_ratio, message.latency))

    def missing(self) -> bool:
        """Return whether an image was flown by whose decision has not come yet."""
        with self.lock:
            return any(
                frame.stamp_ns not in self.journal.thoughts for frame in self.journal.frames[-3:])

    def join(self) -> None:
        """Note every frame of which both halves have come."""
        for stamp in sorted(self.odometry.keys() & self.outcomes.keys()):
            odometry, outcome = self.odometry.pop(stamp), self.outcomes.pop(stamp)
            p, v = odometry.pose.pose.position, odometry.twist.twist.linear
            with self.lock:
                self.journal.saw(Frame(
                    stamp, outcome.flight, (p.x, p.y, p.z), float(np.hypot(v.x, v.y)),
                    outcome.clearance, outcome.terminal, outcome.collision))
