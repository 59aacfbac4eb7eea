"""The trainer's learning: takes stretches of flight, updates, saves, and makes checkpoints."""

from collections.abc import Callable
import logging
from pathlib import Path
import queue
import time
from typing import NamedTuple
import zlib

from rapid_nav.agent import checkpoint, training_state
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import (
    AgentConfig,
    c3f2_stages,
    light_stages,
    rapid_stages,
    to_dict,
    TrainConfig,
)
from rapid_nav.agent.metrics_log import LearningLog
from rapid_nav.agent.trainer import Pupil
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.online_config import LessonConfig
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import Stretch
from rapid_nav.inference.checkpoint_format import write_atomically
from rapid_nav.inference.network_config import NetworkConfig

log = logging.getLogger(__name__)
_REPORT_S = 10.0  # between two lines of the log


class Offer(NamedTuple):
    """A checkpoint for the drones to fly by."""

    path: Path
    checkpoint_id: int  # CRC-32 of the file, as the drones' exit_level says it
    updates: int


class Study:
    """Learns in the thread that calls `run`; the other methods may be called from any."""

    def __init__(self, config: LessonConfig, task: FlightTask, agent: AgentConfig) -> None:
        self.config, self.task, self.agent = config, task, agent
        self.folder = Path(config.out)
        self.waiting: queue.SimpleQueue[Stretch] = queue.SimpleQueue()
        self.latest: Offer | None = None
        self.extra: dict[str, float] = {}  # figures of others, for the log
        self.recent: list[float] = []  # what the last flights earned
        self.earned: dict[str, float] = {}  # by drone, in the flight that lasts
        self.pupil = self._make_pupil()
        self.kept = self.folder / 'state.safetensors'
        if self.kept.exists():
            self.pupil.from_arrays(training_state.load(self.kept))
            log.info('going on from transition %d in %s', self.pupil.step, self.kept)

    def hear(self, stretch: Stretch) -> None:
        """Take what was flown."""
        self.waiting.put(stretch)

    def run(self, going: Callable[[], bool]) -> None:
        """Learn for as long as it is going, and save what was learned."""
        self.offer()
        now = time.monotonic()
        offered = saved = reported = now
        with LearningLog(self.folder, self.pupil.step) as learning_log:
            while going():
                self._listen()
                if self.pupil.due:
                    self.pupil.learn()
                now = time.monotonic()
                if now - offered >= self.config.offer_seconds:
                    offered = now
                    self.offer()
                if now - saved >= self.config.save_seconds:
                    saved = now
                    self.save()
                if now - reported >= _REPORT_S:
                    reported = now
                    learning_log(self.pupil.step, self.summary())
            self.offer()
            self.save()
            learning_log(self.pupil.step, self.summary())

    def summary(self) -> dict[str, float]:
        """Return how the learning goes."""
        flights = {'return': sum(self.recent) / len(self.recent)} if self.recent else {}
        return {**flights, **self.pupil.summary(), 'due': self.pupil.due, **self.extra}

    def offer(self) -> None:
        """Write the weights as they are into a file of their own, unless they are as they were."""
        updates = self.pupil.learner.updates
        if self.latest and self.latest.updates == updates:
            return
        path = self.folder / f'policy-{updates:08d}.safetensors'
        card = {
            'task': self.config.task,
            'steps': self.pupil.step,
            'updates': updates,
            'seed': self.config.seed,
            'agent': to_dict(self.agent),
            'train': to_dict(self.pupil.config),
        }
        checkpoint.save(
            path, Checkpoint(self.pupil.learner.network, self.task.to_dict(), {}, card)
        )
        content = path.read_bytes()
        write_atomically(self.folder / 'policy.safetensors', content)
        self.latest = Offer(path.absolute(), zlib.crc32(content), updates)
        for old in sorted(self.folder.glob('policy-*.safetensors'))[: -self.config.keep]:
            old.unlink(missing_ok=True)

    def save(self) -> None:
        """Write all that is needed to go on."""
        training_state.save(self.kept, self.pupil.to_arrays())

    def _listen(self) -> None:
        """Remember what has come; with nothing else to do, wait a moment for it."""
        patience = 0.0 if self.pupil.due else 0.1
        try:
            while True:
                self._remember(
                    self.waiting.get(timeout=patience) if patience else self.waiting.get_nowait()
                )
                patience = 0.0
        except queue.Empty:
            pass

    def _remember(self, stretch: Stretch) -> None:
        self.pupil.remember(
            stretch.frames, stretch.actions, stretch.rewards, stretch.terminated, stretch.context
        )
        earned = self.earned.get(stretch.drone, 0.0) + float(
            stretch.rewards[stretch.context :].sum()
        )
        if stretch.terminated:
            self.recent = [*self.recent[-49:], earned]
            earned = 0.0
        self.earned[stretch.drone] = earned

    def _make_pupil(self) -> Pupil:
        config, task = self.config, self.task
        train = TrainConfig(
            steps=config.steps,
            num_envs=1,
            steps_per_update=config.steps_per_update,
            replay_size=config.replay_size,
            learning_starts=config.learning_starts,
            epsilon_start=config.epsilon_start,
            epsilon_end=config.epsilon_end,
            epsilon_share=config.epsilon_share,
            distil_share=config.distil_share,
            seed=config.seed,
        )
        rgb = task.observation.kind == 'rgb'
        full = c3f2_stages() if rgb else rapid_stages()
        network = NetworkConfig(
            task.observation.shape,
            ActionGrid(task.actions).num_actions,
            full if config.network == 'full' else light_stages(),
            duelling=not rgb,
        )
        begun = checkpoint.load(config.start) if config.start else None
        if begun:
            network = begun.network.config
            if FlightTask.from_dict(begun.task) != task:
                raise ValueError(f'start {config.start}: trained for another task')
        pupil = Pupil(network, self.agent, train, task.observation.history)
        if begun:
            pupil.learner.network.load_state_dict(begun.network.state_dict())
            pupil.learner.target.load_state_dict(begun.network.state_dict())
        return pupil
