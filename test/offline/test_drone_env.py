"""The in-process drone environment keeps gymnasium's contract and the task's."""

from gymnasium.utils.env_checker import check_env
import numpy as np
import pytest

from rapid_nav.flight.task import FlightTask
from rapid_nav.offline import evaluate
from rapid_nav.offline.drone_env import DroneEnv, DroneVectorEnv
from rapid_nav.sim.world import make_world

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


def test_the_same_seed_gives_the_same_flights_to_the_last_bit(worlds):
    def fly():
        env = DroneVectorEnv(TASK, worlds, 3)
        frames = [env.reset(seed=5)[0]]
        rng = np.random.default_rng(0)
        for _ in range(120):
            observation, reward, *_ = env.step(rng.integers(25, size=3))
            frames += [observation, reward]
        return frames

    for one, other in zip(fly(), fly(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_environment_goes_on_as_if_nothing_had_happened(worlds):
    env, other = (DroneVectorEnv(TASK, worlds, 3) for _ in range(2))
    env.reset(seed=5)
    other.reset(seed=9)
    for step in range(60):
        env.step(np.full(3, step % 25))
    other.from_arrays({k: v.copy() for k, v in env.to_arrays().items()})
    for step in range(150):
        for one, two in zip(env.step(np.full(3, step * 7 % 25))[:4],
                            other.step(np.full(3, step * 7 % 25))[:4], strict=True):
            np.testing.assert_array_equal(one, two)


def test_straight_flight_and_chance_crash_soon_on_held_out_worlds(worlds):
    starts = [(w, k) for w in range(2) for k in range(6)]
    for choose in (evaluate.straight_policy(TASK), evaluate.random_policy(25)):
        flights = evaluate.fly(TASK, worlds, starts, choose)
        assert not flights.reached_cap.any()
        assert flights.distance_m.mean() < 30
        assert (flights.levels.sum(axis=1) > 0).all()


def test_a_flight_is_the_same_beside_others_and_alone(worlds):
    starts = [(w, k) for w in range(2) for k in range(5)]
    straight = evaluate.straight_policy(TASK)
    together = evaluate.fly(TASK, worlds, starts, straight)
    alone = [evaluate.fly(TASK, worlds, [start], straight) for start in starts]
    np.testing.assert_array_equal(
        together.distance_m, np.concatenate([one.distance_m for one in alone]))
    np.testing.assert_array_equal(together.cells, np.concatenate([one.cells for one in alone]))
    np.testing.assert_array_equal(together.levels, np.concatenate([one.levels for one in alone]))
