"""Evaluation of a policy on any suite: its operating points, a sweep, its controls."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.losses import regret
from rapid_nav.inference.exit_rule import only_exit
from rapid_nav.inference.network_config import NATURE_DQN_MACS
from rapid_nav.offline.evaluation import baselines
from rapid_nav.offline.evaluation.baselines import answers_of, early_exit_policy, scored_policy
from rapid_nav.offline.evaluation.rollout import BatchPolicy
from rapid_nav.offline.evaluation.suite import Suite
from rapid_nav.offline.reporting.kinds import PolicyRow

Row = TypeVar('Row', bound=PolicyRow)


def evaluate_points(
    policy: Checkpoint, suite: Suite[Row], sweep: Sequence[float] = ()
) -> list[Row]:
    """Evaluate the operating points, the full path and a sweep of thresholds."""
    macs = policy.network.config.macs
    points = {name: policy.thresholds(name) for name in [*policy.operating_points, 'full']}
    points |= {f'threshold {t:g}': (t,) * (len(macs) - 1) for t in sweep}
    rows = [
        suite.evaluate(name, early_exit_policy(policy.network, thresholds), macs)
        for name, thresholds in points.items()
    ]
    return [
        replace(row, macs_vs_nature=row.macs_ratio * macs[-1] / NATURE_DQN_MACS) for row in rows
    ]


def evaluate_full_path(name: str, policy: Checkpoint, suite: Suite[Row]) -> Row:
    """Evaluate the full path of a network."""
    full = early_exit_policy(policy.network, policy.thresholds('full'))
    return suite.evaluate(name, full, policy.network.config.macs)


def point_with_controls(points: Sequence[Row]) -> Row:
    """Return the point that controls are matched to: `balanced`, or the first."""
    return next((row for row in points if row.name == 'balanced'), points[0])


def evaluate_controls(
    policy: Checkpoint, suite: Suite[Row], points: Sequence[Row], seen: np.ndarray
) -> tuple[list[Row], list[Row]]:
    """
    Return the points and the controls, each with its regret.

    Controls spend about the operations of `balanced` without a learned confidence. The last of
    them, the perfect gate, is no rival but a bound: it looks at the answer first. ``seen`` (N, C,
    H, W) uint8 are observations, of other episodes, on which the controls' rates are matched and
    the regret is measured: the Q-value that a decision loses by the last exit's values.
    """
    network, macs = policy.network, policy.network.config.macs
    matched = point_with_controls(points)
    shares = matched.exit_shares
    control_policies = {
        f'exit {level} alone': early_exit_policy(network, only_exit(level, len(macs)))
        for level in range(len(macs) - 1)
    }
    control_policies['random exits'] = baselines.random_exits(
        network, np.array(shares) / np.sum(shares)
    )
    for name, score in baselines.RULES.items():
        thresholds = baselines.matched_thresholds(network, score, seen, shares)
        control_policies[name] = scored_policy(network, score, thresholds)
    control_policies['perfect gate'] = baselines.perfect_gate(
        network, baselines.matched_tolerance(network, seen, macs, matched.macs_ratio)
    )
    with torch.inference_mode():
        values = answers_of(network, seen)[-1].q_values

    def with_regret(row: Row, decide: BatchPolicy) -> Row:
        action, level = decide(seen, np.random.default_rng(0))
        return replace(
            row,
            regret=float(regret(values, torch.from_numpy(action)).mean()),
            regret_macs_ratio=float(np.take(macs, level).mean() / macs[-1]),
        )

    return (
        [
            with_regret(row, early_exit_policy(network, policy.thresholds(row.name)))
            if row.name in policy.operating_points
            else row
            for row in points
        ],
        [
            with_regret(suite.evaluate(name, decide, macs), decide)
            for name, decide in control_policies.items()
        ],
    )
