"""A training's folder: what it goes on from, what it keeps there, and what it learns from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging
from pathlib import Path
import time
from typing import Any

from rapid_nav.agent import checkpoint, training_state
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import to_dict
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.offline.training.loop import Progress, run, Trainer
from rapid_nav.offline.training.progress_bar import TrainingLog

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingFolder:
    """Where a training keeps its checkpoint, its state and its log."""

    path: Path
    save_seconds: float
    resume: bool

    @property
    def policy(self) -> Path:
        """The checkpoint."""
        return self.path / 'policy.safetensors'

    @property
    def state(self) -> Path:
        """What an interrupted training goes on from."""
        return self.path / 'state.safetensors'

    def train(self, trainer: Trainer, task: Mapping[str, Any], card: Mapping[str, Any]) -> bool:
        """Train, from the start or on from the last saved state; return whether to the end."""
        if self.resume and self.state.exists():
            trainer.from_arrays(training_state.load(self.state))
            log.info('going on from step %d in %s', trainer.step, self.state)
        saved = time.monotonic()

        def save() -> None:
            learner = trainer.learner
            checkpoint.save(
                self.policy,
                Checkpoint(
                    learner.network,
                    task,
                    {},
                    {
                        'steps': trainer.step,
                        'updates': learner.updates,
                        'seed': trainer.config.seed,
                        'agent': to_dict(trainer.agent),
                        'train': to_dict(trainer.config),
                        **card,
                    },
                ),
            )
            training_state.save(self.state, trainer.to_arrays())

        with TrainingLog(self.path, trainer.config.steps, trainer.step) as training_log:

            def report(progress: Progress) -> None:
                nonlocal saved
                training_log(progress)
                if time.monotonic() - saved >= self.save_seconds:
                    save()
                    saved = time.monotonic()

            finished = run(trainer, report, min(10.0, self.save_seconds))
        save()
        return finished


def load_teacher(
    path: Path,
    network: NetworkConfig,
    task: Any,
    task_of: Callable[[Mapping[str, Any]], Any] = dict,
) -> Checkpoint:
    """
    Load a plain network to learn from; ValueError if this training could not.

    ``task_of`` makes of a checkpoint's task what ``task`` is.
    """
    teacher = checkpoint.load(path)
    if len(network.stages) == 1:
        raise ValueError('a network without side branches has no branches to learn from a teacher')
    if task_of(teacher.task) != task:
        raise ValueError(f'{path} was trained for another task than this training')
    return teacher
