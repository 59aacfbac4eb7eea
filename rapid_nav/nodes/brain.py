"""What decides behind the policy node: a network, its task, and what steers its exits."""

from collections.abc import Callable
from dataclasses import dataclass
import time

import numpy as np

from rapid_nav.core.exits import check_thresholds, Decision, in_time
from rapid_nav.core.governor import Deadline, Governor, GovernorConfig
from rapid_nav.core.runtime import load_policy
from rapid_nav.core.runtime import Policy as Network
from rapid_nav.core.saved import NEVER
from rapid_nav.flight.actions import ActionGrid, BodyVelocity, free_way
from rapid_nav.flight.observation import DepthHistory
from rapid_nav.flight.task import FlightTask
from rapid_nav.settings import check, setting
from rapid_nav.shipped import shipped_checkpoint

WARM_UP = 20  # decisions at each exit, which also tell how long each takes


@dataclass(frozen=True)
class PolicyConfig:
    """Which network flies, and how sure it has to be."""

    checkpoint: str = setting('', 'file of the network; empty: the one that is shipped')
    threshold: float = setting(
        -1.0, 'confidence at which an exit may answer; below 0: as the operating point says',
        low=-1.0, high=2.0)
    operating_point: str = setting(
        '', "one of the checkpoint's; empty: its first; 'full': the whole network, always")
    budget: float = setting(
        0.0, 'mean share of the operations that thresholds are steered to hold; 0: they stand',
        low=0.0, high=1.0)
    budget_ms: float = setting(
        0.0, 'the same as mean time in the network; 0: none', unit='ms', low=0.0, high=1000.0)
    clearance: float = setting(
        1.0, 'free way below which a budget does not count and the full network decides',
        unit='m', low=0.0, high=100.0)
    deadline_ms: float = setting(
        0.0, "from an image's arrival to its answer, the best exit that is finished in time; "
        '0: none', unit='ms', low=0.0, high=10000.0)
    max_age: float = setting(
        0.5, 'of an image that is still flown by, and longest pause within a history',
        unit='s', low=0.01, high=60.0)

    def __post_init__(self) -> None:
        check(self)
        if self.budget > 0 and self.budget_ms > 0:
            raise ValueError('budget and budget_ms are both set; set one of them to 0')


LIVE = (
    'checkpoint', 'threshold', 'operating_point', 'budget', 'budget_ms', 'clearance',
    'deadline_ms')
"""What may change in flight."""


class Brain:
    """Decides on depth images under settings that stand."""

    def __init__(
        self, config: PolicyConfig, network: Network, history: DepthHistory, grid: ActionGrid,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.config, self.network, self.history, self.grid = config, network, history, grid
        self.clock = clock
        point = config.operating_point or next(iter(network.about.operating_points), 'full')
        self.thresholds = (
            network.about.thresholds(point) if config.threshold < 0 else
            check_thresholds((config.threshold,), network.num_levels))
        self.governor: Governor | None = None
        self.deadline: Deadline | None = None
        self.late = 0
        times = self._warm_up()
        if config.budget > 0:
            shares = [macs / network.macs[-1] for macs in network.macs]
            self.governor = Governor(GovernorConfig(budget=config.budget), shares)
        elif config.budget_ms > 0:
            self.governor = Governor(GovernorConfig(budget=config.budget_ms), times)
        if config.deadline_ms > 0:
            self.deadline = Deadline(config.deadline_ms / 1e3, network.num_levels, clock)

    def decide(
        self, depth: np.ndarray, waited: float = 0.0
    ) -> tuple[Decision, BodyVelocity, float]:
        """
        Decide on depth (H, W) [m] that arrived so long ago [s].

        Returns the decision, its velocity and the seconds in the network; raises BadDepth for an
        image that must not be flown by.
        """
        began = self.clock()
        observation = self.history.push(depth)
        ahead = float(free_way(depth))
        deep, thresholds = False, self.thresholds
        if self.governor:
            deep = ahead < self.config.clearance
            thresholds = self.governor.thresholds(deep)
        started = self.clock()
        if self.deadline:
            self.deadline.begin(waited + started - began)
        decision = self.network.decide(
            observation, thresholds, self.deadline.may_run if self.deadline else in_time,
            agree=self.governor is not None)
        spent = self.clock() - started
        if self.deadline:
            self.late += self.deadline.end(decision.level) > self.deadline.limit
        if self.governor:
            cost = decision.macs_ratio if self.config.budget > 0 else 1e3 * spent
            self.governor.record(decision, cost, deep)
        return decision, self.grid.velocity(decision.action, ahead), spent

    def state(self) -> dict[str, str]:
        """Return what steers the exits, for people to read."""
        state = {}
        if self.governor:
            unit = '' if self.config.budget > 0 else ' ms'
            thresholds = ', '.join(f'{one:.3f}' for one in self.governor.thresholds())
            state = {
                'budget': f'{self.governor.config.budget:g}{unit}',
                'budget_spent': f'{self.governor.mean:.4f}{unit}',
                'deep_for_safety': str(self.governor.forced), 'thresholds': thresholds}
        else:
            state = {'thresholds': ', '.join(f'{one:.3f}' for one in self.thresholds)}
        if self.deadline:
            state |= {'deadline': f'{self.config.deadline_ms:g} ms', 'late': str(self.late)}
        return state

    def _warm_up(self) -> list[float]:
        """Run every exit; return the time that leaving there takes [ms], rising."""
        observation = np.zeros((1, *self.network.about.network.input_shape), np.float32)
        last, times = self.network.num_levels - 1, [0.0]
        for level in range(last + 1):
            thresholds = tuple(0.0 if branch == level else NEVER for branch in range(last))
            spent = []
            for _ in range(WARM_UP):
                began = self.clock()
                self.network.decide(observation, thresholds)
                spent.append(1e3 * (self.clock() - began))
            times.append(max(float(np.median(spent)), times[-1] + 1e-6))
        return times[1:]


def make_brain(config: PolicyConfig, before: Brain | None = None) -> Brain:
    """
    Make ready what the settings name; ValueError says what is wrong with them.

    From the brain before it takes network and history, if the checkpoint is the same.
    """
    if before is not None and before.config.checkpoint == config.checkpoint:
        return Brain(config, before.network, before.history, before.grid)
    network = load_policy(config.checkpoint or shipped_checkpoint())
    task = FlightTask.from_dict(network.about.task)
    return Brain(config, network, DepthHistory(task.observation), ActionGrid(task.actions))
