"""The grid of directions: PEDRA's order and angles, REP 103's signs, and slower where narrow."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.drone.actions import ActionConfig, ActionGrid, free_way
from rapid_nav.drone.task import TASKS

GRID = ActionGrid(ActionConfig())


def test_the_grid_runs_from_up_left_to_down_right():
    up_left, down_right, straight = (GRID.velocity(a) for a in (0, 24, GRID.straight))
    assert up_left.up > 0 and up_left.left > 0 and up_left.yaw_rate > 0
    assert down_right.up < 0 and down_right.left < 0 and down_right.yaw_rate < 0
    assert (straight.left, straight.up, straight.yaw_rate) == (0, 0, 0)
    assert straight.forward == GRID.config.speed


def test_the_angles_are_pedras():
    pitch = [np.degrees(np.arcsin(GRID.velocity(5 * row + 2).up / 3.0)) for row in range(5)]
    yaw = [
        np.degrees(GRID.velocity(10 + column).yaw_rate * GRID.config.turn_time)
        for column in range(5)
    ]
    np.testing.assert_allclose(pitch, [12, 6, 0, -6, -12])
    np.testing.assert_allclose(yaw, [21.3, 10.65, 0, -10.65, -21.3])


@given(st.integers(0, 24), st.floats(0, 1e6))
def test_every_direction_is_flown_at_one_speed_which_only_the_free_way_limits(action, free):
    velocity = GRID.velocity(action, free)
    speed = np.linalg.norm([velocity.forward, velocity.left, velocity.up])
    config = GRID.config
    assert speed <= config.speed * max(config.slowest, min(1, free / config.slow_distance)) + 1e-9
    assert speed >= config.speed * config.slowest - 1e-9
    assert velocity.yaw_rate == GRID.velocity(action).yaw_rate


def test_a_slow_distance_of_zero_flies_as_fast_everywhere():
    grid = ActionGrid(ActionConfig(slow_distance=0.0))
    assert grid.velocity(12, 0.0).forward == grid.config.speed


def test_the_way_is_as_free_as_the_nearest_thing_in_the_middle():
    depth = np.full((2, 36, 64), np.inf)
    depth[0, 0, 0] = depth[0, 35, 63] = 1.0  # at the edges: the way is free
    depth[1, 18, 40] = 2.5
    assert free_way(depth).tolist() == [np.inf, 2.5]


@pytest.mark.parametrize('action', [-1, 25])
def test_an_action_outside_the_grid_is_refused(action):
    with pytest.raises(IndexError, match='0 to 24'):
        GRID.velocity(action)


def test_a_setting_out_of_range_is_refused_by_name():
    with pytest.raises(ValueError, match=r'^speed is 30.*\[0.0, 20.0\] m/s'):
        ActionConfig(speed=30)


PEDRA = ActionGrid(TASKS['pedra'].actions)


def steps(actions, errors=0.0):
    errors = np.broadcast_to(errors, (len(actions), 2))
    return PEDRA.steps(np.array(actions), TASKS['pedra'].decision_period, errors)


def test_pedras_steps_are_its_tables_by_its_index():
    forward, left, up, turn = steps(range(25)).T.reshape(4, 5, 5)  # by pitch and yaw
    np.testing.assert_allclose(np.sqrt(forward**2 + left**2 + up**2), 0.4)
    down = -np.degrees(np.arcsin(up / 0.4))
    np.testing.assert_allclose(down, np.tile([[-12], [-6], [0], [6], [12]], 5), atol=1e-9)
    to_the_right = -np.degrees(turn)
    np.testing.assert_allclose(
        to_the_right, np.tile([-21.3, -10.7, 0, 10.7, 21.3], (5, 1)), atol=0.05
    )
    np.testing.assert_allclose(np.arctan2(left, forward), turn)  # it looks where it goes


@given(st.integers(0, 24), st.floats(-1, 1), st.floats(-1, 1))
def test_a_step_errs_by_at_most_a_sixth_of_a_cell(action, pitch_error, yaw_error):
    (right,) = steps([action])
    (wrong,) = steps([action], (pitch_error, yaw_error))
    assert np.degrees(wrong[3] - right[3]) == pytest.approx(yaw_error * 64 / 6 / 6)
    pitch = np.degrees(np.arcsin(np.array([wrong[2], right[2]]) / 0.4))
    assert pitch[0] - pitch[1] == pytest.approx(pitch_error * 6 / 6, abs=1e-6)


def test_pedras_velocities_are_as_slow_as_its_own():
    task = TASKS['pedra-velocity']
    velocity = ActionGrid(task.actions).velocity(4)
    assert np.linalg.norm([velocity.forward, velocity.left, velocity.up]) == pytest.approx(0.4)
    turned = np.degrees(velocity.yaw_rate * task.decision_period)
    assert turned == pytest.approx(-21.3, abs=0.05)
