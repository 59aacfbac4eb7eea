"""Online learning without ROS: what is offered, what is saved, and what it goes on from."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig
from rapid_nav.agent.metrics_log import read_rows
from rapid_nav.drone.online_config import OnlineConfig
from rapid_nav.drone.task import TASKS
from rapid_nav.drone.transition_assembler import Trajectory
from rapid_nav.nodes.learning.learner import OnlineLearner

CONFIG = OnlineConfig(learning_starts=10, steps_per_update=4, replay_size=500)


def learner_in(folder: Path, **changes: object) -> OnlineLearner:
    config = dataclasses.replace(CONFIG, out=str(folder), **changes)
    return OnlineLearner(config, TASKS[config.task], AgentConfig(batch_size=8))


def trajectory(seed: int = 0, length: int = 40) -> Trajectory:
    rng = np.random.default_rng(seed)
    return Trajectory(
        '/drone0',
        rng.integers(256, size=(length + 1, 1, 36, 64)).astype(np.uint8),
        rng.integers(25, size=length),
        rng.random(length).astype(np.float32),
        True,
        0,
    )


def learn(learner: OnlineLearner, updates: int) -> None:
    learner.run(lambda: learner.trainer.learner.updates < updates and not learner.fault)


def test_it_goes_on_where_it_was_with_a_log_that_only_grows(tmp_path: Path) -> None:
    with learner_in(tmp_path) as first:
        first.add(trajectory())
        learn(first, 5)
    assert first.latest.updates == 5
    with learner_in(tmp_path) as second:
        assert second.trainer.step == 40 and second.trainer.learner.updates == 5
        second.add(trajectory(1))
        learn(second, 12)
    steps = [row['step'] for row in read_rows(tmp_path / 'log.jsonl')]
    assert steps == sorted(steps) and steps[-1] == 80


def test_other_settings_and_a_second_trainer_are_refused(tmp_path: Path) -> None:
    with learner_in(tmp_path) as one:
        one.save()
        with pytest.raises(ValueError, match='is in use by process'), learner_in(tmp_path):
            pass
    with (
        pytest.raises(ValueError, match='seed is 0 there and 3 here'),
        learner_in(tmp_path, seed=3),
    ):
        pass
    with learner_in(tmp_path, offer_seconds=1.0, keep=2):  # by which nothing is learned
        pass
    with pytest.raises(ValueError, match='seed 10000 is held out'):
        learner_in(tmp_path, seed=10_000)


def test_weights_that_are_not_finite_are_neither_offered_nor_saved(tmp_path: Path) -> None:
    with learner_in(tmp_path) as learner:
        learner.add(trajectory())
        learn(learner, 3)
        offer, state = learner.latest, (tmp_path / 'state.safetensors').read_bytes()
        learner.trainer.learner.network.heads[-1].q.bias.data[0] = float('nan')
        learn(learner, 6)
        learner.save()
    assert 'NaN or infinite' in learner.fault
    assert learner.latest == offer and offer.path.exists()
    assert (tmp_path / 'state.safetensors').read_bytes() == state
    assert training_state.step_of(training_state.load(tmp_path / 'state.safetensors')) == 40
