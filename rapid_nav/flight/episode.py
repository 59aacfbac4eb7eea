"""One flight while it lasts: how far it has come, what it earns, and whether it is over."""

from dataclasses import dataclass, field
import math

import numpy as np

from rapid_nav.flight.reward import clearance, reward, RewardConfig


@dataclass
class Progress:
    """How far one flight has come."""

    distance: float = 0.0  # [m] over ground
    cells: set[tuple[int, int]] = field(default_factory=set)  # of 1 m, seen from above
    last: tuple[float, float] | None = None

    def to(self, position: np.ndarray | tuple[float, float, float]) -> int:
        """Move on to a position (3,) [m]; return how many cells were entered the first time."""
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
class Verdict:
    """What one look says about the flight."""

    reward: float
    terminal: bool
    collision: bool
    clearance: float  # [m] ahead, as the reward measures it


class Episode:
    """A flight ends with a collision, or when it has gone far enough."""

    def __init__(self, config: RewardConfig, cap: float) -> None:
        self.config, self.cap = config, cap or math.inf  # [m], 0: no end
        self.progress = Progress()

    def judge(self, depth: np.ndarray, position: np.ndarray, collided: bool) -> Verdict:
        """Judge a look: depth (H, W) [m], position (3,) [m], collided since the last one."""
        fresh = self.progress.to(position)
        value, crashed = reward(
            self.config, depth[None], np.array([collided]), np.array([fresh]))
        ahead = float(clearance(depth, self.config.depth_clip)) * self.config.depth_clip
        terminal = bool(crashed[0]) or self.progress.distance >= self.cap
        return Verdict(float(value[0]), terminal, collided, ahead)
