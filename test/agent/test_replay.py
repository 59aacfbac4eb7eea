"""The replay against a slow twin that keeps whole episodes."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.agent.replay import Replay, SumTree


def filled(steps: int, episode_lengths: list[int], rows: int = 64, n_step: int = 3):
    """Two environments, whose frames are numbered, with episodes of the lengths given."""
    replay = Replay(rows * 2, 2, (1, 1, 2), 3, n_step, 0.9, 0.0, seed=0)
    log = []  # (env, episode, age, frame, reward, terminated, truncated, valid) by row
    age, over = np.zeros(2, int), np.zeros(2, bool)
    episode = np.zeros(2, int)
    for t in range(steps):
        frame = np.array([[[[t % 256, env]]] for env in range(2)], np.uint8)
        length = [episode_lengths[(episode[env] + env) % len(episode_lengths)] for env in range(2)]
        ends = ~over & (age + 1 >= length)
        terminated = ends & (episode % 2 == 0)
        truncated = ends & ~terminated
        reward = np.where(over, 0.0, t + 1.0)
        replay.add(frame, age, np.array([t % 5, t % 3]), reward, terminated, truncated, ~over)
        log.append((age.copy(), episode.copy(), reward, terminated, truncated, ~over))
        episode = episode + over
        age = np.where(over, 0, age + 1)
        over = ends
    return replay, log


@settings(max_examples=40, deadline=None)
@given(
    st.integers(10, 150), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 5)
)
def test_a_sampled_transition_is_one_that_happened_and_stays_in_its_episode(
    steps, lengths, n_step
):
    replay, log = filled(steps, lengths, rows=40, n_step=n_step)
    if replay.tree.total == 0:
        return
    batch = replay.sample(32, 0.5)
    for i, index in enumerate(batch.indices):
        row, env = divmod(int(index), 2)
        t = steps - 1 - (steps - 1 - row) % replay.rows  # the newest step written in that row
        age, episode, _, _, _, valid = (column[env] for column in log[t])
        assert valid
        assert batch.a_tm1[i] == (t % 5, t % 3)[env]
        back = [t - min(k, age) for k in (2, 1, 0)]
        assert batch.s_tm1[i, :, 0, 0].tolist() == [b % 256 for b in back]
        assert (batch.s_tm1[i, :, 0, 1] == env).all()
        total, discount, at = 0.0, 1.0, t
        for _ in range(n_step):
            total += discount * log[at][2][env]
            discount *= 0.9
            if log[at][3][env]:
                discount = 0.0
            at += 1
            if log[at - 1][3][env] or log[at - 1][4][env]:
                break
        assert batch.r_t[i] == pytest.approx(total)
        assert batch.discount_t[i] == pytest.approx(discount)
        if discount:
            assert log[at][1][env] == episode
            assert batch.s_t[i, -1, 0, 0] == at % 256


def test_priorities_are_drawn_in_proportion():
    tree = SumTree(5)
    tree.set(np.arange(5), np.array([1.0, 0.0, 3.0, 0.0, 4.0]))
    drawn = tree.find((np.arange(8000) + 0.5) / 8000 * tree.total)
    assert np.bincount(drawn, minlength=5).tolist() == [1000, 0, 3000, 0, 4000]


def test_a_large_error_is_replayed_more_often_and_weighs_less():
    replay, _ = filled(40, [7])
    replay.priority_exponent = 1.0
    batch = replay.sample(16, 1.0)
    replay.update_priorities(np.array([batch.indices[0]]), np.array([50.0]))
    again = replay.sample(200, 1.0)
    chosen = again.indices == batch.indices[0]
    assert chosen.mean() > 0.3
    assert again.importance_weights[chosen].max() < again.importance_weights[~chosen].min()


def test_an_empty_replay_says_so():
    replay = Replay(64, 2, (1, 1, 2), 3, 3, 0.9, 0.0, seed=0)
    with pytest.raises(ValueError, match='no complete transition'):
        replay.sample(4, 1.0)
