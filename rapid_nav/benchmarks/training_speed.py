"""`rapid-nav bench training`: environment steps a second while learning, beside SB3."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
import time
from typing import Any

import gymnasium
import numpy as np
import torch

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.offline.atari.env import AtariVectorEnv, standard_env
from rapid_nav.offline.atari.presets import NATURE
from rapid_nav.offline.drone.env import DroneEnv, DroneVectorEnv
from rapid_nav.offline.reporting.kinds import TrainingBenchmark
from rapid_nav.offline.training.loop import make_loop
from rapid_nav.options import check, setting
from rapid_nav.sim.worlds.world import make_world

WARM_UP = 2_000  # steps before anything is timed: replay filled, everything compiled


@dataclass(frozen=True)
class BenchTrainingConfig:
    """What `rapid-nav bench training` takes."""

    task: str = setting(
        'drone',
        'Learn to fly, or to play Pong as in 2015 (84x84, Nature network).',
        choices=('drone', 'atari'),
    )
    seconds: float = setting(20.0, 'Duration of a turn of each learner.', unit='s', low=0.1)
    turns: int = setting(3, 'Number of turns of each learner.', low=1)
    batch_size: int = setting(32, 'Transitions per update.', low=1)
    steps_per_update: int = setting(4, 'Environment steps per update.', low=1)
    threads: int = setting(2, 'Number of PyTorch threads.', low=1)
    report: Path | None = setting(None, 'JSON file for the figures.')

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Problem:
    """What both learn, with the kind of environment that is fastest for each."""

    vector: Callable[[], Any]  # ours: many side by side
    single: Callable[[], gymnasium.Env]  # Stable-Baselines3's: one
    network: NetworkConfig
    history: int


def main(config: BenchTrainingConfig) -> TrainingBenchmark:
    """Time both in turns, on the same network, batches, update ratio and environment."""
    torch.set_num_threads(config.threads)
    problem = _drone() if config.task == 'drone' else _atari()
    learners = {
        'ours': _ours(config, problem),
        'sb3': _sb3(config, problem),
        'ours_collect': _collect(problem.vector()),
        'sb3_collect': _collect(gymnasium.vector.SyncVectorEnv([problem.single])),
    }
    rates: dict[str, list[float]] = {name: [] for name in learners}
    for _ in range(config.turns):
        for name, advance in learners.items():
            rates[name].append(_rate(advance, config.seconds))
    speed = {name: median(turns) for name, turns in rates.items()}
    report = TrainingBenchmark(
        task=config.task,
        **{f'{name}_steps_s': rate for name, rate in speed.items()},
        ratio=speed['ours'] / speed['sb3'],
        collect_ratio=speed['ours_collect'] / speed['sb3_collect'],
        turns={name: tuple(turns) for name, turns in rates.items()},
        batch_size=config.batch_size,
        steps_per_update=config.steps_per_update,
        threads=config.threads,
    )
    print(report.to_json())
    report.write(config.report)
    return report


def _drone() -> Problem:
    task, worlds = FlightTask(), [make_world('pillars', seed) for seed in range(4)]
    return Problem(
        lambda: DroneVectorEnv(task, worlds, 32),
        lambda: DroneEnv(task, worlds),
        network_for(task, 'plain'),
        task.observation.history,
    )


def _atari() -> Problem:
    task = NATURE.task
    return Problem(
        lambda: AtariVectorEnv(task, 16),
        lambda: standard_env(task),
        NATURE.network(6, branches=False),
        task.history,
    )


def _rate(advance: Callable[[], int], seconds: float) -> float:
    """Return the steps a second of a learner that makes some with each call."""
    began, steps = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        steps += advance()
    return steps / spent


def _collect(env: Any) -> Callable[[], int]:
    """Return what steps an environment at random: no learning, no network."""
    rng = np.random.default_rng(0)
    env.reset(seed=0)

    def advance() -> int:
        env.step(rng.integers(env.single_action_space.n, size=env.num_envs))
        return int(env.num_envs)

    return advance


def _ours(config: BenchTrainingConfig, problem: Problem) -> Callable[[], int]:
    env = problem.vector()
    loop = make_loop(
        env,
        problem.network,
        # What Stable-Baselines3's DQN does, and no more: it is neither double nor prioritised.
        AgentConfig(batch_size=config.batch_size, priority_exponent=0.0, n_step=1, double=False),
        TrainConfig(
            num_envs=env.num_envs,
            steps_per_update=config.steps_per_update,
            replay_size=20_000,
            learning_starts=WARM_UP,
            threads=config.threads,
        ),
        history=problem.history,
    )

    def advance() -> int:
        loop.advance()
        return int(env.num_envs)

    while loop.trainer.step < WARM_UP:
        advance()
    return advance


def _sb3(config: BenchTrainingConfig, problem: Problem) -> Callable[[], int]:
    network = problem.network
    try:
        from stable_baselines3 import DQN
        from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed; pip install '.[bench]' brings it"
        ) from error

    class Body(BaseFeaturesExtractor):  # type: ignore[misc, unused-ignore]
        """Our plain network, whose Q-values SB3's own last layer passes on."""

        def __init__(self, space: Any) -> None:
            super().__init__(space, network.num_actions)
            self.body = EarlyExitNetwork(network)

        def forward(self, observation: torch.Tensor) -> torch.Tensor:
            q_values: torch.Tensor = self.body(observation)
            return q_values

    model = DQN(
        'CnnPolicy',
        problem.single(),
        batch_size=config.batch_size,
        buffer_size=20_000,
        train_freq=config.steps_per_update,
        gradient_steps=1,
        learning_starts=WARM_UP,
        target_update_interval=500,
        seed=0,
        device='cpu',
        policy_kwargs={'features_extractor_class': Body, 'net_arch': [], 'normalize_images': True},
    )
    model.learn(WARM_UP)

    def advance() -> int:
        model.learn(256, reset_num_timesteps=False)
        return 256

    return advance
