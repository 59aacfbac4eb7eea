"""Control of the exits: a budget for the mean cost, a deadline for every answer."""

import bisect
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapid_nav.inference.exit_rule import Decision, NEVER
from rapid_nav.options import check, setting

START = 0.5  # the threshold while no confidence has been seen


@dataclass(frozen=True)
class BudgetConfig:
    """How a budget is held."""

    budget: float = setting(
        0.25, "Mean cost of a decision, in the unit of the exits' costs.", low=0.0
    )
    window: int = setting(200, 'Decisions after which the mean holds.', low=10)
    tolerance: float = setting(
        0.05, 'Share of the budget that the mean may then be off.', low=0.001, high=1.0
    )
    horizon: float = setting(10.0, 'Decisions within which a debt is paid.', low=1.0, high=1000.0)
    memory: int = setting(64, 'Confidences of each exit that are remembered.', low=2, high=10_000)

    def __post_init__(self) -> None:
        check(self)


class BudgetController:
    """
    Chooses thresholds so that the mean cost of decisions holds a budget.

    Which share of decisions should go on at each exit follows from the costs and the budget, less
    a debt of what was overspent; the thresholds are the quantiles of the confidences lately seen
    that pass this share on, so a change of scene moves them along. A debt beyond a limit is paid
    at once, by the cheapest exit or by the full network whatever they say. So after `window`
    decisions the mean is within `tolerance` of the budget, for any sequence of confidences, but
    for what was spent on decisions that had to be deep.

    Costs are cumulative, one for each exit: shares of the operations, or milliseconds.
    """

    def __init__(self, config: BudgetConfig, costs: Sequence[float]) -> None:
        if list(costs) != sorted(costs) or not costs or costs[0] <= 0:
            raise ValueError(f'costs {tuple(costs)} must be positive and rise from exit to exit')
        self.config = config
        self.costs = list(costs)
        self.seen = [Recent(config.memory) for _ in costs[:-1]]
        self.debt = 0.0  # what was spent above the budget, in its unit
        self.decisions, self.spent, self.forced = 0, 0.0, 0

    @property
    def mean(self) -> float:
        """The mean cost of the decisions so far."""
        return self.spent / max(self.decisions, 1)

    @property
    def reach(self) -> float:
        """The budget, or what comes nearest to it of what the exits can cost."""
        return min(max(self.config.budget, self.costs[0]), self.costs[-1])

    def thresholds(self, deep: bool = False) -> tuple[float, ...]:
        """Return thresholds for the next decision; with `deep` it asks the full network."""
        limit = self.reach * self.config.tolerance * self.config.window
        limit = max(0.0, limit - (self.costs[-1] - self.reach))  # one full decision to spare
        if deep or self.debt < -limit:
            return (NEVER,) * len(self.seen)
        if self.debt > limit:
            return (0.0,) * len(self.seen)
        share = self.share_for(self.reach - self.debt / self.config.horizon)
        return tuple(recent.quantile(share) for recent in self.seen)

    def share_for(self, cost: float) -> float:
        """Return the share of decisions to pass on at each exit for an expected cost."""
        low, high = 0.0, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            expected, passed = self.costs[0], 1.0
            for before, after in zip(self.costs, self.costs[1:], strict=False):
                passed *= middle
                expected += passed * (after - before)
            low, high = (middle, high) if expected < cost else (low, middle)
        return high

    def record(self, decision: Decision, cost: float, deep: bool = False) -> None:
        """Take note of a decision, of its true cost and of whether it had to be deep."""
        for recent, confidence in zip(self.seen, decision.confidences, strict=False):
            recent.add(confidence)
        self._learn_cost(decision.level, cost)
        self.decisions += 1
        self.spent += cost
        self.forced += deep
        # However long it had to be deep: no more is paid back than half a window can.
        most = max(self.reach - self.costs[0], 0.0) * self.config.window / 2
        self.debt = min(self.debt + cost - self.reach, max(most, self.costs[-1]))

    def _learn_cost(self, level: int, cost: float) -> None:
        """Follow the costs as they are; operations stand still, milliseconds do not."""
        learnt = self.costs[level] + 0.05 * (cost - self.costs[level])
        below = self.costs[level - 1] if level else 0.0
        above = self.costs[level + 1] if level + 1 < len(self.costs) else float('inf')
        self.costs[level] = min(max(learnt, below), above)


class Recent:
    """The newest confidences of an exit, in order of size."""

    def __init__(self, size: int) -> None:
        self.newest: deque[float] = deque(maxlen=size)
        self.ordered: list[float] = []

    def add(self, confidence: float) -> None:
        """Take one in, and let the oldest go."""
        if len(self.newest) == self.newest.maxlen:
            del self.ordered[bisect.bisect_left(self.ordered, self.newest[0])]
        self.newest.append(confidence)
        bisect.insort(self.ordered, confidence)

    def quantile(self, share: float) -> float:
        """Return the threshold under which this share of them lies."""
        if not self.ordered:
            return START
        index = round(share * len(self.ordered))
        return self.ordered[index] if index < len(self.ordered) else NEVER


class Deadline:
    """
    Says before each stage whether its answer would still come in time; see exit_rule.decide.

    A stage is expected to take as long as it did at its slowest, which fades from decision to
    decision, so that one slow moment shuts it out for a short while only. Each time that it is
    late all the same, it is shut out for twice as long. The clock is handed in [s].
    """

    FADING = 0.95  # what is left of a peak after a decision
    MAX_SLOWDOWN = 64.0  # of the fading

    def __init__(self, limit: float, num_levels: int, clock: Callable[[], float]) -> None:
        if limit <= 0.0:
            raise ValueError(f'a deadline of {limit} s cannot be met; give a positive one')
        self.limit, self.clock = limit, clock
        self.expected = [0.0] * num_levels  # [s] of each stage
        self.slowdown = [1.0] * num_levels
        self.began = self.stage_began = clock()
        self.measured = -1  # the newest stage whose end was seen

    def begin(self, waited: float = 0.0) -> None:
        """Start a decision on what has already waited so long [s]."""
        self.stage_began = self.clock()
        self.began = self.stage_began - waited
        self.measured = -1

    def may_run(self, level: int) -> bool:
        """Return whether this stage can be run in time; the one before it has just ended."""
        if self._ended(level - 1) + self.expected[level] <= self.limit:
            return True
        self.expected[level] *= self.FADING ** (1.0 / self.slowdown[level])
        return False

    def end(self, level: int) -> float:
        """Take note that the decision ended with this stage; return how long it took [s]."""
        return self._ended(level)

    def _ended(self, level: int) -> float:
        """Learn from a stage that has ended; return the time since the decision began [s]."""
        now = self.clock()
        if level > self.measured:
            spent, self.stage_began, self.measured = now - self.stage_began, now, level
            self.expected[level] = max(spent, self.expected[level] * self.FADING)
            late = now - self.began > self.limit
            slowdown = self.slowdown[level] * (2.0 if late else 0.5)
            self.slowdown[level] = min(max(slowdown, 1.0), self.MAX_SLOWDOWN)
        return now - self.began
