"""
Shows a flight in the browser, or saves it to a file, by Rerun.

It only subscribes, so it shows any flight: simulated, of the real AirSim, or played from a bag.
"""

from dataclasses import dataclass
from pathlib import Path

from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
import rerun as rr
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.spin import run
from rapid_nav.nodes.lib.subscribe import subscribe
from rapid_nav.nodes.viz import rerun_convert
from rapid_nav.nodes.viz.rerun_server import RerunServer
from rapid_nav.options import check, setting
from rapid_nav.ports import free_port

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
NEWEST = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_MEMORY = '512MiB'  # beyond which the oldest of a long flight is dropped


@dataclass(frozen=True)
class ViewerConfig:
    """Where the flight is shown and saved."""

    browser: bool = setting(
        True, 'Serve a page that shows the flight, and open a browser where there is a screen.'
    )
    save: str = setting('', 'File (.rrd) to save the flight to; if empty, it is not saved.')
    host: str = setting(
        '127.0.0.1', 'Address at which the page is served; 0.0.0.0 for the whole network.'
    )
    port: int = setting(0, 'Port of the page; 0 for any free one.', low=0, high=65535)

    def __post_init__(self) -> None:
        check(self)


class Viewer(Node):
    """Logs the messages of a flight to Rerun, each at its own stamp."""

    def __init__(self) -> None:
        super().__init__('viewer')
        self.config = declare(self, ViewerConfig)
        self.stream = rr.RecordingStream('rapid_nav')
        self.began_ns: int | None = None
        self.server: RerunServer | None = None
        for topic, kind, show, qos in (
            ('scene', MarkerArray, self.on_scene, LATCHED),
            ('trail', MarkerArray, self.on_trail, LATCHED),
            ('odom', Odometry, self.on_odometry, 10),
            ('outcome', Outcome, self.on_outcome, 10),
            ('exit_level', ExitLevel, self.on_exit_level, 10),
            ('cmd_vel', TwistStamped, self.on_command, 10),
            ('camera/depth', Image, self.on_depth, NEWEST),
            ('camera/image', Image, self.on_image, NEWEST),
        ):
            subscribe(self, kind, topic, show, qos)
        self.open()

    def open(self) -> None:
        """Begin to serve and to save."""
        sinks: list[rr.GrpcServerSink | rr.FileSink] = []
        if self.config.save:
            Path(self.config.save).parent.mkdir(parents=True, exist_ok=True)
            sinks.append(rr.FileSink(self.config.save))
        if self.config.browser:
            data = free_port(self.config.host)
            sinks.append(rr.GrpcServerSink(self.config.host, data, server_memory_limit=_MEMORY))
        if not sinks:
            raise ValueError('nothing to do: neither a browser nor a file to save to')
        rr.set_sinks(*sinks, recording=self.stream)
        rr.send_blueprint(rerun_convert.blueprint(), recording=self.stream)
        # The world may come before the first stamp.
        self.stream.set_time(rerun_convert.TIMELINE, duration=0.0)
        for path, style in rerun_convert.styles():
            self.stream.log(path, style, static=True)
        if self.config.browser:
            self.open_browser(data)

    def open_browser(self, data: int) -> None:
        """Serve a page that shows the data served at a port."""
        host = self.config.host
        self.server = RerunServer(host, self.config.port or free_port(host), data)
        self.get_logger().info(f'The flight is at {self.server.address}')
        self.server.open()

    def at(self, stamp_ns: int) -> None:
        """Set the time of what is logged next."""
        if self.began_ns is None:
            self.began_ns = stamp_ns
        self.stream.set_time(rerun_convert.TIMELINE, duration=(stamp_ns - self.began_ns) / 1e9)

    def on_scene(self, message: MarkerArray) -> None:
        """Show a new world in place of the old one."""
        self.stream.log('world/scene', rr.Clear(recursive=True))
        for path, shapes in rerun_convert.scene(message):
            self.stream.log(f'world/scene/{path}', shapes)

    def on_trail(self, message: MarkerArray) -> None:
        """Show the path so far."""
        for line in message.markers:
            self.stream.log('world/trail', rerun_convert.trail(line))

    def on_odometry(self, message: Odometry) -> None:
        """Move the drone."""
        self.at(conversions.nanoseconds(message.header.stamp))
        self.stream.log('world/drone', rerun_convert.drone_pose(message))

    def on_outcome(self, message: Outcome) -> None:
        """Plot the clearance, and log the end of a flight."""
        conversions.checked_outcome(message)
        self.at(conversions.nanoseconds(message.header.stamp))
        self.stream.log('clearance', rr.Scalars(message.clearance))
        if message.terminal:
            why = f'it touched {message.collided_with or "something"}'
            self.stream.log(
                'events',
                rr.TextLog(
                    f'Flight {message.flight} is over' + (f': {why}' if message.collision else ''),
                    level='INFO',
                ),
            )

    def on_exit_level(self, message: ExitLevel) -> None:
        """Show the exit, and plot its figures."""
        conversions.checked_exit_level(message)
        self.at(conversions.nanoseconds(message.header.stamp))
        for path, value in rerun_convert.curve_points(message):
            self.stream.log(path, rr.Scalars(value))
        self.stream.log('world/drone/direction', rerun_convert.exit_style(message))

    def on_command(self, message: TwistStamped) -> None:
        """Show the commanded direction."""
        self.at(conversions.nanoseconds(message.header.stamp))
        self.stream.log(
            'world/drone/direction', rerun_convert.arrow(conversions.body_velocity(message))
        )

    def on_depth(self, message: Image) -> None:
        """Show the depth image."""
        self.at(conversions.nanoseconds(message.header.stamp))
        self.stream.log(
            'camera/depth', rerun_convert.depth_image(conversions.depth_image(message))
        )

    def on_image(self, message: Image) -> None:
        """Show the colour image."""
        self.at(conversions.nanoseconds(message.header.stamp))
        self.stream.log('camera/image', rerun_convert.color_image(message))

    def destroy_node(self) -> None:
        """Write out what is still under way, and serve no longer."""
        if self.server:
            self.server.close()
        self.stream.flush()
        self.stream.disconnect()
        super().destroy_node()


def main() -> int:
    """Show a flight until told to stop."""
    return run(Viewer)
