"""`rapid-nav train drone --bag`: learning from recorded flights, off-policy and without ROS."""

from collections.abc import Mapping, Sequence
import logging
from pathlib import Path
from typing import Any

import numpy as np

from rapid_nav.agent import training_state
from rapid_nav.agent.trainer import Trainer
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import TransitionAssembler
from rapid_nav.offline.training.bag_reader import trajectories

log = logging.getLogger(__name__)


class ReplayLoop:
    """A trainer whose replay is filled already; `advance` makes one update."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def advance(self) -> None:
        """Make an update, and count the environment steps that would have come with it."""
        self.trainer.update()
        self.trainer.step += self.trainer.config.steps_per_update

    def summary(self) -> dict[str, float]:
        """Return the running means of losses."""
        return self.trainer.summary()

    def state_dict(self) -> training_state.Arrays:
        """Return all that the run needs to go on, what the bags held included."""
        return self.trainer.state_dict()

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned."""
        self.trainer.load_state_dict(state)


def fill(trainer: Trainer, bags: Sequence[Path], task: FlightTask) -> dict[str, Any]:
    """Fill a trainer's replay from bags; return counts of what they held."""
    if task.observation.kind != 'depth':
        raise ValueError('bags hold depth images, and this task sees colours; let it fly')
    assembler = TransitionAssembler(task.observation.history, ActionGrid(task.actions).num_actions)
    for trajectory in trajectories(bags, task, assembler):
        trainer.add_trajectory(*trajectory.steps)
    found = {
        'transitions': trainer.step,
        **assembler.counts(),
        'lost_share': assembler.lost_share(),
    }
    log.info('the bags hold %s', found)
    if not trainer.replay.ready:
        raise ValueError(
            f'{", ".join(map(str, bags))}: no flight to learn from; a bag needs camera/depth, '
            'exit_level and outcome, as `rapid-nav fly --record` writes them'
        )
    trainer.step = 0  # from here on, of the schedule
    return found
