"""What judging a policy is, whatever its task: operating points, a sweep, controls, choosing."""

import bisect
from collections.abc import Callable, Mapping, Sequence
import logging
from typing import Any

import numpy as np
import torch

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.losses import regret
from rapid_nav.inference.exit_rule import only_exit
from rapid_nav.inference.network_config import NATURE_DQN_MACS
from rapid_nav.offline.evaluation import baselines
from rapid_nav.offline.evaluation.baselines import answers_of, learned_confidence, scored_policy
from rapid_nav.offline.evaluation.rollout import Chooser

log = logging.getLogger(__name__)

Row = dict[str, Any]

Judge = Callable[[str, Chooser, tuple[int, ...]], Row]
"""From a name, a policy and its operations by exit to its row of a report."""


def judge_points(policy: Checkpoint, judge: Judge, sweep: Sequence[float] = ()) -> list[Row]:
    """Judge the operating points, the full path and a sweep of thresholds."""
    macs = policy.network.config.macs
    points = {name: policy.thresholds(name) for name in [*policy.operating_points, 'full']}
    points |= {f'threshold {t:g}': (t,) * (len(macs) - 1) for t in sweep}
    rows = []
    for name, thresholds in points.items():
        row = judge(name, scored_policy(policy.network, learned_confidence, thresholds), macs)
        rows.append(row | {'macs_vs_nature': row['macs_ratio'] * macs[-1] / NATURE_DQN_MACS})
    return rows


def judge_plain(name: str, policy: Checkpoint, judge: Judge) -> Row:
    """Judge the full path of a network."""
    return judge(
        name,
        scored_policy(policy.network, learned_confidence, policy.thresholds('full')),
        policy.network.config.macs,
    )


def controlled(points: Sequence[Row]) -> Row:
    """Return the point that controls are matched to: `balanced`, or the first."""
    return next((row for row in points if row['name'] == 'balanced'), points[0])


def judge_controls(
    policy: Checkpoint, judge: Judge, points: Sequence[Row], seen: np.ndarray
) -> list[Row]:
    """
    Judge what could have spent the operations of `balanced` without a learned confidence.

    The last of them, the perfect gate, is no rival but a bound: it looks at the answer first.

    ``seen`` (N, C, H, W) uint8 are observations, of other episodes, that match the rules' rates;
    on them each control's ``regret`` is measured, the Q-value that a decision loses by the last
    exit's values, and at what operations; both are added to the operating points too.
    """
    network, macs = policy.network, policy.network.config.macs
    shares = controlled(points)['exit_shares']
    choosers = {
        f'exit {level} alone': scored_policy(
            network, learned_confidence, only_exit(level, len(macs))
        )
        for level in range(len(macs) - 1)
    }
    choosers['random exits'] = baselines.random_exits(network, np.array(shares) / np.sum(shares))
    for name, score in baselines.RULES.items():
        choosers[name] = scored_policy(
            network, score, baselines.matched_thresholds(network, score, seen, shares)
        )
    choosers['perfect gate'] = baselines.perfect_gate(
        network, baselines.matched_tolerance(network, seen, macs, controlled(points)['macs_ratio'])
    )
    with torch.inference_mode():
        values = answers_of(network, seen)[-1].q_values

    def lost(chooser: Chooser) -> dict[str, float]:
        action, level = chooser(seen, np.random.default_rng(0))
        return {
            'regret': float(regret(values, torch.from_numpy(action)).mean()),
            'regret_macs_ratio': float(np.take(macs, level).mean() / macs[-1]),
        }

    for row in points:
        if row['name'] in policy.operating_points:
            row |= lost(scored_policy(network, learned_confidence, policy.thresholds(row['name'])))
    return [judge(name, chooser, macs) | lost(chooser) for name, chooser in choosers.items()]


def spend(
    policy: Checkpoint,
    share_of: Callable[[Chooser], float],
    candidates: Sequence[float],
    targets: Mapping[str, float],
) -> dict[str, tuple[float, ...]]:
    """
    Return each named point's thresholds: the highest that keep to its share of the operations.

    Where the best cannot be told from the luck of some dozen episodes: surer answers are no
    worse, and the share of the operations is known well from a few. ``share_of`` returns it for
    a policy; it rises with the threshold, one of ``candidates``, ascending, for all branches.
    ValueError if none keeps to a target.
    """
    points = {}
    known: dict[int, float] = {}

    def share(index: int) -> float:
        if index not in known:
            point = (candidates[index],) * (policy.network.num_levels - 1)
            known[index] = share_of(scored_policy(policy.network, learned_confidence, point))
            log.info('threshold %.4f: %.3f of the operations', candidates[index], known[index])
        return known[index]

    for name, limit in targets.items():
        if share(0) > limit:
            raise ValueError(
                f'{name}: no threshold keeps to {limit} of the operations; the cheapest takes '
                f'{share(0):.3f}'
            )
        index = bisect.bisect_right(range(1, len(candidates)), limit, key=share)
        points[name] = (candidates[index],) * (policy.network.num_levels - 1)
    return points


def spread_thresholds(policy: Checkpoint, seen: np.ndarray, steps: int) -> list[float]:
    """Return thresholds spread over the confidences that branches give to observations."""
    with torch.inference_mode():
        sure = torch.cat(
            [learned_confidence(answer) for answer in answers_of(policy.network, seen)[:-1]]
        )
    quantiles = torch.quantile(sure, torch.linspace(0.0, 1.0, steps))
    return sorted({0.0, *(round(float(value), 4) for value in quantiles)})
