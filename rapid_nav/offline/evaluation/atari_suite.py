"""Whole games of Atari by one policy, under a protocol that every report names."""

from collections.abc import Mapping, Sequence
import dataclasses
from dataclasses import dataclass
from typing import Any

from rapid_nav.offline.atari.env import AtariVectorEnv
from rapid_nav.offline.atari.reference_scores import normalised
from rapid_nav.offline.atari.task import AtariTask
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95
from rapid_nav.offline.evaluation.rollout import Episodes
from rapid_nav.offline.evaluation.suite import Suite
from rapid_nav.offline.reporting.kinds import AtariRow


@dataclass(frozen=True)
class Protocol:
    """How games are played to be scored."""

    about: str
    sticky: float
    no_ops: int
    epsilon: float  # share of random actions
    max_frames: int = 18_000  # five minutes

    def of(self, task: AtariTask) -> AtariTask:
        """Return the task of a whole game with its own points."""
        return dataclasses.replace(
            task,
            sticky=self.sticky,
            no_ops=self.no_ops,
            max_frames=self.max_frames,
            life_loss=False,
            clip_rewards=False,
        )


PROTOCOLS = {
    'nature': Protocol(
        'Mnih et al. 2015: up to 30 no-ops at the start, epsilon 0.05, no sticky actions, games '
        'cut off after five minutes',
        sticky=0.0,
        no_ops=30,
        epsilon=0.05,
    ),
    'machado': Protocol(
        'Machado et al. 2018: sticky actions (0.25), no no-ops, no life-loss signal, games cut '
        'off after five minutes; epsilon 0.01 as their DQN ended with, and the minimal set of '
        'actions instead of all 18',
        sticky=0.25,
        no_ops=0,
        epsilon=0.01,
    ),
}


@dataclass(frozen=True)
class AtariSuite(Suite[AtariRow]):
    """Whole games of one kind, all from one seed."""

    task: AtariTask
    protocol: Protocol
    episodes: int
    seed: int
    stride = 8  # consecutive pictures hardly differ

    @property
    def epsilon(self) -> float:
        """The protocol's share of random actions."""
        return self.protocol.epsilon

    def make_env(self) -> AtariVectorEnv:
        """Return an environment with a copy of the game for each episode."""
        return AtariVectorEnv(self.protocol.of(self.task), self.episodes)

    def seen_by(self, task: Mapping[str, Any]) -> 'AtariSuite':
        """Return the same games by another task."""
        return dataclasses.replace(self, task=AtariTask.from_dict(task))

    def row(self, name: str, played: Episodes, macs: Sequence[int]) -> AtariRow:
        """Return the mean score with its interval, and beside published ones."""
        scores = played.info['score']
        return AtariRow(
            name=name,
            macs_ratio=played.macs_ratio(macs),
            exit_shares=played.exit_shares(),
            score=float(scores.mean()),
            score_ci95=bootstrap_ci95(scores),
            decisions=int(played.levels.sum()),
            **normalised(self.task.game, float(scores.mean())),
        )
