"""The training loop, the same for every task: act, remember, learn, report, save."""

from collections.abc import Callable
import dataclasses
from dataclasses import dataclass
import time
from typing import Any

import gymnasium
import numpy as np
import torch

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.divergence import HopelessTraining, signs, Watch
from rapid_nav.agent.dqn import Learner
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.replay import Replay
from rapid_nav.inference.exit_rule import levels_of, NEVER
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.shutdown import stop_requested


@dataclass
class Progress:
    """What a training has to say of itself now and then."""

    step: int
    metrics: dict[str, float]


class Trainer:
    """An agent and the environments it learns in; ``advance`` is one step of all of them."""

    def __init__(
        self,
        env: gymnasium.vector.VectorEnv,
        network: NetworkConfig,
        agent: AgentConfig,
        config: TrainConfig,
        history: int = 1,
    ) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.env: Any = env  # one that can also be saved, see to_arrays
        self.agent, self.config = agent, config
        self.learner = Learner(EarlyExitNetwork(network), agent, config.device)
        channels, height, width = network.input_shape
        self.newest = slice(channels - channels // history, channels)  # of an observation
        self.replay = Replay(
            config.replay_size,
            config.num_envs,
            (channels // history, height, width),
            history,
            agent.n_step,
            agent.discount,
            agent.priority_exponent,
            config.seed,
            env.single_observation_space.dtype or np.uint8,
            taught=network.num_actions if self._can_distil() else 0,
        )
        self.taught: np.ndarray | float = np.nan  # (N, A), what the full path says now
        self.rng = np.random.default_rng(config.seed)
        self.thresholds = self._thresholds_flown(config.early_share)
        self.flown_by_exits = False
        self.observation, _ = env.reset(seed=config.seed)
        self.age = np.zeros(config.num_envs, np.int32)
        self.over = np.zeros(config.num_envs, bool)
        self.step = 0
        self.owed = 0.0  # updates due, a fraction until the next one
        self.returns = np.zeros(config.num_envs)
        self.recent: list[tuple[float, int]] = []  # return and length of ended episodes
        self.metrics: dict[str, float] = {}
        self.watch = Watch(agent.discount, config.patience)
        self.complaint = ''

    def _thresholds_flown(self, early_share: float) -> torch.Tensor:
        """Return the thresholds (L - 1, N) that each environment flies by while training."""
        flown = np.full(self.config.num_envs, NEVER)
        early = int(early_share * self.config.num_envs)
        flown[:early] = np.linspace(0.0, 1.0, max(early, 1))[:early]
        return torch.from_numpy(np.tile(flown, (self.learner.network.num_levels - 1, 1)))

    @property
    def distilling(self) -> bool:
        """Whether the last phase has begun, in which the full path stands still."""
        return self.step >= self._full_path_steps() and self._can_distil()

    def _can_distil(self) -> bool:
        return self.agent.mode == 'rapid' and self.learner.network.num_levels > 1

    def _full_path_steps(self) -> float:
        share = self.config.distil_share if self._can_distil() else 0.0
        return (1.0 - share) * self.config.steps

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        config = self.config
        share = min(1.0, self.step / max(1.0, config.epsilon_share * config.steps))
        return config.epsilon_start + share * (config.epsilon_end - config.epsilon_start)

    def choose(self) -> np.ndarray:
        """Return an action for each environment (N,)."""
        actions, confidences, q_values = self.learner.act(
            self.observation, explore=not self.distilling
        )
        # Only a teacher that stands still can be taken at its word later.
        self.taught = q_values if self.distilling else np.nan
        level = levels_of(torch.from_numpy(confidences), self.thresholds).numpy()
        greedy = actions[level, np.arange(self.config.num_envs)]
        random = self.rng.integers(self.learner.network.config.num_actions, size=len(greedy))
        return np.where(self.rng.random(len(greedy)) < self.epsilon, random, greedy)

    def advance(self) -> None:
        """Step every environment once and make the updates that are due."""
        action = self.choose()
        seen = self.observation[:, self.newest]
        observation, reward, terminated, truncated, _ = self.env.step(action)
        self.replay.add(
            seen, self.age, action, reward, terminated, truncated, ~self.over, self.taught
        )
        self.returns += np.where(self.over, 0.0, reward)
        self.age = np.where(self.over, 0, self.age + 1)
        self.over = terminated | truncated
        for index in np.flatnonzero(self.over):
            self.recent.append((float(self.returns[index]), int(self.age[index])))
            self.returns[index] = 0.0
        self.recent = self.recent[-200:]
        self.observation = observation
        self.step += self.config.num_envs
        if self.step >= self.config.learning_starts and self.replay.ready:
            self.owed += self.config.num_envs / self.config.steps_per_update
            while self.owed >= 1.0:
                self.learn()
                self.owed -= 1.0

    def learn(self) -> None:
        """Make one update from the replay."""
        if self.distilling:
            self._distil()
            return
        progress = min(1.0, self.step / max(1.0, self._full_path_steps()))
        self.learner.set_progress(progress)
        start = self.agent.importance_exponent
        exponent = start + (1.0 - start) * progress
        batch = self.replay.sample(self.agent.batch_size, exponent)
        metrics, td_error = self.learner.update(batch, progress)
        if self.agent.priority_exponent > 0:
            self.replay.update_priorities(batch.index, td_error)
        self._average(metrics)

    def _distil(self) -> None:
        """Train the branches alone, on what early exits meet."""
        if not self.flown_by_exits:
            self.flown_by_exits = True
            self.replay.forget_priorities()
            self.thresholds = self._thresholds_flown(1.0)
        done = (self.step - self._full_path_steps()) / max(
            1.0, self.config.steps - self._full_path_steps()
        )
        self.learner.set_progress(min(1.0, done))
        self._average(self.learner.distil(self.replay.sample(self.agent.batch_size, 0.0)))

    def _average(self, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.metrics[name] = 0.99 * self.metrics.get(name, value) + 0.01 * value

    def summary(self) -> dict[str, float]:
        """Return the running means of losses and of the last episodes."""
        episodes = {}
        if self.recent:
            returns, lengths = zip(*self.recent, strict=True)
            episodes = {'return': float(np.mean(returns)), 'length': float(np.mean(lengths))}
        return {
            **episodes,
            'epsilon': self.epsilon,
            'updates': self.learner.updates,
            **self.metrics,
        }

    def examine(self) -> dict[str, float]:
        """Return the signs of health; `complaint` says why to stop if they have long been bad."""
        if not self.learner.updates or self.distilling:
            return {}
        rewards, observation = self.replay.excerpt(64)
        seen = signs(self.learner.network, self.learner.to_float(observation))
        self.complaint = self.watch.look(
            self.learner.updates,
            seen,
            float(np.abs(rewards).max()),
            float(rewards.std()) * self.agent.n_step**0.5,
        )
        return seen

    def to_arrays(self) -> training_state.Arrays:
        """Return all that the training needs to go on, its environments included."""
        return {
            **training_state.prefixed('learner', self.learner.to_arrays()),
            **training_state.prefixed('replay', self.replay.to_arrays()),
            **training_state.prefixed('env', self.env.to_arrays()),
            'rng': training_state.from_generator(self.rng),
            'observation': self.observation,
            'age': self.age,
            'over': self.over,
            'returns': self.returns,
            'torch_rng': torch.get_rng_state().numpy(),
            'counters': training_state.from_json(
                {
                    'step': self.step,
                    'owed': self.owed,
                    'recent': self.recent,
                    'metrics': self.metrics,
                    'flown_by_exits': self.flown_by_exits,
                }
            ),
        }

    def from_arrays(self, arrays: training_state.Arrays) -> None:
        """Take over what `to_arrays` returned, from a training of the same settings."""
        self.learner.from_arrays(training_state.part('learner', arrays))
        self.replay.from_arrays(training_state.part('replay', arrays))
        self.env.from_arrays(training_state.part('env', arrays))
        training_state.to_generator(self.rng, arrays['rng'])
        torch.set_rng_state(torch.from_numpy(arrays['torch_rng']))
        self.observation = arrays['observation']
        self.age, self.over, self.returns = arrays['age'], arrays['over'], arrays['returns']
        counters = training_state.to_json(arrays['counters'])
        self.step, self.owed = counters['step'], counters['owed']
        self.recent = [(value, length) for value, length in counters['recent']]
        self.metrics = counters['metrics']
        self.flown_by_exits = counters.get('flown_by_exits', False)
        if self.flown_by_exits:
            self.thresholds = self._thresholds_flown(1.0)


def only_distilling(config: TrainConfig) -> TrainConfig:
    """Return the settings of a training whose full path is there already."""
    return dataclasses.replace(config, distil_share=1.0, epsilon_start=config.epsilon_end)


def run(trainer: Trainer, report: Callable[[Progress], Any], report_seconds: float = 10.0) -> bool:
    """
    Advance to the last step, or to a Ctrl-C, reporting now and then; return whether to the last.

    An interrupt is taken between two steps, so that what is saved afterwards is whole.
    HopelessTraining if it shows the same fault for long.
    """
    due = time.monotonic()
    with stop_requested() as stop:
        while trainer.step < trainer.config.steps and not stop.is_set():
            trainer.advance()
            if time.monotonic() >= due:
                report(Progress(trainer.step, trainer.summary() | trainer.examine()))
                if trainer.complaint:
                    raise HopelessTraining(trainer.complaint)
                due = time.monotonic() + report_seconds
    report(Progress(trainer.step, trainer.summary()))
    return not stop.is_set()
