"""Choosing thresholds: named operating points for wanted shares of the operations."""

from collections.abc import Mapping
import dataclasses

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.drone.seeds import VALIDATION
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.evaluation.baselines import learned_confidence, scored_policy
from rapid_nav.offline.evaluation.evaluate_policy import spend, spread_thresholds
from rapid_nav.offline.evaluation.rollout import Chooser, summarise
from rapid_nav.offline.evaluation.suite import Course, GENERATED, observations_on

TARGETS = {'balanced': 0.14, 'economy': 0.07}
"""The share of the full network's operations that each may take; the first is the default."""


def choose(
    policy: Checkpoint, targets: Mapping[str, float] = TARGETS, flights: int = 40, steps: int = 101
) -> Checkpoint:
    """
    Return the checkpoint with each named point's thresholds, chosen on validation worlds.

    They spend what their point may, see judging.spend: twice as many flights could not tell which
    of two thresholds flies farther. Other worlds take a little more or less than these. ValueError
    if not even the first exit keeps to a target.
    """
    task = FlightTask.from_dict(policy.task)
    macs = policy.network.config.macs
    course = Course(GENERATED, flights, VALIDATION.start, cap_m=40.0)

    def share_of(chooser: Chooser) -> float:
        return float(summarise('', course.fly(task, chooser, len(macs)), macs)['macs_ratio'])

    always_first = (0.0,) * (policy.network.num_levels - 1)
    seen = observations_on(
        Course(GENERATED, 16, VALIDATION.start, cap_m=30.0),
        task,
        scored_policy(policy.network, learned_confidence, always_first),
    )
    points = spend(policy, share_of, spread_thresholds(policy, seen, steps), targets)
    return dataclasses.replace(policy, operating_points={**policy.operating_points, **points})
