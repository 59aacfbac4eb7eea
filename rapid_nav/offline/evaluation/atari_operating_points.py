"""Choosing a player's thresholds, in games that neither trained nor judge it."""

from collections.abc import Mapping
import dataclasses

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.drone.seeds import VALIDATION
from rapid_nav.offline.atari.task import AtariTask
from rapid_nav.offline.evaluation.atari_protocols import Arcade, PROTOCOLS
from rapid_nav.offline.evaluation.baselines import learned_confidence, scored_policy
from rapid_nav.offline.evaluation.evaluate_policy import spend, spread_thresholds
from rapid_nav.offline.evaluation.rollout import Chooser

TARGETS = {'balanced': 0.18}
"""The share of the full network's operations that each may take."""


def choose(
    policy: Checkpoint,
    targets: Mapping[str, float] = TARGETS,
    episodes: int = 4,
    steps: int = 101,
    protocol: str = 'nature',
) -> Checkpoint:
    """
    Return the checkpoint with each named point's thresholds.

    They spend what their point may, see judging.spend: a dozen games could not tell which of two
    thresholds scores more, and taking the luckiest is choosing by luck. ValueError if not even
    the first exit keeps to a target.
    """
    task, macs = AtariTask.from_dict(policy.task), policy.network.config.macs

    def share_of(chooser: Chooser) -> float:
        arcade = Arcade(task, PROTOCOLS[protocol], episodes, VALIDATION.start)
        return float(arcade.play(chooser, len(macs)).row('', macs)['macs_ratio'])

    always_first = (0.0,) * (len(macs) - 1)
    seen = Arcade(task, PROTOCOLS[protocol], 2, VALIDATION.start + 1).observations(
        scored_policy(policy.network, learned_confidence, always_first)
    )
    points = spend(policy, share_of, spread_thresholds(policy, seen, steps), targets)
    return dataclasses.replace(policy, operating_points={**policy.operating_points, **points})
