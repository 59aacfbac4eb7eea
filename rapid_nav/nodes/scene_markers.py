"""Shows the world and the flown path as markers, the path coloured by exit level."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Point, Pose
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from rapid_nav.airsim.drone import RPCError
from rapid_nav.exit_colors import exit_color
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.simulator import SimulatorConfig
from rapid_nav.nodes.lib.spin import run
from rapid_nav.nodes.lib.subscribe import subscribe
from rapid_nav.nodes.viz.decision_markers import DecisionMarkers
from rapid_nav.options import setting

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SHAPES = {
    'box': Marker.CUBE,
    'plane': Marker.CUBE,
    'cylinder': Marker.CYLINDER,
    'sphere': Marker.SPHERE,
}
UNDECIDED = ColorRGBA(r=0.6, g=0.6, b=0.6, a=1.0)  # where no image was decided on
_THIN = 0.01  # [m] a marker without thickness is not drawn
_TRAIL_WIDTH = 0.08  # [m]


@dataclass(frozen=True)
class SceneConfig(SimulatorConfig):
    """The simulator whose world is shown, and the length of the path."""

    trail_length: int = setting(2000, 'Images whose positions the path shows.', low=1, high=100000)


class SceneMarkers(Node):
    """Draws the world once a flight, and the path once a second."""

    def __init__(self) -> None:
        super().__init__('scene')
        self.config = declare(self, SceneConfig)
        self.flight = -1  # whose world is shown
        self.colors: dict[int, ColorRGBA] = {}  # of the exit taken, by stamp
        # Stamps [ns] and positions.
        self.path: deque[tuple[int, Point]] = deque(maxlen=self.config.trail_length)
        self.scene = self.create_publisher(MarkerArray, 'scene', LATCHED)
        self.trail = self.create_publisher(MarkerArray, 'trail', LATCHED)
        subscribe(self, Outcome, 'outcome', self.on_outcome, 10)
        subscribe(self, Odometry, 'odom', self.on_odometry, 10)
        subscribe(self, ExitLevel, 'exit_level', self.on_exit_level, 10)
        self.create_timer(1.0, self.draw_trail)
        self.decisions = DecisionMarkers(self)

    def on_outcome(self, message: Outcome) -> None:
        """Draw the world of a new flight."""
        if message.flight == self.flight:
            return
        self.flight = message.flight
        self.path.clear()
        self.colors.clear()
        try:
            drone = self.config.connect()
            world = drone.scene()
            drone.close()
        except (RPCError, OSError) as error:
            self.get_logger().warning(f'The world is not shown: {error}')
            return
        if world:
            self.scene.publish(world_markers(world))

    def on_odometry(self, message: Odometry) -> None:
        """Add a position to the path."""
        position = conversions.point(conversions.position(message))
        self.path.append((conversions.nanoseconds(message.header.stamp), position))

    def on_exit_level(self, message: ExitLevel) -> None:
        """Store the colour of an exit for its position."""
        conversions.checked_exit_level(message)
        red, green, blue = exit_color(message.level, message.num_levels)
        stamp = conversions.nanoseconds(message.header.stamp)
        self.colors[stamp] = ColorRGBA(r=red, g=green, b=blue, a=1.0)
        if len(self.colors) > self.config.trail_length:
            del self.colors[min(self.colors)]

    def draw_trail(self) -> None:
        """Draw the path."""
        if len(self.path) < 2 or not self.trail.get_subscription_count():
            return
        line = Marker(type=Marker.LINE_STRIP, ns='trail')
        line.header.frame_id, line.scale.x = conversions.ODOM, _TRAIL_WIDTH
        line.pose.orientation.w = 1.0
        line.points = [position for _, position in self.path]
        line.colors = [self.colors.get(stamp, UNDECIDED) for stamp, _ in self.path]
        self.trail.publish(MarkerArray(markers=[line]))


def world_markers(world: list[dict[str, Any]]) -> MarkerArray:
    """Return the primitives of a world as markers, in place of all that were there before."""
    wipe = Marker(action=Marker.DELETEALL)
    wipe.header.frame_id = conversions.ODOM
    return MarkerArray(
        markers=[
            wipe,
            *(primitive_marker(number, primitive) for number, primitive in enumerate(world)),
        ]
    )


def primitive_marker(number: int, primitive: dict[str, Any]) -> Marker:
    """Return one primitive as a marker."""
    red, green, blue = (channel / 255 for channel in primitive['color'])
    marker = Marker(
        ns=stem(primitive['name']),
        id=number,
        type=SHAPES[primitive['kind']],
        text=primitive['name'],
        pose=Pose(
            position=conversions.point(primitive['position']),
            orientation=conversions.quaternion(primitive['orientation']),
        ),
        scale=conversions.vector(np.maximum(primitive['size'], _THIN)),
        color=ColorRGBA(r=red, g=green, b=blue, a=1.0),
    )
    marker.header.frame_id = conversions.ODOM
    return marker


def stem(name: str) -> str:
    """Return a name without its number, so that rviz can hide all of a kind."""
    return name.rstrip('0123456789').rstrip('_') or 'thing'


def main() -> int:
    """Draw until told to stop."""
    return run(SceneMarkers)
