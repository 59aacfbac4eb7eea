"""The policy's decision as markers."""

import math

from listener import Listener, wait_until
import pytest
import rclpy
from visualization_msgs.msg import Marker, MarkerArray

from rapid_nav.drone.actions import ActionConfig, ActionGrid, BodyVelocity
from rapid_nav.exit_colors import BLUE, CRIMSON, exit_color
from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.viz.decision_markers import decision_markers, DecisionMarkers


def level(action: int, taken: int = 0) -> ExitLevel:
    return ExitLevel(level=taken, num_levels=3, confidence=0.875, macs_ratio=0.12, action=action)


def test_the_arrow_points_where_the_drone_is_told_to_fly() -> None:
    velocity = ActionGrid(ActionConfig()).velocity(3)
    _, arrow, _ = decision_markers(level(3), velocity).markers
    tip = arrow.points[1]
    assert arrow.type == Marker.ARROW and arrow.header.frame_id == conversions.BASE
    assert math.atan2(tip.y, tip.x) == pytest.approx(math.atan2(velocity.left, velocity.forward))
    assert tip.z > 0


def test_the_text_says_exit_confidence_and_operations() -> None:
    text = decision_markers(level(12), ActionGrid(ActionConfig()).velocity(12)).markers[2].text
    assert 'exit 0 of 2' in text and '0.88' in text and '12 % of the operations' in text


def test_the_grid_has_a_dot_for_every_direction_one_of_them_chosen() -> None:
    grid, arrow, _ = decision_markers(level(7), ActionGrid(ActionConfig()).velocity(7)).markers
    assert grid.action == Marker.ADD and len(grid.points) == 25
    chosen, tip = grid.points[7], arrow.points[1]
    assert (chosen.x, chosen.y, chosen.z) == (tip.x, tip.y, tip.z)


@pytest.mark.parametrize('action', [0, 300])
def test_the_grid_is_not_drawn_for_a_network_that_has_another(action: int) -> None:
    grid = decision_markers(level(action), BodyVelocity(forward=1.0)).markers[0]
    assert grid.action == Marker.DELETE


def test_a_drone_told_to_stand_still_has_an_arrow_without_length() -> None:
    arrow = decision_markers(level(0), BodyVelocity()).markers[1]
    assert (arrow.points[1].x, arrow.points[1].y, arrow.points[1].z) == (0.0, 0.0, 0.0)


def test_exits_have_colours_of_their_own_from_the_first_to_the_last() -> None:
    assert exit_color(0, 3) == BLUE and exit_color(2, 3) == CRIMSON
    assert exit_color(0, 1) == CRIMSON
    assert len({exit_color(n, 5) for n in range(5)}) == 5
    assert all(0.0 <= c <= 1.0 for n in range(7) for c in exit_color(n, 7))


def test_the_markers_are_on_their_topic_and_on_its_old_name(ros) -> None:
    running = ros()
    node = rclpy.create_node('scene')
    decisions = DecisionMarkers(node)
    received = [
        Listener(node).listen(MarkerArray, topic) for topic in ('decision_markers', 'thought')
    ]
    running.spin(node)
    wait_until(lambda: all(p.get_subscription_count() for p in decisions.publishers))
    decisions.on_command(conversions.command(BodyVelocity(forward=1.0), 7))
    message = level(0)
    message.header = conversions.header(7, conversions.CAMERA_OPTICAL)
    decisions.on_exit_level(message)
    wait_until(lambda: all(received))
