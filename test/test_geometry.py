"""Frames: AirSim's axes become ROS's and back."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np

from rapid_nav import geometry
from rapid_nav.sim import rotation_kernels as kernels

numbers = st.floats(-100, 100)
vectors = st.tuples(numbers, numbers, numbers)
quaternions = (
    st.tuples(*[st.floats(-1, 1)] * 4)
    .filter(lambda q: np.linalg.norm(q) > 0.1)
    .map(lambda q: np.asarray(q) / np.linalg.norm(q))
)


def w_first(xyzw):
    return np.roll(xyzw, 1)


def test_north_is_y_east_is_x_and_down_is_minus_z():
    np.testing.assert_allclose(geometry.ned_to_enu([1, 2, 3]), [2, 1, -3])


def test_a_drone_facing_north_has_a_yaw_of_ninety_degrees_in_enu():
    turn = geometry.orientation_to_ros([1, 0, 0, 0])
    np.testing.assert_allclose(turn, [0, 0, 0.5**0.5, 0.5**0.5], atol=1e-15)


def test_a_drone_facing_east_has_no_yaw_in_enu():
    turn = geometry.orientation_to_ros(geometry.yaw_to_quaternion(np.pi / 2))
    np.testing.assert_allclose(turn, [0, 0, 0, 1], atol=1e-15)


@given(quaternions, vectors)
def test_turning_a_body_vector_before_or_after_the_change_of_axes_is_the_same(q, v):
    there = geometry.rotate(w_first(geometry.orientation_to_ros(q)), geometry.frd_to_flu(v))
    np.testing.assert_allclose(there, geometry.ned_to_enu(geometry.rotate(q, v)), atol=1e-9)


@given(quaternions)
def test_orientations_survive_the_way_there_and_back(q):
    there = geometry.orientation_to_ros(q)
    np.testing.assert_allclose(geometry.orientation_from_ros(there), q, atol=1e-12)


@given(quaternions, quaternions)
def test_a_mounting_turns_carried_vectors_as_its_frd_twin_does(body, carried):
    world = geometry.orientation_to_ros(geometry.multiply(body, carried))
    by_parts = geometry.multiply(
        w_first(geometry.orientation_to_ros(body)), w_first(geometry.mounting_to_ros(carried))
    )
    assert abs(np.dot(w_first(world), by_parts)) > 1 - 1e-9


@given(st.floats(-3.1, 3.1))
def test_yaw_is_read_back(yaw):
    assert abs(geometry.yaw_of(geometry.yaw_to_quaternion(yaw)) - yaw) < 1e-9


@given(quaternions, vectors)
def test_the_compiled_formulas_are_those_of_numpy(q, v):
    np.testing.assert_allclose(kernels.to_world(q, *v), geometry.rotate(q, v), atol=1e-12)
    np.testing.assert_allclose(
        kernels.to_body(q, *v), geometry.rotate(geometry.conjugate(q), v), atol=1e-12
    )
    assert (kernels.rotation_matrices(q)[0] == geometry.rotation_matrices(q)).all()
    roll, pitch, yaw = kernels.euler(q)
    assert abs(yaw - geometry.yaw_of(q)) < 1e-12
    same = abs(np.dot(geometry.from_euler(roll, pitch, yaw), q))
    assert same > 1 - 1e-6 or abs(pitch) > np.pi / 2 - 1e-3  # where roll and yaw are one


@given(quaternions, vectors)
def test_a_compiled_turn_is_a_product_with_the_turn_of_a_vector(q, v):
    angle = np.linalg.norm(v)
    half = np.array([np.cos(angle / 2), *np.sinc(angle / 2 / np.pi) / 2 * np.asarray(v)])
    turned = q.copy()
    kernels.turn(turned, *v)
    np.testing.assert_allclose(turned, geometry.multiply(q, half), atol=1e-12)


def test_many_quaternions_are_taken_at_once():
    yaws = np.linspace(-3, 3, 6).reshape(2, 3)
    turns = geometry.yaw_to_quaternion(yaws)
    assert turns.shape == (2, 3, 4)
    np.testing.assert_allclose(geometry.yaw_of(turns), yaws)
    north = geometry.rotate(turns, [1.0, 0.0, 0.0])
    np.testing.assert_allclose(north[..., 1], np.sin(yaws), atol=1e-15)
