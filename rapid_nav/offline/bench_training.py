"""`rapid-nav bench training`: environment steps a second while learning, beside SB3."""

from collections.abc import Callable
from dataclasses import dataclass
import json
from pathlib import Path
from statistics import median
import time
from typing import Any

import torch

from rapid_nav.core.config import AgentConfig, NetworkConfig, TrainConfig
from rapid_nav.core.network import EarlyExitNetwork
from rapid_nav.flight.task import FlightTask
from rapid_nav.offline.drone_env import DroneEnv, DroneVectorEnv
from rapid_nav.offline.train import Trainer
from rapid_nav.offline.train_drone import network_for
from rapid_nav.settings import check, setting
from rapid_nav.sim.world import make_world

WARM_UP = 2_000  # steps before anything is timed: replay filled, everything compiled


@dataclass(frozen=True)
class BenchTrainingConfig:
    """What `rapid-nav bench training` takes."""

    seconds: float = setting(20.0, 'Each turn of each learner takes so long.', unit='s', low=0.1)
    turns: int = setting(3, 'Each learner has so many turns, one after the other.', low=1)
    batch_size: int = setting(32, 'An update of either learns from so many transitions.', low=1)
    steps_per_update: int = setting(
        4, 'Either makes so many environment steps for each update.', low=1)
    threads: int = setting(2, 'Either uses so many threads of PyTorch.', low=1)
    report: Path | None = setting(None, 'The figures are written to this JSON file.')

    def __post_init__(self) -> None:
        check(self)


def main(config: BenchTrainingConfig) -> dict[str, Any]:
    """Time both in turns, on the same network, batches, update ratio and environment."""
    torch.set_num_threads(config.threads)
    task, worlds = FlightTask(), [make_world('pillars', seed) for seed in range(4)]
    network = network_for(task, 'plain')
    ours = _ours(config, task, worlds, network)
    sb3 = _sb3(config, task, worlds, network)
    rates: dict[str, list[float]] = {'ours': [], 'sb3': []}
    for _ in range(config.turns):
        for name, advance in (('ours', ours), ('sb3', sb3)):
            rates[name].append(_rate(advance, config.seconds))
    report = {
        'ours_steps_s': median(rates['ours']), 'sb3_steps_s': median(rates['sb3']),
        'ratio': median(rates['ours']) / median(rates['sb3']), 'turns': rates,
        'batch_size': config.batch_size, 'steps_per_update': config.steps_per_update,
        'threads': config.threads,
    }
    print(json.dumps(report, indent=1))
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    return report


def _rate(advance: Callable[[], int], seconds: float) -> float:
    """Return the steps a second of a learner that makes some with each call."""
    began, steps = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        steps += advance()
    return steps / spent


def _ours(
    config: BenchTrainingConfig, task: FlightTask, worlds: list[Any], network: NetworkConfig
) -> Callable[[], int]:
    env = DroneVectorEnv(task, worlds, 32)
    trainer = Trainer(
        env, network, AgentConfig(batch_size=config.batch_size, priority_exponent=0.0, n_step=1),
        TrainConfig(num_envs=32, steps_per_update=config.steps_per_update, replay_size=20_000,
                    learning_starts=WARM_UP, threads=config.threads),
        history=task.observation.history)

    def advance() -> int:
        trainer.advance()
        return 32

    while trainer.step < WARM_UP:
        advance()
    return advance


def _sb3(
    config: BenchTrainingConfig, task: FlightTask, worlds: list[Any], network: NetworkConfig
) -> Callable[[], int]:
    try:
        from stable_baselines3 import DQN
        from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{error.name} is not installed; pip install '.[bench]' brings it") from error

    class Body(BaseFeaturesExtractor):  # type: ignore[misc, unused-ignore]
        """Our plain network, whose Q-values SB3's own last layer passes on."""

        def __init__(self, space: Any) -> None:
            super().__init__(space, network.num_actions)
            self.body = EarlyExitNetwork(network)

        def forward(self, observation: torch.Tensor) -> torch.Tensor:
            return self.body(observation)

    model = DQN(
        'CnnPolicy', DroneEnv(task, worlds), batch_size=config.batch_size, buffer_size=20_000,
        train_freq=config.steps_per_update, gradient_steps=1, learning_starts=WARM_UP,
        target_update_interval=500, seed=0, device='cpu', policy_kwargs={
            'features_extractor_class': Body, 'net_arch': [], 'normalize_images': True})
    model.learn(WARM_UP)

    def advance() -> int:
        model.learn(256, reset_num_timesteps=False)
        return 256

    return advance
