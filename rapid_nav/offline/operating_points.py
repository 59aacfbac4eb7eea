"""Choosing thresholds: named operating points for wanted shares of the operations."""

from collections.abc import Mapping
import dataclasses
import logging

import torch

from rapid_nav.core.checkpoint import Checkpoint
from rapid_nav.core.cost import macs_by_level
from rapid_nav.flight.task import FlightTask
from rapid_nav.offline.controls import answers_of, learned_confidence, scored_policy
from rapid_nav.offline.evaluate import summarise
from rapid_nav.offline.held_out import Course, GENERATED, observations_on, VALIDATION_SEED

log = logging.getLogger(__name__)

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
    tried = []
    for threshold in _candidates(policy, task, steps):
        point = (threshold,) * (len(macs) - 1)
        flown = course.fly(
            task, scored_policy(policy.network, learned_confidence, point), len(macs))
        row = summarise('', flown, macs)
        log.info('threshold %.2f: %.3f of the operations, %.1f m',
                 threshold, row['macs_ratio'], row['msf_m'])
        tried.append((row['macs_ratio'], row['msf_m'], point))
        if row['macs_ratio'] > 2 * max(targets.values()):
            break  # a higher threshold costs no less
    points = dict(policy.operating_points)
    for name, limit in targets.items():
        fitting = [trial for trial in tried if trial[0] <= limit]
        if not fitting:
            raise ValueError(
                f'{name}: no threshold keeps to {limit} of the operations; the cheapest takes '
                f'{min(tried)[0]:.3f}')
        points[name] = max(fitting, key=lambda trial: trial[1])[2]
    return dataclasses.replace(policy, operating_points=points)


def _candidates(policy: Checkpoint, task: FlightTask, steps: int) -> list[float]:
    """Return thresholds spread over the confidences that the branches really give, ascending."""
    always_first = (0.0,) * (policy.network.num_levels - 1)
    seen = observations_on(
        Course(GENERATED, 16, VALIDATION_SEED, cap_m=30.0), task,
        scored_policy(policy.network, learned_confidence, always_first))
    with torch.inference_mode():
        sure = torch.cat([
            learned_confidence(answer) for answer in answers_of(policy.network, seen)[:-1]])
    quantiles = torch.quantile(sure, torch.linspace(0.0, 1.0, steps))
    return sorted({0.0, *(round(float(value), 4) for value in quantiles)})
