"""Assembles messages about images, in any order, to trajectories to learn from."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
import math
from typing import NamedTuple

import numpy as np

from rapid_nav.options import check, setting

_ONE_RUN = 10**6  # images; a greater step in their numbers is another bridge's way of counting


@dataclass(frozen=True)
class AssemblerConfig:
    """How long to wait for the rest of an image, and where trajectories end."""

    max_pending: int = setting(30, 'Newer images after which an incomplete one is lost.', low=1)
    max_transitions: int = setting(64, 'Longest trajectory, in transitions.', low=1)
    max_gap: float = setting(
        0.5, 'Longest time between two images of a trajectory.', unit='s', low=0.001
    )

    def __post_init__(self) -> None:
        check(self)


class StepOutcome(NamedTuple):
    """The outcome of the command before an image."""

    reward: float
    terminal: bool  # this image ends its flight
    collision: bool
    flight: int
    image: int  # sequence number; one that is missing is a lost image


class Trajectory(NamedTuple):
    """Consecutive images of one flight, each with the action that follows."""

    drone: str
    frames: np.ndarray  # (T, c, h, w) uint8
    actions: np.ndarray  # (T - 1,) int64, on each frame but the last
    rewards: np.ndarray  # (T - 1,) float32, one frame after the action
    terminated: bool  # the last frame is a crash; else the flight may have gone on
    context: int  # first frames that are only part of later observations

    @property
    def steps(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool, int]:
        """All of it but the drone, in the order of `Trainer.add_trajectory`."""
        return self[1:]

    @property
    def transitions(self) -> int:
        """The number of actions to learn from."""
        return len(self.actions) - self.context


@dataclass
class _Image:
    """The parts of one image that have come."""

    stamp: int  # [ns]
    frame: np.ndarray | None = None
    action: int | None = None
    outcome: StepOutcome | None = None

    @property
    def whole(self) -> bool:
        return None not in (self.action, self.outcome) and self.frame is not None


class DroneAssembler:
    """
    Assembles what comes of one drone by its stamps, in any order.

    Two images are neighbours only if their numbers are, in one flight, with a known action
    between them; elsewhere the trajectory ends. So no transition spans a lost image, a restart or
    the end of a flight. What comes later than `max_pending` newer images is dropped, and a stamp
    from before all that is remembered means that the simulator began anew.
    """

    def __init__(
        self, drone: str, history: int, num_actions: int, config: AssemblerConfig
    ) -> None:
        self.drone, self.history, self.num_actions = drone, history, num_actions
        self.config = config
        self.counts: Counter[str] = Counter()
        self.pending: dict[int, _Image] = {}  # by stamp
        self.recent: deque[int] = deque(maxlen=4 * config.max_pending)  # stamps that are done
        self.chain: list[_Image] = []
        self.context = 0  # of the chain
        self.last: StepOutcome | None = None  # of the newest image that is done
        self.seen = self.flown = False  # before both have come, nothing can be lost

    def add(
        self,
        stamp: int,
        frame: np.ndarray | None = None,
        action: int | None = None,
        outcome: StepOutcome | None = None,
    ) -> Iterator[Trajectory]:
        """Take one part of the image of this stamp [ns]; yield what it completes."""
        if (action is not None and not 0 <= action < self.num_actions) or (
            outcome is not None and not math.isfinite(outcome.reward)
        ):
            self.counts['invalid'] += 1
            return
        if self.recent and stamp <= self.recent[-1]:
            if stamp >= self.recent[0]:
                self.counts['late'] += 1
                return
            self.counts['restarts'] += 1
            yield from self.flush()
        image = self.pending.setdefault(stamp, _Image(stamp))
        # What comes twice counts once.
        image.frame = frame if image.frame is None else image.frame
        image.action = action if image.action is None else image.action
        image.outcome = outcome if image.outcome is None else image.outcome
        self.seen, self.flown = self.seen or frame is not None, self.flown or action is not None
        while self.pending:
            first = min(self.pending)
            if not self.pending[first].whole and len(self.pending) <= self.config.max_pending:
                return
            yield from self._take(self.pending.pop(first))

    def flush(self) -> Iterator[Trajectory]:
        """Yield what is left, and begin anew: the drone has gone, or its simulator restarted."""
        for stamp in sorted(self.pending):
            yield from self._take(self.pending.pop(stamp))
        yield from self._cut(ended=True)
        self.recent.clear()
        self.last = None

    def _take(self, image: _Image) -> Iterator[Trajectory]:
        """Add the next image to the chain, or begin another chain with it."""
        self.recent.append(image.stamp)
        outcome, last = image.outcome, self.last
        if self.seen and self.flown:
            self.counts['joined' if image.whole else 'lost'] += 1
            if outcome and last and 0 < outcome.image - last.image < _ONE_RUN:
                self.counts['lost'] += outcome.image - last.image - 1
        if outcome is None or image.frame is None:
            yield from self._cut(ended=True)
        else:
            if not self._follows(image):
                yield from self._cut(ended=True)
                fresh = (
                    last is not None
                    and outcome.image == last.image + 1
                    and (last.terminal or last.flight != outcome.flight)
                )
                self.context = 0 if fresh else self.history - 1
            self.chain.append(image)
            if outcome.terminal or image.action is None:
                yield from self._cut(ended=True)
            elif len(self.chain) > self.config.max_transitions + self.context:
                yield from self._cut(ended=False)
        self.last = outcome or last

    def _follows(self, image: _Image) -> bool:
        """Return whether an image shows what came of the chain's last action."""
        if not self.chain:
            return False
        before = self.chain[-1]
        assert before.outcome and image.outcome, 'a chain holds whole images'
        gap = (image.stamp - before.stamp) / 1e9
        return (
            image.outcome.image == before.outcome.image + 1
            and image.outcome.flight == before.outcome.flight
            and 0 < gap <= self.config.max_gap
        )

    def _cut(self, ended: bool) -> Iterator[Trajectory]:
        """Yield the chain; unless it has ended, its last images are kept to go on from."""
        chain, context = self.chain, self.context
        self.chain, self.context = [], 0
        if not ended:
            self.chain, self.context = chain[-self.history :], min(self.history, len(chain)) - 1
        if len(chain) - 1 <= context:
            return
        last = chain[-1].outcome
        assert last is not None, 'a chain holds whole images'
        yield Trajectory(
            self.drone,
            np.stack([image.frame for image in chain if image.frame is not None]),
            np.array([image.action for image in chain[:-1]], np.int64),
            np.array([image.outcome.reward for image in chain[1:] if image.outcome], np.float32),
            last.terminal and last.collision,
            context,
        )


class TransitionAssembler:
    """Assembles what comes of many drones, each for itself."""

    def __init__(
        self, history: int, num_actions: int, config: AssemblerConfig | None = None
    ) -> None:
        self.history, self.num_actions = history, num_actions
        self.config = config or AssemblerConfig()
        self.drones: dict[str, DroneAssembler] = {}

    def drone(self, name: str) -> DroneAssembler:
        """Return the assembler of one drone, which may be new."""
        if name not in self.drones:
            self.drones[name] = DroneAssembler(name, self.history, self.num_actions, self.config)
        return self.drones[name]

    def flush(self) -> Iterator[Trajectory]:
        """Yield what is left of all of them."""
        for drone in self.drones.values():
            yield from drone.flush()

    def counts(self) -> Counter[str]:
        """Return the images joined and lost, and messages late or invalid, of all drones."""
        return sum((drone.counts for drone in self.drones.values()), Counter())

    def lost_share(self) -> float:
        """Return the share of images that are lost."""
        counts = self.counts()
        return counts['lost'] / max(counts['lost'] + counts['joined'], 1)
