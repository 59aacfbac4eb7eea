"""What decides behind the policy node: a network, its task, and what steers its exits."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
import math
import time
from typing import NamedTuple

import numpy as np

from rapid_nav.drone.actions import ActionGrid, BodyVelocity, free_way
from rapid_nav.drone.observation import History
from rapid_nav.exit_options import ExitOptions
from rapid_nav.inference.exit_control import BudgetConfig, BudgetController, Deadline
from rapid_nav.inference.exit_rule import check_thresholds, Decision, in_time
from rapid_nav.nodes.deciding.loading import load, Loaded
from rapid_nav.options import setting


@dataclass(frozen=True)
class PolicyConfig(ExitOptions):
    """How the policy is steered, and what it flies by."""

    epsilon: float = setting(0.0, 'Share of random actions, for learning.', low=0.0, high=1.0)
    explore_seed: int = setting(0, 'Seed of the random actions.', low=0)
    max_age: float = setting(
        0.5,
        'Oldest image that is decided on; a longer pause begins a new flight.',
        unit='s',
        low=0.01,
        high=60.0,
    )
    max_ahead: float = setting(
        0.5, 'Furthest that an image may be stamped in the future.', unit='s', low=0.0, high=60.0
    )
    frozen_after: float = setting(
        1.0,
        'Time after which a camera whose pixels do not change counts as frozen; 0 disables.',
        unit='s',
        low=0.0,
        high=600.0,
    )
    recorder: str = setting(
        '',
        'Nodes, separated by commas, that must subscribe to exit_level before the first decision.',
    )


LIVE = (*(field.name for field in fields(ExitOptions)), 'epsilon')
"""What may change in flight."""


class FlightDecision(NamedTuple):
    """What was decided on an image."""

    decision: Decision  # its action is the one that is flown
    velocity: BodyVelocity
    spent: float  # [s] in the network
    explored: bool  # the action is a random one


class EpsilonGreedy:
    """Now and then another action than the network's; the same ones for the same seed."""

    def __init__(self, seed: int, num_actions: int) -> None:
        self.rng, self.num_actions = np.random.default_rng(seed), num_actions

    def choose(self, epsilon: float) -> int | None:
        """Return a random action at this rate, or None."""
        # Both numbers are drawn every time, so that a rate changes no later choice.
        chance, action = self.rng.random(), int(self.rng.integers(self.num_actions))
        return action if chance < epsilon else None


class DecisionMaker:
    """Decides on images under settings that stand."""

    def __init__(
        self,
        config: PolicyConfig,
        loaded: Loaded,
        history: History,
        exploration: EpsilonGreedy,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.config, self.loaded, self.history = config, loaded, history
        self.exploration, self.clock = exploration, clock
        self.network, self.grid = loaded.network, ActionGrid(loaded.task.actions)
        network = self.network
        point = config.operating_point or next(iter(network.metadata.operating_points), 'full')
        self.thresholds = network.metadata.thresholds(point)  # refused, too, if it is not used
        if config.threshold >= 0:
            self.thresholds = check_thresholds((config.threshold,), network.num_levels)
        self.controller: BudgetController | None = None
        self.deadline: Deadline | None = None
        self.late = 0
        if config.budget > 0:
            shares = [macs / network.macs[-1] for macs in network.macs]
            self.controller = BudgetController(BudgetConfig(budget=config.budget), shares)
        elif config.budget_ms > 0:
            self.controller = BudgetController(BudgetConfig(budget=config.budget_ms), loaded.times)
        if config.deadline_ms > 0:
            self.deadline = Deadline(config.deadline_ms / 1e3, network.num_levels, clock)

    @property
    def sees_rgb(self) -> bool:
        """Whether it decides on colour images, and not on depth."""
        return self.loaded.task.observation.kind == 'rgb'

    def decide(self, image: np.ndarray, waited: float = 0.0) -> FlightDecision:
        """
        Decide on depth (H, W) [m], or RGB (H, W, 3) uint8, that arrived so long ago [s].

        Raises BadDepth or BadRgb for an image that must not be flown by.
        """
        began = self.clock()
        observation = self.history.push(image, self.network.observation)
        ahead = math.inf if self.sees_rgb else float(free_way(image))
        deep, thresholds = False, self.thresholds
        if self.controller:
            deep = ahead < self.config.clearance
            thresholds = self.controller.thresholds(deep)
        started = self.clock()
        if self.deadline:
            self.deadline.begin(waited + started - began)
        decision = self.network.decide(
            observation, thresholds, self.deadline.may_run if self.deadline else in_time
        )
        spent = self.clock() - started
        if self.deadline:
            self.late += self.deadline.end(decision.level) > self.deadline.limit
        if self.controller:
            cost = decision.macs_ratio if self.config.budget > 0 else 1e3 * spent
            self.controller.record(decision, cost, deep)
        explored = self.exploration.choose(self.config.epsilon)
        if explored is not None:
            decision = decision._replace(action=explored)
        velocity = self.grid.velocity(decision.action, ahead)
        return FlightDecision(decision, velocity, spent, explored is not None)

    def state(self) -> dict[str, str]:
        """Return what steers the exits, for people to read."""
        state = {
            'checkpoint': str(self.loaded.path),
            'weights': str(self.loaded.checkpoint_id),
            'updates': self.loaded.updates,
        }
        if self.config.epsilon > 0:
            state['epsilon'] = f'{self.config.epsilon:g}'
        if self.controller:
            unit = '' if self.config.budget > 0 else ' ms'
            thresholds = ', '.join(f'{one:.3f}' for one in self.controller.thresholds())
            state |= {
                'budget': f'{self.controller.config.budget:g}{unit}',
                'budget_spent': f'{self.controller.mean:.4f}{unit}',
                'deep_for_safety': str(self.controller.forced),
                'thresholds': thresholds,
            }
        else:
            state |= {'thresholds': ', '.join(f'{one:.3f}' for one in self.thresholds)}
        if self.deadline:
            state |= {'deadline': f'{self.config.deadline_ms:g} ms', 'late': str(self.late)}
        return state


def make_decision_maker(
    config: PolicyConfig, before: DecisionMaker | None = None, loaded: Loaded | None = None
) -> DecisionMaker:
    """
    Make ready what the settings name; ValueError says what is wrong with them.

    What the settings leave as it is comes from the decision maker before, the history always;
    `loaded` is the checkpoint that they name, where it has been loaded already.
    """
    if before is None:
        loaded = loaded or load(config.checkpoint)
        exploration = EpsilonGreedy(
            config.explore_seed, ActionGrid(loaded.task.actions).num_actions
        )
        return DecisionMaker(config, loaded, History(loaded.task.observation), exploration)
    if config == replace(before.config, epsilon=config.epsilon):
        before.config = config  # a controller goes on with what it has counted
        return before
    if config.checkpoint == before.config.checkpoint:
        loaded = before.loaded
    elif loaded is None or loaded.checkpoint != config.checkpoint:
        loaded = load(config.checkpoint, before.loaded.task)
    return DecisionMaker(config, loaded, before.history, before.exploration, before.clock)
