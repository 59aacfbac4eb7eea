"""The quadrotor flies as simple_flight does, and never through anything."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
from slow_quadrotor import SlowQuadrotor

from rapid_nav.geometry import UPSIDE_DOWN
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.physics.dynamics import DRONE_RADIUS, Goal, make_goal, make_state, State
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.generators import GENERATORS
from rapid_nav.sim.worlds.primitives import Primitive, Scenes
from rapid_nav.sim.worlds.world import make_world, pack, World
from rapid_nav.simulated_time import PHYSICS_STEP

GROUND = Primitive('plane', 'ground', (0, 0, 0), (1, 0, 0, 0), (100, 100, 0.1), (90, 90, 90))
WALL = Primitive('box', 'wall', (5, 0, -5), (1, 0, 0, 0), (1, 20, 10), (90, 90, 90))


def scene_of(*primitives: Primitive) -> Scenes:
    return pack([World('test', 0, primitives, np.zeros((0, 4)))])


def copy_of(state: State) -> State:
    return State(*(array.copy() for array in state))


def fly(
    state: State,
    scene: Scenes,
    values: tuple,
    seconds: float,
    mode: int = dynamics.MODE_VELOCITY,
    yaw_is_rate: bool = True,
) -> State:
    goal = make_goal(len(state.position))
    goal.mode[:] = mode
    goal.values[:] = values
    goal.yaw_is_rate[:] = yaw_is_rate
    dynamics.step(state, goal, scene, 0, round(seconds / PHYSICS_STEP))
    return state


@pytest.mark.parametrize('yaw_is_rate', [True, False])
def test_it_agrees_with_a_slow_twin(yaw_is_rate: bool) -> None:
    rng = np.random.default_rng(3)
    scene = scene_of(GROUND)
    pose = np.array([1.0, -2.0, -50.0, 0.7])
    fast, slow = make_state(pose[None]), SlowQuadrotor(pose)
    for _ in range(8):
        goal = rng.uniform(-4, 4, 4) * [1, 1, 0.5, 0.4]
        fly(fast, scene, tuple(goal), 0.3, yaw_is_rate=yaw_is_rate)
        for _ in range(100):
            slow.step(goal, yaw_is_rate)
    assert fast.position[0] == pytest.approx(slow.p, abs=1e-9)
    assert fast.velocity[0] == pytest.approx(slow.v, abs=1e-9)
    assert fast.orientation[0] == pytest.approx(slow.q, abs=1e-9)
    assert fast.angular_velocity[0] == pytest.approx(slow.w, abs=1e-9)
    assert fast.acceleration[0] == pytest.approx(slow.a, abs=1e-7)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=6), seed=st.integers(0, 50))
def test_how_steps_are_grouped_into_calls_changes_no_bit(cuts: list[int], seed: int) -> None:
    world = make_world('pillars', seed)
    scene, goal = pack([world]), make_goal(8)
    goal.mode[:] = dynamics.MODE_VELOCITY
    goal.values[:] = np.random.default_rng(seed).uniform(-5, 5, (8, 4))
    together = make_state(world.start_poses[:8])
    apart = copy_of(together)
    dynamics.step(together, goal, scene, 0, sum(cuts))
    for cut in cuts:
        dynamics.step(apart, goal, scene, 0, cut)
    for name, one, other in zip(State._fields, together, apart, strict=True):
        assert np.array_equal(one, other), name


def test_the_others_and_the_threads_change_no_bit() -> None:
    worlds = [make_world('rooms', seed) for seed in range(4)]
    starts = np.concatenate([world.start_poses[:3] for world in worlds])
    index = np.repeat(np.arange(4), 3)
    goal = make_goal(12)
    goal.mode[:] = dynamics.MODE_VELOCITY
    goal.values[:] = np.random.default_rng(0).uniform(-3, 3, (12, 4))
    states = [make_state(starts), make_state(starts)]
    for state, threads in zip(states, (1, 3), strict=True):
        dynamics.step(state, goal, pack(worlds), index, 400, threads=threads)
    alone = make_state(starts[7:8])
    goal_alone = Goal(goal.mode[7:8], goal.values[7:8], goal.yaw_is_rate[7:8])
    dynamics.step(alone, goal_alone, pack([worlds[2]]), 0, 400)
    for one, other, single in zip(*states, alone, strict=True):
        assert np.array_equal(one, other)
        assert np.array_equal(one[7:8], single)


def test_it_hovers_where_it_starts() -> None:
    state = fly(
        make_state([[0, 0, -3, 1]]), scene_of(GROUND), (0, 0, 0, 0), 5, mode=dynamics.MODE_HOLD
    )
    assert state.position[0] == pytest.approx([0, 0, -3], abs=0.01)
    assert not state.collided[0]


def test_it_reaches_the_commanded_velocity_but_for_drag() -> None:
    state = fly(make_state([[0, 0, -60, 0]]), scene_of(GROUND), (3, -2, -1, 0), 10)
    assert state.velocity[0] == pytest.approx([3, -2, -1], abs=0.1)
    assert np.linalg.norm(state.velocity[0, :2]) < np.linalg.norm([3, 2])


def test_a_place_is_reached_no_faster_than_6_metres_a_second() -> None:
    state = make_state([[0, 0, -5, 0]])
    fastest = 0.0
    for _ in range(200):
        fly(state, scene_of(GROUND), (60, 0, -5, 0), 0.1, mode=dynamics.MODE_POSITION)
        fastest = max(fastest, float(np.linalg.norm(state.velocity[0])))
    assert 4.5 < fastest < 6.5
    fly(state, scene_of(GROUND), (60, 0, -5, 0), 20, mode=dynamics.MODE_POSITION)
    assert state.position[0] == pytest.approx([60, 0, -5], abs=0.3)


def test_yaw_turns_at_the_commanded_rate_and_to_the_commanded_angle() -> None:
    state = fly(make_state([[0, 0, -5, 0]]), scene_of(GROUND), (0, 0, 0, 0.5), 2)
    assert state.angular_velocity[0, 2] == pytest.approx(0.5, abs=0.01)
    fly(state, scene_of(GROUND), (0, 0, 0, -2.0), 5, yaw_is_rate=False)
    w, _, _, z = state.orientation[0]
    assert 2 * np.arctan2(z, w) == pytest.approx(-2.0, abs=0.01)


def test_throttle_lifts_and_motors_off_fall() -> None:
    scene = scene_of(GROUND)
    up = fly(
        make_state([[0, 0, -20, 0]]),
        scene,
        (0, 0, 0.8, 0),
        1,
        mode=dynamics.MODE_ATTITUDE_THROTTLE,
    )
    assert up.velocity[0, 2] < -1
    down = fly(make_state([[0, 0, -20, 0]]), scene, (0, 0, 0, 0), 1, mode=dynamics.MODE_OFF)
    assert 6 < down.velocity[0, 2] < 9.8
    motors = fly(
        make_state([[0, 0, -20, 0]]), scene, (0.6, 0.6, 0.6, 0.6), 1, mode=dynamics.MODE_MOTORS
    )
    assert motors.velocity[0, 2] < 0


def test_a_wall_stops_it_and_says_what_and_where() -> None:
    state = fly(make_state([[0, 0, -3, 0]]), scene_of(GROUND, WALL), (4, 0, 0, 0), 4)
    assert state.collided[0]
    assert state.collision_primitive[0] == 1
    assert state.collision_normal[0] == pytest.approx([-1, 0, 0], abs=1e-6)
    assert state.impact_point[0, 0] == pytest.approx(4.5, abs=1e-6)
    assert state.position[0, 0] < 4.5 - DRONE_RADIUS + 0.02


def test_it_bounces_off_by_the_restitution() -> None:
    state, scene = make_state([[0, 0, -3, 0]]), scene_of(WALL)
    state.velocity[0] = [3, 1, 0]
    before = state.velocity[0].copy()
    while not state.collided[0]:
        before = state.velocity[0].copy()
        fly(state, scene, (3, 1, 0, 0), PHYSICS_STEP)
    assert state.velocity[0, 0] == pytest.approx(-0.55 * before[0], rel=0.02)
    assert state.velocity[0, 1] == pytest.approx(0.5 * before[1], rel=0.02)


def test_it_lands_stays_level_and_takes_off_again() -> None:
    scene = scene_of(GROUND)
    state = fly(make_state([[0, 0, -1, 0.5]]), scene, (0, 0, 0.3, 0), 6)
    assert state.grounded[0]
    assert state.position[0, 2] == pytest.approx(-DRONE_RADIUS, abs=0.01)
    state.collided[:] = False
    fly(state, scene, (0, 0, 0, 0), 1, mode=dynamics.MODE_OFF)
    assert state.collided[0], 'resting on the ground is contact too'
    assert not state.velocity.any()
    fly(state, scene, (0, 0, -1, 0), 2)
    assert state.position[0, 2] < -1


def test_thrust_pushes_it_against_a_ceiling_and_not_through() -> None:
    ceiling = Primitive('plane', 'ceiling', (0, 0, -3), UPSIDE_DOWN, (9, 9, 0.1), (9, 9, 9))
    state = fly(make_state([[0, 0, -1.5, 0]]), scene_of(GROUND, ceiling), (0, 0, -3, 0), 4)
    assert state.collision_primitive[0] == 1
    assert state.position[0, 2] > -3


@pytest.mark.parametrize('name', GENERATORS)
def test_no_command_takes_it_through_anything(name: str) -> None:
    world = make_world(name, 5)
    scene, rng = pack([world]), np.random.default_rng(1)
    state, goal = make_state(world.start_poses), make_goal(len(world.start_poses))
    goal.mode[:] = dynamics.MODE_VELOCITY
    for _ in range(30):
        goal.values[:] = rng.uniform(-8, 8, goal.values.shape)
        dynamics.step(state, goal, scene, 0, 50)
        assert clearance(scene, 0, state.position).min() > 0
        assert np.allclose(np.linalg.norm(state.orientation, axis=1), 1)


def test_resetting_a_row_leaves_no_trace_of_its_past() -> None:
    scene, start = scene_of(GROUND, WALL), [[0, 0, -3, 0.4]]
    state = fly(make_state(start * 2), scene, (4, 0, 0, 1), 4)
    other = [array[1].copy() for array in state]
    dynamics.reset_rows(state, [0], np.array(start))
    fresh = make_state(start)
    for array, clean, untouched in zip(state, fresh, other, strict=True):
        assert np.array_equal(array[0], clean[0])
        assert np.array_equal(array[1], untouched)
