"""From what is heard of images, one message at a time, to stretches of flight to learn from."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rapid_nav.options import check, setting

_ONE_RUN = 10**6  # images; a greater step in their numbers is another bridge's way of counting


@dataclass(frozen=True)
class JoinConfig:
    """How long is waited for the rest of an image, and where a flight is cut."""

    patience: int = setting(
        30, 'An incomplete image is waited for until there are so many newer ones.', low=1
    )
    longest: int = setting(64, 'A stretch is so many transitions long, at most.', low=1)
    pause: float = setting(
        0.5, 'After so long between two images, no action counts as flown.', unit='s', low=0.001
    )

    def __post_init__(self) -> None:
        check(self)


class Judged(NamedTuple):
    """What became of the command before an image."""

    reward: float
    terminal: bool  # this image ends its flight
    collision: bool
    flight: int
    image: int  # counted on for ever; a number left out is an image that nobody heard of


class Stretch(NamedTuple):
    """Images of one flight of one drone without a gap, each with what was done next."""

    drone: str
    frames: np.ndarray  # (T, c, h, w) uint8
    actions: np.ndarray  # (T - 1,) int64, on each frame but the last
    rewards: np.ndarray  # (T - 1,) float32, seen one frame after the action
    terminated: bool  # the last frame is a crash; else the flight may have gone on
    context: int  # so many first frames only say what was seen before

    @property
    def transitions(self) -> int:
        """How many actions there are to learn from."""
        return len(self.actions) - self.context


@dataclass
class _Image:
    """What has been heard of one image."""

    stamp: int  # [ns]
    frame: np.ndarray | None = None
    action: int | None = None
    judged: Judged | None = None

    @property
    def whole(self) -> bool:
        return None not in (self.action, self.judged) and self.frame is not None


class DroneJoin:
    """
    Joins what is heard of one drone by its stamps, in any order.

    Two images are neighbours only if their numbers are, in one flight, with a known action
    between them; wherever they are not, the stretch ends. So no transition spans a lost image, a
    restart or the end of a flight. What comes later than `patience` newer images is dropped, and
    a stamp from before everything remembered is a simulator that began anew.
    """

    def __init__(self, drone: str, history: int, config: JoinConfig) -> None:
        self.drone, self.history, self.config = drone, history, config
        self.counts: Counter[str] = Counter()
        self.pending: dict[int, _Image] = {}  # by stamp
        self.recent: deque[int] = deque(maxlen=4 * config.patience)  # stamps that are done with
        self.chain: list[_Image] = []
        self.context = 0  # of the chain
        self.last: Judged | None = None  # of the newest image that is done with
        self.seen = self.flown = False  # before both are heard of, nothing can be lost

    def hear(
        self,
        stamp: int,
        frame: np.ndarray | None = None,
        action: int | None = None,
        judged: Judged | None = None,
    ) -> Iterator[Stretch]:
        """Take one part of the image of this stamp [ns]; yield what is complete by it."""
        if self.recent and stamp <= self.recent[-1]:
            if stamp >= self.recent[0]:
                self.counts['late'] += 1
                return
            self.counts['restarts'] += 1
            yield from self.flush()
        image = self.pending.setdefault(stamp, _Image(stamp))
        # What is said twice counts once.
        image.frame = frame if image.frame is None else image.frame
        image.action = action if image.action is None else image.action
        image.judged = judged if image.judged is None else image.judged
        self.seen, self.flown = self.seen or frame is not None, self.flown or action is not None
        while self.pending:
            first = min(self.pending)
            if not self.pending[first].whole and len(self.pending) <= self.config.patience:
                return
            yield from self._take(self.pending.pop(first))

    def flush(self) -> Iterator[Stretch]:
        """Yield what is left and forget where the drone was: it has gone, or begins anew."""
        for stamp in sorted(self.pending):
            yield from self._take(self.pending.pop(stamp))
        yield from self._cut(ended=True)
        self.recent.clear()
        self.last = None

    def _take(self, image: _Image) -> Iterator[Stretch]:
        """Add the next image to the chain, or begin another one with it."""
        self.recent.append(image.stamp)
        judged, last = image.judged, self.last
        if self.seen and self.flown:
            self.counts['joined' if image.whole else 'lost'] += 1
            if judged and last and 0 < judged.image - last.image < _ONE_RUN:
                self.counts['lost'] += judged.image - last.image - 1
        if judged is None or image.frame is None:
            yield from self._cut(ended=True)
        else:
            if not self._follows(image):
                yield from self._cut(ended=True)
                fresh = (
                    last is not None
                    and judged.image == last.image + 1
                    and (last.terminal or last.flight != judged.flight)
                )
                self.context = 0 if fresh else self.history - 1
            self.chain.append(image)
            if judged.terminal or image.action is None:
                yield from self._cut(ended=True)
            elif len(self.chain) > self.config.longest + self.context:
                yield from self._cut(ended=False)
        self.last = judged or last

    def _follows(self, image: _Image) -> bool:
        """Return whether an image shows what came of the chain's last action."""
        if not self.chain:
            return False
        before = self.chain[-1]
        assert before.judged and image.judged, 'both were asked for'
        pause = (image.stamp - before.stamp) / 1e9
        return (
            image.judged.image == before.judged.image + 1
            and image.judged.flight == before.judged.flight
            and 0 < pause <= self.config.pause
        )

    def _cut(self, ended: bool) -> Iterator[Stretch]:
        """Yield the chain; unless it has ended, its last images are kept to go on from."""
        chain, context = self.chain, self.context
        self.chain, self.context = [], 0
        if not ended:
            self.chain, self.context = chain[-self.history :], min(self.history, len(chain)) - 1
        if len(chain) - 1 <= context:
            return
        last = chain[-1].judged
        assert last is not None, 'every image of a chain was judged'
        yield Stretch(
            self.drone,
            np.stack([image.frame for image in chain if image.frame is not None]),
            np.array([image.action for image in chain[:-1]], np.int64),
            np.array([image.judged.reward for image in chain[1:] if image.judged], np.float32),
            last.terminal and last.collision,
            context,
        )


class Join:
    """Joins what is heard of many drones, each for itself."""

    def __init__(self, history: int, config: JoinConfig | None = None) -> None:
        self.history, self.config = history, config or JoinConfig()
        self.drones: dict[str, DroneJoin] = {}

    def drone(self, name: str) -> DroneJoin:
        """Return the join of one drone, which may be new."""
        if name not in self.drones:
            self.drones[name] = DroneJoin(name, self.history, self.config)
        return self.drones[name]

    def flush(self) -> Iterator[Stretch]:
        """Yield what is left of all of them."""
        for drone in self.drones.values():
            yield from drone.flush()

    def counts(self) -> Counter[str]:
        """Return the images joined and lost, and the messages that came too late, of all."""
        return sum((drone.counts for drone in self.drones.values()), Counter())

    def lost_share(self) -> float:
        """Return which share of the images could not be joined."""
        counts = self.counts()
        return counts['lost'] / max(counts['lost'] + counts['joined'], 1)
