"""The environment loop: a trainer's network acts, and the trainer learns from what follows."""

from collections.abc import Mapping
import dataclasses
from typing import Any, Protocol

import gymnasium
import numpy as np
import torch

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.trainer import Trainer
from rapid_nav.agent.training_state import part, with_prefix
from rapid_nav.drone.seeds import check_training_seed
from rapid_nav.inference.exit_rule import levels_of, NEVER
from rapid_nav.inference.network_config import NetworkConfig


class TrainingLoop(Protocol):
    """Anything that trains step by step up to the last one of its schedule."""

    trainer: Trainer

    def advance(self) -> None:
        """Make the next steps and the updates that are due."""

    def summary(self) -> dict[str, float]:
        """Return running means for the log."""

    def state_dict(self) -> training_state.Arrays:
        """Return all that the run needs to go on."""

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned."""


class EnvironmentLoop:
    """Acts in environments and hands what comes of it to a trainer; `advance` steps them once."""

    def __init__(
        self, env: gymnasium.vector.VectorEnv, trainer: Trainer, early_share: float
    ) -> None:
        self.env: Any = env  # with state_dict and load_state_dict, if the run is saved
        self.trainer = trainer
        config, network = trainer.config, trainer.learner.network.config
        channels = network.input_shape[0]
        self.newest = slice(channels - channels // trainer.replay.history, channels)
        self.rng = np.random.default_rng(config.seed)
        self.thresholds = self._thresholds(early_share)
        self.distilling_thresholds = self._thresholds(1.0)
        self.observation, _ = env.reset(seed=check_training_seed(config.seed))
        self.age = np.zeros(env.num_envs, np.int32)
        self.over = np.zeros(env.num_envs, bool)
        self.returns = np.zeros(env.num_envs)
        self.recent: list[tuple[float, int]] = []  # return and length of ended episodes

    def _thresholds(self, early_share: float) -> torch.Tensor:
        """Return the thresholds (L - 1, N) by which each environment acts while training."""
        thresholds = np.full(self.env.num_envs, NEVER)
        early = int(early_share * self.env.num_envs)
        thresholds[:early] = np.linspace(0.0, 1.0, max(early, 1))[:early]
        branches = self.trainer.learner.network.num_levels - 1
        return torch.from_numpy(np.tile(thresholds, (branches, 1)))

    def advance(self) -> None:
        """Step every environment once and make the updates that are due."""
        action, teacher_q = self.act()
        frame = self.observation[:, self.newest]
        observation, reward, terminated, truncated, _ = self.env.step(action)
        self.trainer.replay.add(
            frame, self.age, action, reward, terminated, truncated, ~self.over, teacher_q
        )
        self.returns += np.where(self.over, 0.0, reward)
        self.age = np.where(self.over, 0, self.age + 1)
        self.over = terminated | truncated
        for index in np.flatnonzero(self.over):
            self.recent.append((float(self.returns[index]), int(self.age[index])))
            self.returns[index] = 0.0
        self.recent = self.recent[-200:]
        self.observation = observation
        self.trainer.step += self.env.num_envs
        for _ in range(self.trainer.due):
            self.trainer.update()

    def act(self) -> tuple[np.ndarray, np.ndarray | float]:
        """Return epsilon-greedy actions (N,) and the teacher's Q-values (N, A), NaN for none."""
        trainer = self.trainer
        frozen = trainer.full_path_stands
        actions, confidences, q_values = trainer.learner.act(self.observation, explore=not frozen)
        thresholds = self.distilling_thresholds if trainer.distilling else self.thresholds
        level = levels_of(torch.from_numpy(confidences), thresholds).numpy()
        greedy = actions[level, np.arange(len(level))]
        random = self.rng.integers(trainer.learner.network.config.num_actions, size=len(greedy))
        action = np.where(self.rng.random(len(greedy)) < trainer.epsilon, random, greedy)
        # Only the Q-values of a frozen teacher still hold when they are sampled.
        return action, q_values if frozen else np.nan

    def summary(self) -> dict[str, float]:
        """Return the running means of losses and of the last episodes."""
        episodes = {}
        if self.recent:
            returns, lengths = zip(*self.recent, strict=True)
            episodes = {'return': float(np.mean(returns)), 'length': float(np.mean(lengths))}
        return {**episodes, **self.trainer.summary()}

    def state_dict(self) -> training_state.Arrays:
        """Return all that the run needs to go on, its environments included."""
        return {
            **self.trainer.state_dict(),
            **with_prefix('env', self.env.state_dict()),
            'rng': training_state.generator_state(self.rng),
            'observation': self.observation,
            'age': self.age,
            'over': self.over,
            'returns': self.returns,
            'recent': np.array(self.recent, np.float64).reshape(-1, 2),
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned; StateError if it is of other settings."""
        self.trainer.load_state_dict(state)
        if state['observation'].shape != self.observation.shape:
            raise training_state.StateError(
                f'its observations have shape {state["observation"].shape}, here '
                f'{self.observation.shape}'
            )
        self.env.load_state_dict(part('env', state))
        training_state.set_generator_state(self.rng, state['rng'])
        self.observation = state['observation']
        self.age, self.over, self.returns = state['age'], state['over'], state['returns']
        old = training_state.decode_json(state['counters']).get('recent', [])  # of version 0.1
        self.recent = [(float(r), int(n)) for r, n in state.get('recent', old)]


def make_loop(
    env: gymnasium.vector.VectorEnv,
    network: NetworkConfig,
    agent: AgentConfig,
    config: TrainConfig,
    history: int = 1,
) -> EnvironmentLoop:
    """Return environments with a trainer of a network for them."""
    dtype = env.single_observation_space.dtype or np.dtype(np.uint8)
    trainer = Trainer(network, agent, config, history, env.num_envs, dtype)
    return EnvironmentLoop(env, trainer, config.early_share)


def only_distilling(config: TrainConfig) -> TrainConfig:
    """Return the settings of a run whose full path is trained already."""
    return dataclasses.replace(config, distil_share=1.0, epsilon_start=config.epsilon_end)
