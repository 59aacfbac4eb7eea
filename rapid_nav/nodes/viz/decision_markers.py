"""Draws the policy's decision: the directions it could fly, the one it does, and its exit."""

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, TwistStamped
import numpy as np
from rclpy.node import Node
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from rapid_nav.drone.actions import ActionConfig, ActionGrid, BodyVelocity
from rapid_nav.exit_colors import exit_color
from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.subscribe import subscribe

TOPIC = 'decision_markers'
_OLD_TOPIC = 'thought'  # of releases before 0.2
_REACH = 1.2  # [m] from the drone to the directions drawn
_DOT, _SHAFT, _HEAD = 0.05, 0.04, 0.1  # [m] diameters
_TEXT_HEIGHT, _TEXT_ABOVE = 0.22, 0.8  # [m]
_GREY = ColorRGBA(r=0.6, g=0.6, b=0.6, a=0.9)
_WHITE = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)


class DecisionMarkers:
    """Draws command and exit level of an image around the drone, while there are subscribers."""

    def __init__(self, node: Node) -> None:
        self.command: tuple[Time, BodyVelocity] | None = None  # of the image of this stamp
        self.level: ExitLevel | None = None
        self.logger = node.get_logger()
        self.publishers = [node.create_publisher(MarkerArray, t, 1) for t in (TOPIC, _OLD_TOPIC)]
        subscribe(node, TwistStamped, 'cmd_vel', self.on_command, 10)
        subscribe(node, ExitLevel, 'exit_level', self.on_exit_level, 10)

    def on_command(self, message: TwistStamped) -> None:
        """Store the command."""
        self.command = message.header.stamp, conversions.body_velocity(message)
        self.draw()

    def on_exit_level(self, message: ExitLevel) -> None:
        """Store the exit."""
        self.level = conversions.checked_exit_level(message)
        self.draw()

    def draw(self) -> None:
        """Draw once both halves are of the same image."""
        command, level = self.command, self.level
        if command is None or level is None or command[0] != level.header.stamp:
            return
        for publisher in self.publishers:
            if publisher.get_subscription_count():
                publisher.publish(decision_markers(level, command[1]))
        if self.publishers[1].get_subscription_count():
            self.logger.warning(f'{_OLD_TOPIC} is now named {TOPIC}: subscribe to it', once=True)


def decision_markers(level: ExitLevel, velocity: BodyVelocity) -> MarkerArray:
    """Return arrow, text and, where the decision is one of our grid's, the grid."""
    red, green, blue = exit_color(level.level, level.num_levels)
    color = ColorRGBA(r=red, g=green, b=blue, a=1.0)
    arrow = _marker('direction', Marker.ARROW, color)
    arrow.points = [Point(), conversions.point(_direction(velocity))]
    arrow.scale.x, arrow.scale.y = _SHAFT, _HEAD
    text = _marker('text', Marker.TEXT_VIEW_FACING, _WHITE)
    text.text = text_of(level)
    text.scale.z = _TEXT_HEIGHT
    text.pose.position.z = _TEXT_ABOVE
    return MarkerArray(markers=[_grid(level.action, velocity), arrow, text])


def text_of(level: ExitLevel) -> str:
    """Return exit, confidence and operations in words."""
    return (
        f'exit {level.level} of {level.num_levels - 1}\n'
        f'confidence {level.confidence:.2f}\n'
        f'{100 * level.macs_ratio:.0f} % of the operations'
    )


def _grid(action: int, velocity: BodyVelocity) -> Marker:
    """Return a dot for each direction of the default grid, or a marker that deletes them."""
    directions = [_direction(v) for v in ActionGrid(ActionConfig()).velocities]
    dots = _marker('grid', Marker.SPHERE_LIST, _GREY)
    dots.scale.x = dots.scale.y = dots.scale.z = _DOT
    dots.points = [conversions.point(direction) for direction in directions]
    # A network trained with another grid flies elsewhere than its action in this one.
    known = action < len(directions) and np.allclose(
        directions[action], _direction(velocity), atol=0.02
    )
    if not known:
        dots.action = Marker.DELETE
    return dots


def _direction(velocity: BodyVelocity) -> np.ndarray:
    """Return the direction of a velocity (3,) [m], of the same length for all."""
    along = np.array([velocity.forward, velocity.left, velocity.up])
    return _REACH * along / max(float(np.linalg.norm(along)), 1e-6)


def _marker(name: str, kind: int, color: ColorRGBA) -> Marker:
    """Return a marker that moves with the drone."""
    marker = Marker(ns=name, type=kind, color=color, frame_locked=True)
    marker.header.frame_id = conversions.BASE
    marker.pose.orientation.w = 1.0
    return marker
