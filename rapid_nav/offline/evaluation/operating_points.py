"""Choosing thresholds: named operating points for wanted shares of the operations."""

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
import functools
import logging

import numpy as np
import torch

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.drone.seeds import VALIDATION
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.atari.task import AtariTask
from rapid_nav.offline.evaluation.atari_suite import AtariSuite, PROTOCOLS
from rapid_nav.offline.evaluation.baselines import (
    answers_of,
    early_exit_policy,
    learned_confidence,
)
from rapid_nav.offline.evaluation.suite import DroneSuite, Row, Suite

log = logging.getLogger(__name__)

DRONE = {'balanced': 0.14, 'economy': 0.07}
"""The share of the full network's operations of each point; the first is the default."""

ATARI = {'balanced': 0.18}
"""The same for Atari's games."""

_CANDIDATES = 101  # thresholds that are tried, at most


def choose_for_drone(
    policy: Checkpoint,
    targets: Mapping[str, float] = DRONE,
    flights: int = 40,
    candidates: int = _CANDIDATES,
) -> Checkpoint:
    """Return the checkpoint with operating points chosen on validation worlds; see `choose`."""
    task = FlightTask.from_dict(policy.task)
    return choose(
        policy,
        targets,
        DroneSuite.of(task, flights, VALIDATION.start, cap_m=40.0),
        DroneSuite.of(task, 16, VALIDATION.start, cap_m=30.0),
        candidates,
    )


def choose_for_atari(
    policy: Checkpoint,
    targets: Mapping[str, float] = ATARI,
    episodes: int = 4,
    candidates: int = _CANDIDATES,
    protocol: str = 'nature',
) -> Checkpoint:
    """Return the checkpoint with operating points chosen in validation games; see `choose`."""
    suite = AtariSuite(
        AtariTask.from_dict(policy.task), PROTOCOLS[protocol], episodes, VALIDATION.start
    )
    seen = replace(suite, episodes=2, seed=VALIDATION.start + 1)
    return choose(policy, targets, suite, seen, candidates)


def choose(
    policy: Checkpoint,
    targets: Mapping[str, float],
    suite: Suite[Row],
    seen: Suite[Row],
    candidates: int,
) -> Checkpoint:
    """
    Return the checkpoint with each named point's thresholds, one for all branches.

    Each point gets the highest threshold that keeps to its share of the operations: a few dozen
    episodes cannot tell which of two thresholds does better, but they tell well what it costs.
    Candidates are spread over the confidences of branches in `seen`; `suite` measures the share.
    ValueError if not even the first exit keeps to a target.
    """
    network, branches = policy.network, policy.network.num_levels - 1
    always_first = early_exit_policy(network, (0.0,) * branches)
    thresholds = _spread_thresholds(policy, seen.observations(always_first), candidates)

    def share_of(threshold: float) -> float:
        played = suite.play(
            early_exit_policy(network, (threshold,) * branches), network.num_levels
        )
        share = played.macs_ratio(network.config.macs)
        log.info('threshold %.4f: %.3f of the operations', threshold, share)
        return share

    found = highest_within(share_of, thresholds, targets)
    points = {name: (threshold,) * branches for name, threshold in found.items()}
    return replace(policy, operating_points={**policy.operating_points, **points})


def highest_within(
    share_of: Callable[[float], float], candidates: Sequence[float], targets: Mapping[str, float]
) -> dict[str, float]:
    """
    Return for each target the highest threshold that keeps to its share of the operations.

    ``share_of`` measures that of a threshold, with which it rises; ``candidates`` ascend.
    ValueError if none keeps to a target.
    """
    points = {}
    share = functools.lru_cache(lambda index: share_of(candidates[index]))
    for name, limit in targets.items():
        if share(0) > limit:
            raise ValueError(
                f'{name}: no threshold keeps to {limit} of the operations; the cheapest takes '
                f'{share(0):.3f}'
            )
        index = bisect.bisect_right(range(1, len(candidates)), limit, key=share)
        points[name] = candidates[index]
    return points


def _spread_thresholds(policy: Checkpoint, seen: np.ndarray, count: int) -> list[float]:
    """Return thresholds spread over the confidences that branches give to observations."""
    with torch.inference_mode():
        sure = torch.cat(
            [learned_confidence(answer) for answer in answers_of(policy.network, seen)[:-1]]
        )
    quantiles = torch.quantile(sure, torch.linspace(0.0, 1.0, count))
    return sorted({0.0, *(round(float(value), 4) for value in quantiles)})
