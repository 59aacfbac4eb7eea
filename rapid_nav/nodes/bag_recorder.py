"""Keeps what is said of a flight in a bag (MCAP) that the standard tools open."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
import time

from geometry_msgs.msg import TwistStamped
from mcap.writer import CompressionType, Writer
from nav_msgs.msg import Odometry
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib.msgdef import definition
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.spin import run
from rapid_nav.options import check, setting

# Enough to see the flight again, to judge it and to learn from it.
TOPICS = {
    'camera/depth': Image,
    'camera/camera_info': CameraInfo,
    'odom': Odometry,
    'outcome': Outcome,
    'exit_level': ExitLevel,
    'cmd_vel': TwistStamped,
}
_UNREAD = 200  # messages that may wait while the disk is slow
# What `ros2 bag play` offers the topics with: reliable, volatile, like those who publish them.
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
class RecordConfig:
    """What is recorded."""

    file: str = setting('flight.mcap', 'The flight is written to this file.')

    def __post_init__(self) -> None:
        check(self)


class Record(Node):
    """Writes the messages as they came, without looking inside."""

    def __init__(self) -> None:
        super().__init__('record')
        path = Path(declare(self, RecordConfig).file)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open('wb')
        self.writer = Writer(self.file, compression=CompressionType.LZ4)
        self.writer.start(profile='ros2', library='rapid_nav')
        for topic, kind in TOPICS.items():
            about = f'{kind.__module__.split(".")[0]}/msg/{kind.__name__}'
            schema = self.writer.register_schema(about, 'ros2msg', definition(about).encode())
            name = self.resolve_topic_name(topic)
            channel = self.writer.register_channel(
                name, 'cdr', schema, {'offered_qos_profiles': _QOS}
            )
            self.create_subscription(kind, topic, self.keep(channel), _UNREAD, raw=True)

    def keep(self, channel: int) -> Callable[[bytes], None]:
        """Return what writes the messages of one topic."""

        def heard(message: bytes) -> None:
            # The simulated time, where there is one: a flight is played at the speed it had.
            now = self.get_clock().now().nanoseconds or time.time_ns()
            self.writer.add_message(channel, now, message, now)

        return heard

    def destroy_node(self) -> None:
        """Finish the file: without its index it would have to be read from end to end."""
        self.writer.finish()
        self.file.close()
        super().destroy_node()


def main() -> int:
    """Record until told to stop."""
    return run(Record)
