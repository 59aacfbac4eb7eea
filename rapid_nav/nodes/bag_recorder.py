"""Records the topics of a flight to a bag (MCAP) that the standard tools open."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import time

from geometry_msgs.msg import TwistStamped
from mcap.writer import CompressionType, Writer
from nav_msgs.msg import Odometry
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib.msgdef import definition
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.spin import run
from rapid_nav.options import check, setting

# Enough to replay the flight, to evaluate it and to learn from it.
TOPICS = {
    'camera/depth': Image,
    'camera/camera_info': CameraInfo,
    'odom': Odometry,
    'outcome': Outcome,
    'exit_level': ExitLevel,
    'cmd_vel': TwistStamped,
}
_UNREAD = 200  # messages that may wait while the disk is slow
_FLUSH_S = 1.0
# The QoS of `ros2 bag play`: reliable and volatile, as the topics are published.
_QOS = """\
- history: 1
  depth: 10
  reliability: 1
  durability: 2
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: 1
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false
"""


@dataclass(frozen=True)
class BagRecorderConfig:
    """What is recorded."""

    file: str = setting('flight.mcap', 'File to write the flight to, which must not exist yet.')

    def __post_init__(self) -> None:
        check(self)


class BagRecorder(Node):
    """Writes messages as they come, without decoding them."""

    def __init__(self) -> None:
        super().__init__('record')
        path = Path(declare(self, BagRecorderConfig).file)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self.file = path.open('xb')
        except FileExistsError:
            raise ValueError(f'{path} exists already; record to another file') from None
        self.writer = Writer(self.file, compression=CompressionType.LZ4)
        self.writer.start(profile='ros2', library='rapid_nav')
        for topic, kind in TOPICS.items():
            name = f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'
            schema = self.writer.register_schema(name, 'ros2msg', definition(name).encode())
            channel = self.writer.register_channel(
                self.resolve_topic_name(topic), 'cdr', schema, {'offered_qos_profiles': _QOS}
            )
            self.create_subscription(kind, topic, self.write_to(channel), _UNREAD, raw=True)
        # What is written is in the file soon, in case that this process is killed.
        self.create_timer(_FLUSH_S, self.file.flush, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def write_to(self, channel: int) -> Callable[[bytes], None]:
        """Return the callback that writes a topic's messages to its channel."""

        def write(message: bytes) -> None:
            # Simulated time where there is one, so that a flight plays at the speed it had.
            now = self.get_clock().now().nanoseconds or time.time_ns()
            self.writer.add_message(channel, now, message, now)

        return write

    def destroy_node(self) -> None:
        """Finish the file with its index, which players and readers want."""
        self.writer.finish()
        self.file.close()
        super().destroy_node()


def main() -> int:
    """Record until told to stop."""
    return run(BagRecorder)
