"""`rapid-nav train drone --bag`: learning from recorded flights, off-policy and without ROS."""

from collections.abc import Sequence
import logging
from pathlib import Path
import time
from typing import Any

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import AgentConfig, to_dict, TrainConfig
from rapid_nav.agent.trainer import Pupil
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import Join
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.offline.training.bag_reader import stretches
from rapid_nav.offline.training.loop import Progress
from rapid_nav.offline.training.progress_bar import TrainingLog

log = logging.getLogger(__name__)
_REPORT_S = 5.0


def read(bags: Sequence[Path], task: FlightTask, pupil: Pupil) -> dict[str, Any]:
    """Remember what the bags hold; return how much of it there was."""
    join = Join(task.observation.history)
    for stretch in stretches(bags, task, join):
        pupil.remember(
            stretch.frames, stretch.actions, stretch.rewards, stretch.terminated, stretch.context
        )
    found = {'transitions': pupil.step, **join.counts(), 'lost_share': join.lost_share()}
    log.info('the bags hold %s', found)
    if not pupil.replay.ready:
        raise ValueError(
            f'{", ".join(map(str, bags))}: no flight to learn from; a bag needs camera/depth, '
            'exit_level and outcome, as `rapid-nav fly --record` writes them'
        )
    return found


def train(
    bags: Sequence[Path],
    out: Path,
    task: FlightTask,
    network: NetworkConfig,
    agent: AgentConfig,
    config: TrainConfig,
    teacher: Checkpoint | None,
) -> Checkpoint:
    """Make all the updates that the settings give, save what came of it and return that."""
    if task.observation.kind != 'depth':
        raise ValueError('bags hold depth images, and this task sees colours; let it fly')
    pupil = Pupil(network, agent, config, task.observation.history)
    if teacher is not None:
        pupil.learner.follow(teacher.network)
    found = read(bags, task, pupil)
    updates = max(1, config.steps // config.steps_per_update)
    due = time.monotonic()
    with TrainingLog(out, updates) as training_log:
        for update in range(updates):
            pupil.learn(update / updates)
            if time.monotonic() >= due:
                training_log(Progress(update, pupil.summary()))
                due = time.monotonic() + _REPORT_S
        training_log(Progress(updates, pupil.summary()))
    card = {
        'task': 'drone',
        'bags': [path.name for path in bags],
        'found': found,
        'updates': pupil.learner.updates,
        'seed': config.seed,
        'agent': to_dict(agent),
        'train': to_dict(config),
    }
    made = Checkpoint(pupil.learner.network, task.to_dict(), {}, card)
    checkpoint.save(out / 'policy.safetensors', made)
    return made
