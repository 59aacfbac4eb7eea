"""Statistics of flights: distance, coverage, how they ended, what decisions cost."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rapid_nav.drone.episode import Progress


@dataclass(frozen=True)
class Frame:
    """What one image showed of a flight."""

    stamp_ns: int
    flight: int
    position: tuple[float, float, float]  # [m]
    speed: float  # [m/s]
    clearance: float  # [m]
    terminal: bool
    collision: bool


@dataclass(frozen=True)
class DecisionRecord:
    """What one decision cost."""

    stamp_ns: int
    level: int
    num_levels: int
    macs_ratio: float
    latency: float  # [s]


@dataclass(frozen=True)
class Percentiles:
    """The median and the 99th percentile of times; None if there are none."""

    p50: float | None
    p99: float | None

    @staticmethod
    def of(times: Sequence[float] | np.ndarray) -> 'Percentiles':
        """Return those of times in any unit (N,)."""
        if len(times) == 0:
            return Percentiles(None, None)
        return Percentiles(*(float(np.percentile(times, q)) for q in (50, 99)))


@dataclass(frozen=True, kw_only=True)
class FlightSummary:
    """How far some flights went, how they ended and what deciding cost."""

    duration_s: float  # simulated
    flights: int
    distance_m: tuple[float, ...]  # of each flight
    coverage: float  # new 1 m cells entered per metre flown
    collisions: int
    decisions: int
    exit_shares: tuple[float, ...]  # (L,) of the decisions
    macs_ratio: float | None  # operations, as a share of the full network's
    latency_ms: Percentiles  # from image to command
    image_rate_hz: float  # decisions per simulated second
    dropped_images: int  # without a decision


class FlightStats:
    """Collects frames and decisions as they come, for figures at any time."""

    def __init__(self) -> None:
        self.flights: dict[int, Progress] = {}
        self.frames: list[Frame] = []
        self.decisions: dict[int, DecisionRecord] = {}
        self.collisions = 0
        self.flown_ns = 0

    def add_frame(self, frame: Frame) -> None:
        """Note a frame."""
        if self.frames and self.frames[-1].flight == frame.flight:
            self.flown_ns += frame.stamp_ns - self.frames[-1].stamp_ns
        self.frames.append(frame)
        self.flights.setdefault(frame.flight, Progress()).to(frame.position)
        self.collisions += frame.terminal and frame.collision

    def add_decision(self, decision: DecisionRecord) -> None:
        """Note a decision."""
        self.decisions[decision.stamp_ns] = decision

    @property
    def duration(self) -> float:
        """The simulated seconds in flight; those between two flights do not count."""
        return self.flown_ns / 1e9

    @property
    def distance(self) -> float:
        """The metres of all flights."""
        return sum(flight.distance for flight in self.flights.values())

    def exit_shares(self) -> list[float]:
        """Return the share of the decisions that each exit made, by level."""
        levels = Counter(decision.level for decision in self.decisions.values())
        count = max((decision.num_levels for decision in self.decisions.values()), default=0)
        return [levels[level] / levels.total() for level in range(count)]

    def macs_ratio(self) -> float | None:
        """Return the operations spent, as a share of the full network's."""
        ratios = [decision.macs_ratio for decision in self.decisions.values()]
        return float(np.mean(ratios)) if ratios else None

    def latency_ms(self) -> Percentiles:
        """Return how long images waited for their commands."""
        waits = [1e3 * decision.latency for decision in self.decisions.values()]
        return Percentiles.of(waits)

    def image_rate(self) -> float:
        """Return the images decided on per simulated second, from each flight's first one on."""
        following = max(0, len(self.decisions) - len(self.flights))
        return following / self.duration if self.duration else 0.0

    def summary(self) -> FlightSummary:
        """Return the figures of all flights so far."""
        distances = tuple(flight.distance for flight in self.flights.values())
        entered = sum(flight.entered for flight in self.flights.values())
        dropped = {frame.stamp_ns for frame in self.frames} - self.decisions.keys()
        return FlightSummary(
            duration_s=self.duration,
            flights=len(distances),
            distance_m=distances,
            coverage=entered / self.distance if self.distance else 0.0,
            collisions=self.collisions,
            decisions=len(self.decisions),
            exit_shares=tuple(self.exit_shares()),
            macs_ratio=self.macs_ratio(),
            latency_ms=self.latency_ms(),
            image_rate_hz=self.image_rate(),
            dropped_images=len(dropped),
        )
