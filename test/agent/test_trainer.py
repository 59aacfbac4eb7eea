"""The trainer: it learns from the trajectories it gets, and goes on where it was."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.trainer import Trainer
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage

NETWORK = NetworkConfig(
    (3, 8, 8), 4, (Stage((Conv(4, 4, 4),), 8, 'input'), Stage((Conv(4, 4, 4),), 16, 'input'))
)
AGENT = AgentConfig(n_step=3, batch_size=32, discount=0.9, target_period=20)


def trainer(**changes) -> Trainer:
    return Trainer(
        NETWORK,
        AGENT,
        TrainConfig(
            **{
                'steps': 1000,
                'steps_per_update': 4,
                'learning_starts': 8,
                'replay_size': 400,
                'distil_share': 0.0,
                **changes,
            }
        ),
        history=3,
    )


def trajectory(length: int, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames that carry their own number, and actions and rewards of the same."""
    numbers = np.arange(first, first + length + 1)
    frames = np.broadcast_to(numbers[:, None, None], (length + 1, 8, 8)).astype(np.uint8)
    return frames, numbers[:-1] % 4, numbers[1:].astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(3, 12), st.booleans(), st.integers(0, 2)), min_size=1, max_size=12
    )
)
def test_what_is_sampled_lies_within_one_trajectory(trajectories) -> None:
    learner, end_of, terminal_at, first = trainer(), {}, set(), 0
    for length, terminated, context in trajectories:
        learner.add_trajectory(*trajectory(length, first), terminated, context)
        end_of |= dict.fromkeys(range(first + context, first + length), (first, first + length))
        terminal_at |= {first + length} if terminated else set()
        first += length + 1
    assert learner.step == len(end_of)
    if not learner.replay.ready:
        return
    batch = learner.replay.sample(64, 0.0)
    for i, now in enumerate(batch.s_tm1[:, -1, 0, 0].tolist()):
        began, end = end_of[now]  # nothing is sampled that only says what was seen before
        assert batch.s_tm1[i, :, 0, 0].tolist() == [max(now - 2, began), max(now - 1, began), now]
        then = min(now + 3, end)
        assert batch.a_tm1[i] == now % 4
        earned = sum(0.9**k * (now + 1 + k) for k in range(then - now))
        assert batch.r_t[i] == pytest.approx(earned, rel=1e-5)
        if then in terminal_at:
            assert batch.discount_t[i] == 0.0
        else:
            assert np.isclose(batch.discount_t[i], 0.9 ** (then - now))
            assert batch.s_t[i, -1, 0, 0] == then


def test_updates_come_due_with_transitions_and_exploration_falls() -> None:
    learner = trainer(steps=100, epsilon_share=0.5, epsilon_end=0.1)
    assert learner.due == 0 and learner.epsilon == 1.0
    for k in range(10):
        learner.add_trajectory(*trajectory(10, 11 * k), True)
        while learner.due:
            learner.update()
    assert learner.learner.updates == (100 - 8 + 1) // 4
    assert learner.epsilon == pytest.approx(0.1) and learner.metrics['td_error'] > 0


def test_a_trainer_that_was_saved_learns_on_as_one_that_never_stopped() -> None:
    straight, resumed = trainer(), trainer(seed=5)
    for k in range(6):
        straight.add_trajectory(*trajectory(20, 21 * k % 200), k % 2 == 0)
    for _ in range(5):
        straight.update()
    resumed.load_state_dict(straight.state_dict())
    for one in (straight, resumed):
        one.add_trajectory(*trajectory(15, 0), True)
        for _ in range(10):
            one.update()
    ours, theirs = straight.state_dict(), resumed.state_dict()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


def test_the_last_phase_moves_the_branches_and_not_the_full_path() -> None:
    learner = trainer(steps=40, distil_share=0.5)
    learner.add_trajectory(*trajectory(60, 0), True)
    before = {name: weight.clone() for name, weight in learner.learner.network.named_parameters()}
    learner.update()
    moved = {
        name
        for name, weight in learner.learner.network.named_parameters()
        if (weight != before[name]).any()
    }
    assert moved and all(name.startswith(('heads.0', 'trunks.0')) for name in moved)
