"""Learning from experience of any origin: what to remember, when to update, how to go on later."""

import numpy as np
import torch

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.dqn import Learner
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.replay import Replay
from rapid_nav.inference.network_config import NetworkConfig


class Pupil:
    """
    A learner with its memory and its schedule, for whom somebody else flies.

    The memory is one column long: stretches of flight lie in it one after another, whoever flew
    them. The schedule counts the transitions remembered.
    """

    def __init__(
        self, network: NetworkConfig, agent: AgentConfig, config: TrainConfig, history: int
    ) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.agent, self.config = agent, config
        self.learner = Learner(EarlyExitNetwork(network), agent, config.device)
        channels, height, width = network.input_shape
        self.replay = Replay(
            config.replay_size,
            1,
            (channels // history, height, width),
            history,
            agent.n_step,
            agent.discount,
            agent.priority_exponent,
            config.seed,
        )
        self.step = 0  # transitions remembered, ever
        self.metrics: dict[str, float] = {}
        self.distilled = False  # whether the last phase has begun

    def remember(
        self,
        frames: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminated: bool,
        context: int = 0,
    ) -> None:
        """
        Take a stretch of one flight: frames (T, c, h, w) uint8, what was done on each but the last
        (T - 1,), what it earned (T - 1,), and whether the last frame is an end for good.

        The first `context` frames only say what was seen before.
        """
        last = len(actions)
        for k, frame in enumerate(frames):
            end = k == last - 1
            self.replay.add(
                frame[None],
                np.array([k]),
                actions[k : k + 1] if k < last else np.zeros(1),
                rewards[k : k + 1] if k < last else np.zeros(1),
                np.array([end and terminated]),
                np.array([end and not terminated]),
                np.array([context <= k < last]),
            )
        self.step += last - context

    @property
    def due(self) -> int:
        """How many updates the schedule is behind what is remembered."""
        if self.step < self.config.learning_starts or not self.replay.ready:
            return 0
        allowed = (self.step - self.config.learning_starts) / self.config.steps_per_update
        return max(0, int(allowed) - self.learner.updates)

    @property
    def epsilon(self) -> float:
        """The share of random actions that whoever flies should take now."""
        config = self.config
        beyond = self.step - config.learning_starts
        share = beyond / max(1.0, config.epsilon_share * config.steps)
        share = min(1.0, max(0.0, share))
        return config.epsilon_start + share * (config.epsilon_end - config.epsilon_start)

    def learn(self, done: float | None = None) -> None:
        """Make one update from what is remembered, with so much of the schedule done [0, 1]."""
        done = min(1.0, self.step / self.config.steps) if done is None else done
        branches = self.agent.mode == 'rapid' and self.learner.network.num_levels > 1
        distilling = self.config.distil_share if branches else 0.0  # at the end
        if distilling > 0 and done >= 1.0 - distilling:
            self._distil((done - 1.0 + distilling) / distilling)
            return
        progress = done / (1.0 - distilling)
        self.learner.set_progress(progress)
        start = self.agent.importance_exponent
        batch = self.replay.sample(self.agent.batch_size, start + (1.0 - start) * progress)
        metrics, td_error = self.learner.update(batch, progress)
        if self.agent.priority_exponent > 0:
            self.replay.update_priorities(batch.index, td_error)
        self._average(metrics)

    def _distil(self, progress: float) -> None:
        """Train the branches alone; the full path stands still."""
        if not self.distilled:
            self.distilled = True
            self.replay.forget_priorities()
        self.learner.set_progress(min(1.0, progress))
        self._average(self.learner.distil(self.replay.sample(self.agent.batch_size, 0.0)))

    def _average(self, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.metrics[name] = 0.99 * self.metrics.get(name, value) + 0.01 * value

    def summary(self) -> dict[str, float]:
        """Return the running means of losses, and where the schedule stands."""
        return {'epsilon': self.epsilon, 'updates': self.learner.updates, **self.metrics}

    def to_arrays(self) -> training_state.Arrays:
        """Return all that it needs to go on, for state.save."""
        return {
            **training_state.prefixed('learner', self.learner.to_arrays()),
            **training_state.prefixed('replay', self.replay.to_arrays()),
            'torch_rng': torch.get_rng_state().numpy(),
            'counters': training_state.from_json(
                {'step': self.step, 'metrics': self.metrics, 'distilled': self.distilled}
            ),
        }

    def from_arrays(self, arrays: training_state.Arrays) -> None:
        """Take over what `to_arrays` returned, from a pupil of the same settings."""
        self.learner.from_arrays(training_state.part('learner', arrays))
        self.replay.from_arrays(training_state.part('replay', arrays))
        if 'torch_rng' in arrays:  # not in older files, which knew no noise
            torch.set_rng_state(torch.from_numpy(arrays['torch_rng']))
        counters = training_state.to_json(arrays['counters'])
        self.step, self.metrics = counters['step'], counters['metrics']
        self.distilled = counters['distilled']
