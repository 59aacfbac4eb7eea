"""Online learning: trajectories come in, checkpoints go out, and the run is saved."""

from collections.abc import Callable
import logging
from pathlib import Path
import queue
import time
from typing import NamedTuple
import zlib

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import AgentConfig, fields_of, to_dict
from rapid_nav.agent.divergence import DivergedTraining
from rapid_nav.agent.metrics_log import MetricsLog
from rapid_nav.agent.run_directory import RunDirectory, settings_of
from rapid_nav.agent.trainer import Trainer
from rapid_nav.atomic_write import write_atomically
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.online_config import OnlineConfig
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import Trajectory
from rapid_nav.inference.checkpoint_format import CheckpointError

log = logging.getLogger(__name__)
_LOG_S = 10.0  # between two rows of the log
_NOT_LEARNED = ('out', 'offer_seconds', 'save_seconds', 'keep')


class Offer(NamedTuple):
    """A checkpoint for the drones to fly by."""

    path: Path
    checkpoint_id: int  # CRC-32 of the file, `weights` of exit_level
    updates: int


class OnlineLearner:
    """
    Learns in the thread that calls `run`; the other methods may be called from any.

    A context: within it, its folder is locked.
    """

    def __init__(self, config: OnlineConfig, task: FlightTask, agent: AgentConfig) -> None:
        self.config, self.task = config, task
        self.trajectories: queue.SimpleQueue[Trajectory] = queue.SimpleQueue()
        self.latest: Offer | None = None
        self.fault = ''  # why nothing is learned or saved now
        self.extra: dict[str, float] = {}  # further figures for the log
        self.recent: list[float] = []  # returns of the last flights
        self.returns: dict[str, float] = {}  # by drone, of the flight that lasts
        self.trainer = _make_trainer(config, task, agent)
        learned = {field: getattr(config, field) for field in fields_of(OnlineConfig)}
        self.folder = RunDirectory(
            Path(config.out),
            {
                **{name: value for name, value in learned.items() if name not in _NOT_LEARNED},
                'agent': settings_of(agent),
            },
        )

    def __enter__(self) -> 'OnlineLearner':
        self.folder.__enter__()
        state = self.folder.load()
        if state is not None:
            self.folder.restore(self.trainer, state)
            log.info('%s: going on from transition %d', self.folder.path, self.trainer.step)
        return self

    def __exit__(self, *_: object) -> None:
        self.folder.__exit__()

    def add(self, trajectory: Trajectory) -> None:
        """Take a trajectory to learn from."""
        self.trajectories.put(trajectory)

    def run(self, going: Callable[[], bool]) -> None:
        """Learn for as long as it is going; then, or on a fault, save what was learned."""
        self.offer()
        with MetricsLog(self.folder.path, self.trainer.step) as metrics_log:
            now = time.monotonic()
            offer_at, save_at, log_at = (
                now + self.config.offer_seconds,
                now + self.config.save_seconds,
                now + _LOG_S,
            )
            try:
                while going():
                    self._receive()
                    if self.trainer.due and not self.fault:
                        self.trainer.update()
                    now = time.monotonic()
                    if now >= log_at:
                        log_at = now + _LOG_S
                        signs = self._check()
                        metrics_log(self.trainer.step, self.summary() | signs)
                    if now >= offer_at:
                        offer_at = now + self.config.offer_seconds
                        self.offer()
                    if now >= save_at:
                        save_at = now + self.config.save_seconds
                        self.save()
            finally:
                self.save()
                metrics_log(self.trainer.step, self.summary())

    def summary(self) -> dict[str, float]:
        """Return running means, and the position in the schedule."""
        flights = {'return': sum(self.recent) / len(self.recent)} if self.recent else {}
        return {**flights, **self.trainer.summary(), 'due': self.trainer.due, **self.extra}

    def offer(self) -> None:
        """Write the weights into a file of their own, unless they are as in the latest offer."""
        updates = self.trainer.learner.updates
        if self.fault or (self.latest and self.latest.updates == updates):
            return
        path = self.folder.path / f'policy-{updates:08d}.safetensors'
        card = {
            'task': self.config.task,
            'steps': self.trainer.step,
            'updates': updates,
            'seed': self.trainer.config.seed,
            'agent': to_dict(self.trainer.agent),
            'train': self.trainer.config.schedule,
        }
        try:
            checkpoint.save(
                path, Checkpoint(self.trainer.learner.network, self.task.to_dict(), {}, card)
            )
            content = path.read_bytes()
            write_atomically(self.folder.policy, content)
        except CheckpointError as error:
            self._stop(error)
            return
        except OSError as error:
            log.warning('%s: %s; it is offered later', path, error.strerror or error)
            return
        self.latest = Offer(path.absolute(), zlib.crc32(content), updates)
        offers = sorted(self.folder.path.glob('policy-*.safetensors'))
        for old in offers[: -self.config.keep]:
            old.unlink(missing_ok=True)

    def save(self) -> None:
        """Write all that is needed to go on; on a full disk, say so and go on."""
        self.offer()  # which finds out whether there is something worth going on from
        if self.fault:
            return
        if fault := self.folder.save(None, self.trainer.state_dict()):
            log.warning('%s; learning goes on and tries to save again', fault)

    def _check(self) -> dict[str, float]:
        """Return signs of divergence; stop when they last."""
        try:
            return self.trainer.check_divergence()
        except DivergedTraining as error:
            self._stop(error)
            return {}

    def _stop(self, fault: Exception) -> None:
        """Learn, offer and save nothing more: the drones keep the last checkpoint."""
        if not self.fault:
            self.fault = str(fault)
            log.error('%s; the drones keep the last checkpoint', fault)

    def _receive(self) -> None:
        """Take the trajectories that have come; with no update due, wait a moment for one."""
        timeout = 0.0 if self.trainer.due and not self.fault else 0.1
        try:
            while True:
                self._learn_from(self.trajectories.get(timeout > 0, timeout))
                timeout = 0.0
        except queue.Empty:
            pass

    def _learn_from(self, trajectory: Trajectory) -> None:
        self.trainer.add_trajectory(*trajectory.steps)
        earned = float(trajectory.rewards[trajectory.context :].sum())
        earned += self.returns.pop(trajectory.drone, 0.0)
        if trajectory.terminated:
            self.recent = [*self.recent[-49:], earned]
        else:
            self.returns[trajectory.drone] = earned


def _make_trainer(config: OnlineConfig, task: FlightTask, agent: AgentConfig) -> Trainer:
    """Return a trainer with random weights, or with those of the checkpoint to start from."""
    network = network_for(task, 'rapid' if config.network == 'full' else config.network)
    if not config.start:
        return Trainer(network, agent, config, task.observation.history)
    start = checkpoint.load(config.start)
    if FlightTask.from_dict(start.task) != task:
        raise ValueError(f'start {config.start}: trained for another task')
    trainer = Trainer(start.network.config, agent, config, task.observation.history)
    trainer.learner.network.load_state_dict(start.network.state_dict())
    trainer.learner.update_target()
    return trainer
