"""Episodes of a policy in a vector environment, one for each copy, and what they cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import FlightTask

Decisions = tuple[np.ndarray, np.ndarray]
"""Actions (N,) and the exit that each was taken at (N,)."""

BatchPolicy = Callable[[np.ndarray, np.random.Generator], Decisions]
"""From observations (N, C, H, W) uint8 to a decision for each."""

Watch = Callable[[np.ndarray, np.ndarray], None]
"""Told after each decision which episode each copy plays (N,) and whether it goes on (N,)."""

_KEPT_SHARE = 0.8  # of copies that still play; with fewer the others are dropped


@dataclass(frozen=True)
class Episodes:
    """What came of E episodes."""

    levels: np.ndarray  # (E, L) decisions taken at each exit
    info: dict[str, np.ndarray]  # (E,) each: the environment's `info` where an episode ended

    def exit_shares(self) -> tuple[float, ...]:
        """Return the share of all decisions at each exit (L,)."""
        return exit_shares(self.levels)

    def macs_ratio(self, macs: Sequence[int]) -> float:
        """Return the operations of a decision as a share of the last exit's; `macs` by exit."""
        return float(np.dot(self.exit_shares(), macs) / macs[-1])


def exit_shares(levels: np.ndarray) -> tuple[float, ...]:
    """Return the share at each exit (L,) of decisions counted by episode (E, L)."""
    return tuple(float(share) for share in levels.sum(axis=0) / levels.sum())


def rollout(
    env: Any,
    policy: BatchPolicy,
    num_levels: int,
    seed: int = 0,
    epsilon: float = 0.0,
    watch: Watch | None = None,
) -> Episodes:
    """
    Play the first episode of each copy in a vector environment to its end.

    With `epsilon`, that share of the actions is random, which costs as much as the one that was
    decided on. Copies that are done are dropped from an environment that can `keep` the others.
    """
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    count = env.num_envs
    episode = np.arange(count)  # that each of the environment's copies plays
    playing = np.ones(count, bool)
    levels = np.zeros((count, num_levels), np.int64)
    ends: dict[str, np.ndarray] = {}
    while playing.any():
        if playing.mean() < _KEPT_SHARE and hasattr(env, 'keep'):
            env.keep(playing.nonzero()[0])
            observation, episode, playing = (
                observation[playing],
                episode[playing],
                playing[playing],
            )
        action, level = policy(observation, rng)
        levels[episode[playing], level[playing]] += 1
        if watch is not None:
            watch(episode, playing)
        if epsilon > 0:
            random = rng.integers(env.single_action_space.n, size=len(action))
            action = np.where(rng.random(len(action)) < epsilon, random, action)
        observation, _, terminated, truncated, info = env.step(action)
        ended = playing & (terminated | truncated)
        for key, values in info.items():
            ends.setdefault(key, np.zeros(count, values.dtype))[episode[ended]] = values[ended]
        playing &= ~ended
    return Episodes(levels, ends)


def random_policy(num_actions: int) -> BatchPolicy:
    """Return the policy that takes any action."""

    def decide(observation: np.ndarray, rng: np.random.Generator) -> Decisions:
        count = len(observation)
        return rng.integers(num_actions, size=count), np.zeros(count, np.int64)

    return decide


def straight_policy(task: FlightTask) -> BatchPolicy:
    """Return the policy that always flies level and ahead."""
    straight = ActionGrid(task.actions).straight

    def decide(observation: np.ndarray, _rng: np.random.Generator) -> Decisions:
        count = len(observation)
        return np.full(count, straight), np.zeros(count, np.int64)

    return decide
