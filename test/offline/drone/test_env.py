"""The in-process drone environment keeps gymnasium's contract and the task's."""

import dataclasses
import itertools

from gymnasium.utils.env_checker import check_env
import numpy as np
import pytest

from rapid_nav.drone.observation import frame_of
from rapid_nav.drone.task import FlightTask, TASKS
from rapid_nav.offline.drone.env import DroneEnv, DroneVectorEnv
from rapid_nav.offline.evaluation import rollout
from rapid_nav.sim.physics.dynamics import DRONE_RADIUS
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.render import camera
from rapid_nav.sim.render.views import make_views
from rapid_nav.sim.worlds.world import make_world

TASK = FlightTask()


@pytest.fixture(scope='module')
def worlds():
    return [make_world('corridor', 1), make_world('forest', 2)]


def test_gymnasiums_own_checker_finds_nothing(worlds):
    check_env(DroneEnv(TASK, worlds), skip_render_check=True)


def test_flying_straight_ahead_goes_ahead_and_ends_in_a_crash(worlds):
    env = DroneVectorEnv(TASK, worlds, 2, starts=iter([(0, 0), (1, 3)] * 2))
    _, info = env.reset()
    assert info['distance_m'].tolist() == [0, 0]
    ended = np.zeros(2, bool)
    for _ in range(600):
        before = info['distance_m']
        _, reward, terminated, truncated, info = env.step(np.array([12, 12]))
        fresh = ~ended
        assert (info['distance_m'] >= before)[fresh].all()
        assert (reward[terminated & fresh] == TASK.reward.crash).all()
        assert not truncated[fresh].any()
        ended |= terminated
        if ended.all():
            return
    pytest.fail('nothing was ever hit')


def test_a_flight_that_ended_starts_anew_at_the_next_step_whatever_the_action(worlds):
    env = DroneVectorEnv(TASK, worlds, 4)
    env.reset(seed=3)
    over = np.zeros(4, bool)
    seen = 0
    for step in range(300):
        _, reward, terminated, truncated, info = env.step(np.full(4, step % 25))
        assert (info['distance_m'][over] == 0).all()
        assert (info['cells'][over] == 0).all()
        assert not (terminated | truncated)[over].any() and (reward[over] == 0).all()
        seen += int(over.sum())
        over = terminated | truncated
    assert seen > 2


def test_the_cap_ends_a_flight_without_a_crash(worlds):
    env = DroneVectorEnv(TASK, worlds, 2, cap_m=1.0)
    env.reset(seed=0)
    for _ in range(40):
        _, _, terminated, truncated, info = env.step(np.array([12, 12]))
        if (truncated | terminated).any():
            break
    assert truncated.any() and not terminated[truncated].any()
    assert 1.0 <= info['distance_m'][truncated][0] < 1.3


@pytest.mark.parametrize('name', ['drone', 'pedra'])
def test_the_same_seed_gives_the_same_flights_to_the_last_bit(worlds, name):
    def fly():
        env = DroneVectorEnv(TASKS[name], worlds, 3)
        frames = [env.reset(seed=5)[0]]
        rng = np.random.default_rng(0)
        for _ in range(120):
            observation, reward, *_ = env.step(rng.integers(25, size=3))
            frames += [observation, reward]
        return frames

    for one, other in zip(fly(), fly(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('name', ['drone', 'pedra'])
def test_a_saved_environment_goes_on_as_if_nothing_had_happened(worlds, name):
    env, other = (DroneVectorEnv(TASKS[name], worlds, 3) for _ in range(2))
    env.reset(seed=5)
    other.reset(seed=9)
    for step in range(60):
        env.step(np.full(3, step % 25))
    other.load_state_dict({k: v.copy() for k, v in env.state_dict().items()})
    for step in range(150):
        for one, two in zip(
            env.step(np.full(3, step * 7 % 25))[:4],
            other.step(np.full(3, step * 7 % 25))[:4],
            strict=True,
        ):
            np.testing.assert_array_equal(one, two)


def flights(worlds, starts, policy):
    """Fly once from each start, up to 100 m; return distances, cells and decisions (F,)."""
    env = DroneVectorEnv(TASK, worlds, len(starts), starts=itertools.cycle(starts))
    flown = rollout.rollout(env, policy, 1)
    return flown.info['distance_m'], flown.info['cells'], flown.levels[:, 0]


def test_straight_flight_and_chance_crash_soon_on_held_out_worlds(worlds):
    starts = [(w, k) for w in range(2) for k in range(6)]
    for policy in (rollout.straight_policy(TASK), rollout.random_policy(25)):
        distance_m, _, decisions = flights(worlds, starts, policy)
        assert (distance_m < 100).all() and distance_m.mean() < 30
        assert (decisions > 0).all()


def test_a_flight_is_the_same_beside_others_and_alone(worlds):
    starts = [(w, k) for w in range(2) for k in range(5)]
    straight = rollout.straight_policy(TASK)
    alone = [flights(worlds, [start], straight) for start in starts]
    for together, one_by_one in zip(
        flights(worlds, starts, straight), zip(*alone, strict=True), strict=True
    ):
        np.testing.assert_array_equal(together, np.concatenate(one_by_one))


PEDRA = TASKS['pedra']
STRAIGHT = 12


@pytest.mark.parametrize('name', ['pedra', 'pedra-velocity'])
def test_gymnasiums_own_checker_finds_nothing_in_pedra(worlds, name):
    check_env(DroneEnv(TASKS[name], worlds), skip_render_check=True)


def test_a_step_by_pose_goes_0_4_m_about_where_it_was_told_to_and_stays_level(worlds):
    env = DroneVectorEnv(PEDRA, worlds, 2, starts=iter([(0, 0), (1, 3)] * 9))
    env.reset(seed=1)
    before = env.state.position.copy(), env.state.orientation.copy()
    env.step(np.array([STRAIGHT, 4]))  # ahead; up and to the right
    way = env.state.position - before[0]
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 0.4)
    assert way[1, 2] < 0  # NED
    yaw = [2 * np.arctan2(q[:, 3], q[:, 0]) for q in (before[1], env.state.orientation)]
    turned = np.degrees(np.angle(np.exp(1j * (yaw[1] - yaw[0]))))
    np.testing.assert_allclose(turned, [0.0, 64 / 3], atol=64 / 6 / 6)
    assert abs(turned[0]) > 0  # it erred
    heading = np.degrees(np.angle(np.exp(1j * (np.arctan2(way[:, 1], way[:, 0]) - yaw[1]))))
    np.testing.assert_allclose(heading, 0.0, atol=1e-6)
    assert (env.state.orientation[:, 1:3] == 0).all()


def test_no_step_by_pose_goes_through_a_wall(worlds):
    near = dataclasses.replace(PEDRA, reward=dataclasses.replace(PEDRA.reward, near=0.0))
    env = DroneVectorEnv(near, worlds[:1], 4)
    env.reset(seed=0)
    crashed = 0
    for _ in range(100):
        *_, terminated, _, info = env.step(np.full(4, STRAIGHT))
        assert (clearance(env.scenes, 0, env.state.position) >= DRONE_RADIUS).all()
        assert (info['collided'] == terminated).all()
        crashed += terminated.sum()
    assert crashed > 4


def test_colours_are_what_the_camera_shows(worlds):
    env = DroneVectorEnv(PEDRA, worlds, 1, starts=iter([(0, 0)] * 9))
    frame, _ = env.reset()
    views = make_views(
        env.scenes,
        env.scene_index,
        env.state.position,
        env.state.orientation,
        320,
        180,
        np.radians(80),
    )
    picture = camera.depth_and_color(views)[1][0]
    away = np.abs(frame[0].astype(int) - frame_of(picture, PEDRA.observation))
    assert away.mean() < 1.5  # of 255; no more than one ray for each pixel gives away


def test_pedras_flights_end_before_what_is_near_and_pay_the_clearance(worlds):
    env = DroneVectorEnv(PEDRA, worlds, 4)
    env.reset(seed=3)
    ended = 0
    for step in range(60):
        _, reward, terminated, *_ = env.step(np.full(4, STRAIGHT if step % 2 else 10))
        assert (reward[terminated] == -1.0).all()
        paid = reward[~terminated]
        assert ((paid == 0.0) | ((paid >= 0.07) & (paid <= 1.0))).all()
        ended += terminated.sum()
    assert ended > 3
