"""A camera that publishes one image at a steady rate and times the commands."""

from collections.abc import Callable
import time

from geometry_msgs.msg import TwistStamped
import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image

from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.qos import IMAGES, RECORD

WIDTH, HEIGHT = 256, 144  # [px] AirSim's default
_WARM_UP = 40  # images that are not timed


class LatencyProbe(Node):
    """Publishes images and receives commands, both in the thread that measures."""

    def __init__(self) -> None:
        super().__init__('latency_probe', namespace='rapid')
        self.shown: dict[int, float] = {}  # by stamp: when [s]
        self.number = 0  # of the newest image
        self.waits: list[float] = []  # [s]
        self.overheads: list[float] = []  # [s] of the policy's callback, without the network
        self.flown: set[int] = set()  # checkpoint ids
        self.images = self.create_publisher(Image, 'camera/depth', IMAGES)
        self.outcomes = self.create_publisher(Outcome, 'outcome', RECORD)
        self.create_subscription(TwistStamped, 'cmd_vel', self.on_command, 1)
        self.create_subscription(ExitLevel, 'exit_level', self.on_level, 100)
        # Noise, so that the early exits are not sure at once.
        self.depth = np.random.default_rng(0).uniform(0.5, 20.0, (HEIGHT, WIDTH)).astype('f4')

    def on_command(self, message: TwistStamped) -> None:
        """Store the latency of a command."""
        shown = self.shown.pop(conversions.nanoseconds(message.header.stamp), None)
        if shown is not None:
            self.waits.append(time.perf_counter() - shown)

    def on_level(self, message: ExitLevel) -> None:
        """Store the overhead and the checkpoint of a decision."""
        self.flown.add(message.weights)
        self.overheads.append(message.latency - message.inference_time)

    def measure(self, images: int, period: float, timeout: float) -> list[float]:
        """Return the latencies [s] of images, one a period [s]; RuntimeError if there are none."""
        self.waits.clear()
        self.show_until(lambda: len(self.waits) >= _WARM_UP, period, timeout)
        self.waits.clear()
        self.overheads.clear()
        for _ in range(images):
            self.show(period)
        return list(self.waits)

    def show_until(self, done: Callable[[], bool], period: float, timeout: float) -> None:
        """Show images until `done`; RuntimeError if that takes longer than the timeout [s]."""
        deadline = time.monotonic() + timeout
        while not done():
            self.show(period)
            if time.monotonic() > deadline:
                raise RuntimeError(f'no answers within {timeout:g} s; is the policy running?')

    def show(self, period: float) -> None:
        """Publish an image, and spin for one period."""
        end = time.perf_counter() + period
        stamp = time.time_ns()
        self.depth = np.roll(self.depth, 1, axis=1)  # or the camera would count as frozen
        message = conversions.image(self.depth, stamp)
        self.number += 1
        self.outcomes.publish(Outcome(header=message.header, image=self.number))
        self.shown[stamp] = time.perf_counter()
        self.images.publish(message)
        while (left := end - time.perf_counter()) > 0:
            rclpy.spin_once(self, timeout_sec=left)
