"""A node that listens to flights and keeps their statistics."""

import threading

from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node

from rapid_nav.drone.flight_stats import DecisionRecord, FlightStats, Frame
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.subscribe import subscribe

_UNREAD = 1000  # messages that may wait while a busy machine keeps us from reading


class FlightListener(Node):
    """Joins odometry and outcome of each image; `lock` guards the statistics."""

    def __init__(self, name: str, namespace: str) -> None:
        super().__init__(name, namespace=namespace)
        self.stats = FlightStats()
        self.lock = threading.Lock()
        self.odometry: dict[int, Odometry] = {}
        self.outcomes: dict[int, Outcome] = {}
        subscribe(self, Odometry, 'odom', self.on_odometry, _UNREAD)
        subscribe(self, Outcome, 'outcome', self.on_outcome, _UNREAD)
        subscribe(self, ExitLevel, 'exit_level', self.on_exit_level, _UNREAD)

    def on_odometry(self, message: Odometry) -> None:
        """Store the odometry of an image until its outcome is there too."""
        conversions.position(message)
        self.odometry[conversions.nanoseconds(message.header.stamp)] = message
        self.join()

    def on_outcome(self, message: Outcome) -> None:
        """Store the outcome of an image until its odometry is there too."""
        conversions.checked_outcome(message)
        self.outcomes[conversions.nanoseconds(message.header.stamp)] = message
        self.join()

    def on_exit_level(self, message: ExitLevel) -> None:
        """Store a decision."""
        conversions.checked_exit_level(message)
        with self.lock:
            self.stats.add_decision(
                DecisionRecord(
                    conversions.nanoseconds(message.header.stamp),
                    message.level,
                    message.num_levels,
                    message.macs_ratio,
                    message.latency,
                )
            )

    def received(self) -> int:
        """Return the number of frames and decisions so far."""
        with self.lock:
            return len(self.stats.frames) + len(self.stats.decisions)

    def complete(self) -> bool:
        """Return whether the last frame ended its flight and was decided on."""
        with self.lock:
            frames = self.stats.frames
            return (
                bool(frames)
                and frames[-1].terminal
                and (frames[-1].stamp_ns in self.stats.decisions)
            )

    def join(self) -> None:
        """Add each frame of which both halves are there."""
        for stamp in sorted(self.odometry.keys() & self.outcomes.keys()):
            odometry, outcome = self.odometry.pop(stamp), self.outcomes.pop(stamp)
            p, v = odometry.pose.pose.position, odometry.twist.twist.linear
            with self.lock:
                self.stats.add_frame(
                    Frame(
                        stamp,
                        outcome.flight,
                        (p.x, p.y, p.z),
                        float(np.hypot(v.x, v.y)),
                        outcome.clearance,
                        outcome.terminal,
                        outcome.collision,
                    )
                )
