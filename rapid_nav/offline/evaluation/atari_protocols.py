"""Whole games of Atari by one policy, under a protocol that every report names."""

from collections.abc import Sequence
import dataclasses
from dataclasses import dataclass
import itertools
from typing import Any

import numpy as np

from rapid_nav.offline.atari.env import AtariVectorEnv
from rapid_nav.offline.atari.task import AtariTask
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95
from rapid_nav.offline.evaluation.rollout import Chooser, play_out


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
class Games:
    """What came of E games."""

    scores: np.ndarray  # (E,)
    levels: np.ndarray  # (E, L) decisions taken at each exit

    def row(self, name: str, macs: Sequence[int]) -> dict[str, Any]:
        """Return the row of a report; macs are the policy's operations by exit."""
        shares = self.levels.sum(axis=0) / self.levels.sum()
        return {
            'name': name,
            'score': float(self.scores.mean()),
            'score_ci95': bootstrap_ci95(self.scores),
            'macs_ratio': float(shares @ np.asarray(macs) / macs[-1]),
            'exit_shares': [float(share) for share in shares],
            'decisions': int(self.levels.sum()),
        }


class Arcade:
    """A fixed set of games, the same for every policy that plays them."""

    def __init__(self, task: AtariTask, protocol: Protocol, episodes: int, seed: int) -> None:
        self.task, self.protocol = protocol.of(task), protocol
        self.episodes, self.seed = episodes, seed
        self.num_actions = AtariVectorEnv(self.task, 1).num_actions

    def play(self, choose: Chooser, num_levels: int = 1) -> Games:
        """Play them all, side by side."""
        env = AtariVectorEnv(self.task, self.episodes)
        return Games(*play_out(env, choose, num_levels, self.seed, self.protocol.epsilon))

    def observations(self, choose: Chooser, limit: int = 4000) -> np.ndarray:
        """Return observations (N, C, H, W) uint8 that a policy meets, thinned evenly."""
        seen: list[np.ndarray] = []
        turn = itertools.count()

        def watch(observation: np.ndarray, rng: np.random.Generator) -> Any:
            if next(turn) % 8 == 0:
                seen.append(observation)
            action, level = choose(observation, rng)
            return action, np.zeros_like(level)

        self.play(watch)
        return np.concatenate(seen)[:: max(1, sum(map(len, seen)) // limit)][:limit]
