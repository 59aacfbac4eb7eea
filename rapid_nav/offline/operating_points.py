"""Choosing thresholds: named operating points for wanted shares of the operations."""

from collections.abc import Mapping
import dataclasses

from rapid_nav.core.checkpoint import Checkpoint
from rapid_nav.core.cost import macs_by_level
from rapid_nav.flight.task import FlightTask
from rapid_nav.offline.controls import learned_confidence, scored_policy
from rapid_nav.offline.evaluate import Chooser, summarise
from rapid_nav.offline.held_out import Course, GENERATED, observations_on, VALIDATION_SEED
from rapid_nav.offline.judging import best_points, spread_thresholds

TARGETS = {'balanced': 0.15, 'economy': 0.08}
"""The share of the full network's operations that each may take; the first is the default."""


def choose(
    policy: Checkpoint,
    targets: Mapping[str, float] = TARGETS,
    flights: int = 80,
    steps: int = 21,
) -> Checkpoint:
    """
    Return the checkpoint with each named point's thresholds, chosen on validation worlds.

    Among thresholds that keep to a point's share of the operations, those that fly farthest.
    Tried are one threshold for all branches, at the quantiles of the first branch's confidence
    where it matters. ValueError if none keeps to a target.
    """
    task = FlightTask.from_dict(policy.task)
    macs = macs_by_level(policy.network)
    course = Course(GENERATED, flights, VALIDATION_SEED, cap_m=100.0)

    def fly(chooser: Chooser) -> tuple[float, float]:
        row = summarise('', course.fly(task, chooser, len(macs)), macs)
        return row['macs_ratio'], row['msf_m']

    always_first = (0.0,) * (policy.network.num_levels - 1)
    seen = observations_on(
        Course(GENERATED, 16, VALIDATION_SEED, cap_m=30.0), task,
        scored_policy(policy.network, learned_confidence, always_first))
    points = best_points(policy, fly, spread_thresholds(policy, seen, steps), targets)
    return dataclasses.replace(
        policy, operating_points={**policy.operating_points, **points})
