"""Flights under way: how far each has come, its rewards, and when it and all of them end."""

from dataclasses import dataclass, field, replace
import math

import numpy as np

from rapid_nav.drone.reward import clearance, reward, RewardConfig


@dataclass
class Progress:
    """How far one flight has come."""

    distance: float = 0.0  # [m] over ground
    cells: set[tuple[int, int]] = field(default_factory=set)  # of 1 m, seen from above
    last: tuple[float, float] | None = None

    def to(self, position: np.ndarray | tuple[float, float, float]) -> int:
        """Move on to a position (3,) [m]; return how many new cells were entered, 0 or 1."""
        x, y = float(position[0]), float(position[1])
        if self.last is not None:
            self.distance += math.dist(self.last, (x, y))
        self.last = (x, y)
        cell = (math.floor(x), math.floor(y))
        fresh = cell not in self.cells
        self.cells.add(cell)
        return int(fresh and len(self.cells) > 1)

    @property
    def entered(self) -> int:
        """Cells entered since the start, the one it began in not counted."""
        return max(len(self.cells) - 1, 0)


@dataclass(frozen=True)
class StepResult:
    """The outcome of one step of a flight."""

    reward: float
    terminal: bool
    collision: bool  # or nearer than what counts as one
    clearance: float  # [m] ahead, as the reward measures it


class Episode:
    """A flight ends with a collision, or when it has gone far enough."""

    def __init__(self, config: RewardConfig, cap: float) -> None:
        self.config, self.cap = config, cap or math.inf  # [m], 0: no end
        self.progress = Progress()

    def step(self, depth: np.ndarray, position: np.ndarray, collided: bool) -> StepResult:
        """Return the outcome of a step: depth (H, W) [m], position (3,) [m], collided since."""
        fresh = self.progress.to(position)
        value, crashed = reward(self.config, depth[None], np.array([collided]), np.array([fresh]))
        ahead = float(clearance(depth, self.config.depth_clip)) * self.config.depth_clip
        terminal = bool(crashed[0]) or self.progress.distance >= self.cap
        return StepResult(float(value[0]), terminal, bool(crashed[0]), ahead)


class Flights:
    """Consecutive flights, until their number or their duration is reached."""

    def __init__(
        self, config: RewardConfig, cap: float, duration: float, count: int, slack: float
    ) -> None:
        self.config, self.cap = config, cap  # [m] of one flight, 0: no end
        self.duration, self.count = duration, count  # [s], of all flights; 0: no end
        self.slack = slack  # [s], since stamps are whole physics steps and a duration is anything
        self.number = -1  # of the flight under way, from 0
        self.flown_ns = 0  # in all flights
        self.now_ns: int | None = None  # the stamp seen last in this flight

    def begin(self) -> None:
        """Let the next flight begin."""
        self.number += 1
        self.episode = Episode(self.config, self.cap)
        self.now_ns = None

    def step(
        self, stamp_ns: int, depth: np.ndarray, position: np.ndarray, collided: bool
    ) -> tuple[StepResult, bool]:
        """Return a step's outcome, as Episode does, and whether it is the last of all flights."""
        self.flown_ns += stamp_ns - (self.now_ns or stamp_ns)
        self.now_ns = stamp_ns
        result = self.episode.step(depth, position, collided)
        late = bool(self.duration) and self.flown_ns / 1e9 + self.slack >= self.duration
        if late:
            result = replace(result, terminal=True)
        return result, late or (result.terminal and self.number + 1 == self.count)
