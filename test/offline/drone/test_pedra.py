"""PEDRA's task can be learned: a small form of it, in minutes."""

import dataclasses

import numpy as np
import pytest

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.init_weights import initialise
from rapid_nav.cli.train_drone import training_worlds
from rapid_nav.drone.task import TASKS
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.evaluation.suite import GENERATED
from rapid_nav.offline.training.loop import EnvironmentLoop, make_loop

PEDRA = TASKS['pedra']
SMALL = dataclasses.replace(
    PEDRA, observation=dataclasses.replace(PEDRA.observation, width=36, height=36)
)
NETWORK = NetworkConfig(
    SMALL.observation.shape,
    25,
    (Stage((Conv(16, 5, 2, pool=2, pool_stride=2), Conv(32, 3, 2, 1)), 64),),
    duelling=False,
)


def pedra_loop(**changes) -> EnvironmentLoop:
    return make_loop(
        DroneVectorEnv(SMALL, training_worlds(','.join(GENERATED), 4), 16),
        NETWORK,
        AgentConfig(discount=0.95, n_step=3, batch_size=32, learning_rate=1e-3, target_period=100),
        TrainConfig(
            **{
                'steps': 6400,
                'num_envs': 16,
                'steps_per_update': 4,
                'replay_size': 6400,
                'learning_starts': 500,
                'epsilon_share': 0.4,
                **changes,
            }
        ),
    )


def returns(loop: EnvironmentLoop) -> list[float]:
    """Train to the end; return what the last hundred flights earned."""
    while loop.trainer.step < loop.trainer.config.steps:
        loop.advance()
    return [value for value, _ in loop.recent[-100:]]


@pytest.mark.slow
def test_a_short_training_earns_twice_what_chance_does():
    chance = returns(pedra_loop(steps=1600, learning_starts=1600, epsilon_end=1.0))
    loop = pedra_loop()
    initialise(loop.trainer.learner.network, float(loop.observation.mean()) / 255)
    loop.trainer.learner.update_target()
    learned = returns(loop)
    assert len(chance) == len(learned) == 100
    assert np.mean(learned) > 2.0 * np.mean(chance) > 0.0
