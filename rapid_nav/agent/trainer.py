"""The training loop of every task: what is remembered, when to update, how to go on later."""

from collections.abc import Mapping

import numpy as np
import torch

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig, ScheduleConfig
from rapid_nav.agent.divergence import DivergenceWatch, signs
from rapid_nav.agent.dqn import Learner
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.replay import Replay
from rapid_nav.agent.training_state import part, with_prefix
from rapid_nav.inference.network_config import NetworkConfig


class Trainer:
    """
    A learner with its replay and its schedule; others act and bring the transitions.

    The replay has `num_envs` columns: one for each environment that steps, or a single one for
    whole trajectories. The schedule counts transitions.
    """

    def __init__(
        self,
        network: NetworkConfig,
        agent: AgentConfig,
        config: ScheduleConfig,
        history: int = 1,
        num_envs: int = 1,
        dtype: np.dtype | type = np.uint8,
    ) -> None:
        torch.manual_seed(config.seed)
        torch.set_num_threads(config.threads)
        self.agent, self.config = agent, config
        self.learner = Learner(EarlyExitNetwork(network), agent, config.device)
        channels, height, width = network.input_shape
        self.distils = agent.mode == 'rapid' and len(network.stages) > 1
        self.replay = Replay(
            config.replay_size,
            num_envs,
            (channels // history, height, width),
            history,
            agent.n_step,
            agent.discount,
            agent.priority_exponent,
            config.seed,
            dtype,
            teacher_actions=network.num_actions if self.distils else 0,
        )
        self.step = 0  # transitions so far
        self.metrics: dict[str, float] = {}  # running means
        self.distilling = False  # whether the last phase has begun
        self.watch = DivergenceWatch(agent.discount, config.patience)

    def add_trajectory(
        self,
        frames: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        terminated: bool,
        context: int = 0,
    ) -> None:
        """
        Add consecutive steps of one episode to a replay of one column.

        Frames (T, c, h, w) uint8, the actions (T - 1,) taken on all but the last, their rewards
        (T - 1,), and whether the last frame is terminal. The first `context` frames are only
        part of later observations.
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
        """The number of updates that the schedule is behind the transitions."""
        envs = self.replay.num_envs
        first = -(-self.config.learning_starts // envs) * envs  # the first step that learns
        if self.step < first or not self.replay.ready:
            return 0
        allowed = (self.step - first + envs) // self.config.steps_per_update
        return max(0, allowed - self.learner.updates)

    @property
    def epsilon(self) -> float:
        """The share of random actions now."""
        config = self.config
        share = min(1.0, self.step / max(1.0, config.epsilon_share * config.steps))
        return config.epsilon_start + share * (config.epsilon_end - config.epsilon_start)

    @property
    def full_path_steps(self) -> float:
        """The step at which the last phase begins, in which only branches learn."""
        return (1.0 - (self.config.distil_share if self.distils else 0.0)) * self.config.steps

    @property
    def full_path_stands(self) -> bool:
        """Whether the last phase begins with the next update, or has begun."""
        return self.distils and self.step >= self.full_path_steps

    def update(self) -> None:
        """Make one update."""
        begins = self.full_path_steps
        if self.full_path_stands:
            self._distil(min(1.0, (self.step - begins) / max(1.0, self.config.steps - begins)))
            return
        progress = min(1.0, self.step / max(1.0, begins))
        self.learner.set_progress(progress)
        start = self.agent.importance_exponent
        batch = self.replay.sample(self.agent.batch_size, start + (1.0 - start) * progress)
        metrics, td_error = self.learner.update(batch, progress)
        if self.agent.priority_exponent > 0:
            self.replay.update_priorities(batch.indices, td_error)
        self._average(metrics)

    def _distil(self, progress: float) -> None:
        """Train the branches alone."""
        if not self.distilling:
            self.distilling = True
            self.replay.forget_priorities()
        self.learner.set_progress(progress)
        self._average(self.learner.distil(self.replay.sample(self.agent.batch_size, 0.0)))

    def _average(self, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self.metrics[name] = 0.99 * self.metrics.get(name, value) + 0.01 * value

    def summary(self) -> dict[str, float]:
        """Return the running means of losses, and the position in the schedule."""
        return {'epsilon': self.epsilon, 'updates': self.learner.updates, **self.metrics}

    def check_divergence(self) -> dict[str, float]:
        """Return signs of divergence; DivergedTraining when they have lasted too long."""
        if not self.learner.updates or self.full_path_stands:
            return {}
        rewards, observation = self.replay.excerpt(64)
        seen = signs(self.learner.network, self.learner.to_float(observation))
        self.watch.check(
            self.learner.updates,
            seen,
            float(np.abs(rewards).max()),
            float(rewards.std()) * self.agent.n_step**0.5,
        )
        return seen

    def state_dict(self) -> training_state.Arrays:
        """Return all that it needs to go on, for training_state.save."""
        return {
            **with_prefix('learner', self.learner.state_dict()),
            **with_prefix('replay', self.replay.state_dict()),
            'torch_rng': torch.get_rng_state().numpy(),
            'counters': training_state.encode_json(
                {
                    'step': self.step,
                    'metrics': self.metrics,
                    'distilling': self.distilling,
                    'diverging': self.watch.since,
                }
            ),
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned; StateError if it is of other settings."""
        try:
            self.learner.load_state_dict(part('learner', state))
            self.replay.load_state_dict(part('replay', state))
            if 'torch_rng' in state:  # not in the oldest files
                torch.set_rng_state(torch.from_numpy(state['torch_rng']))
            counters = training_state.decode_json(state['counters'])
            self.step, self.metrics = counters['step'], counters['metrics']
        except (KeyError, IndexError) as error:
            raise training_state.StateError(f'it lacks {error}') from error
        self.distilling = counters.get(
            'distilling', counters.get('distilled', counters.get('flown_by_exits', False))
        )
        self.watch.since = counters.get('diverging', {})
