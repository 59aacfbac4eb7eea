"""A training run from its start, or from its saved state, to its end."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging
from pathlib import Path
import time
from typing import Any

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import to_dict
from rapid_nav.agent.run_directory import RunDirectory
from rapid_nav.agent.training_state import step_of
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.offline.training.loop import TrainingLoop
from rapid_nav.offline.training.progress_bar import ProgressBar, say
from rapid_nav.shutdown import stop_requested

log = logging.getLogger(__name__)
_ROWS = 200  # of a log, at least
_ROW_STEPS = 10_000  # between two rows of a log, at most
_RETRY_S = 30.0  # until a save that failed is tried again, at most


@dataclass(frozen=True)
class Run:
    """What a training run makes, where it keeps it, and how often it saves."""

    directory: RunDirectory
    steps: int  # of the schedule
    task: Mapping[str, Any]
    card: Mapping[str, Any]
    save_seconds: float
    resume: bool = True

    def train(self, make: Callable[[], TrainingLoop]) -> bool:
        """
        Train what `make` returns, from its start or its saved state; return whether to the end.

        An interrupt ends it between two steps, so what is saved is whole.
        """
        state = self.directory.load() if self.resume else None
        if state is not None and (step := step_of(state)) >= self.steps:
            say(f'{self.directory.path}: finished at step {step} already; nothing is changed')
            return True
        loop = make()
        if state is not None:
            self.directory.restore(loop, state)
            say(f'{self.directory.path}: going on from step {loop.trainer.step}')
        with ProgressBar(self.directory.path, self.steps, loop.trainer.step) as progress:
            finished = self._advance(loop, progress)
        if fault := self._save(loop):
            raise ValueError(
                f'{fault}: step {loop.trainer.step} could not be saved; make room and start it '
                'again'
            )
        return finished

    def _advance(self, loop: TrainingLoop, progress: ProgressBar) -> bool:
        """Advance to the last step or to an interrupt, logging at fixed steps."""
        trainer = loop.trainer
        period = max(1, min(_ROW_STEPS, self.steps // _ROWS))
        save_at = time.monotonic() + self.save_seconds
        with stop_requested() as stop:
            while trainer.step < self.steps and not stop.is_set():
                row = trainer.step // period
                loop.advance()
                if trainer.step // period > row or trainer.step >= self.steps:
                    progress(trainer.step, loop.summary() | trainer.check_divergence())
                if time.monotonic() >= save_at:
                    fault = self._save(loop)
                    if fault:
                        log.warning('%s; training goes on and tries to save again', fault)
                    wait = min(self.save_seconds, _RETRY_S) if fault else self.save_seconds
                    save_at = time.monotonic() + wait
        return trainer.step >= self.steps

    def _save(self, loop: TrainingLoop) -> str:
        trainer = loop.trainer
        card = {
            'steps': trainer.step,
            'updates': trainer.learner.updates,
            'seed': trainer.config.seed,
            'agent': to_dict(trainer.agent),
            'train': to_dict(trainer.config),
            **self.card,
        }
        made = Checkpoint(trainer.learner.network, self.task, {}, card)
        return self.directory.save(made, loop.state_dict())


def add_operating_points(path: Path, choose: Callable[[Checkpoint], Checkpoint]) -> None:
    """Choose the operating points of a trained policy, unless it has them already."""
    policy = checkpoint.load(path)
    if not policy.operating_points:
        checkpoint.save(path, choose(policy))


def load_teacher(
    path: Path,
    network: NetworkConfig,
    task: Any,
    task_of: Callable[[Mapping[str, Any]], Any] = dict,
) -> Checkpoint:
    """
    Load a plain network to distil from; ValueError if this run could not.

    ``task_of`` makes of a checkpoint's task what ``task`` is.
    """
    teacher = checkpoint.load(path)
    if len(network.stages) == 1:
        raise ValueError('a network without side branches has no branches to learn from a teacher')
    if task_of(teacher.task) != task:
        raise ValueError(f'{path} was trained for another task than this training run')
    return teacher
