"""How well a policy does and what it costs, over flights or games that it never trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import itertools
from typing import Any

import numpy as np

from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.drone.env import DroneVectorEnv, Start
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95
from rapid_nav.sim.worlds.world import World

Choice = tuple[np.ndarray, np.ndarray]
"""Actions (N,) and the exit each was taken at (N,)."""

Chooser = Callable[[np.ndarray, np.random.Generator], Choice]
"""From observations (N, C, H, W) uint8 to a choice for each."""

Watch = Callable[[np.ndarray, np.ndarray], None]
"""Told after each choice which flight each drone makes (N,) and whether it still flies (N,)."""


@dataclass(frozen=True)
class Flights:
    """What came of N flights."""

    distance_m: np.ndarray  # (N,) planar, until the crash or the cap
    cells: np.ndarray  # (N,) new 1 m cells entered
    reached_cap: np.ndarray  # (N,) bool
    levels: np.ndarray  # (N, L) decisions taken at each exit

    def coverage(self) -> np.ndarray:
        """Return the new 1 m cells entered per metre flown (N,)."""
        return self.cells / np.maximum(self.distance_m, 1.0)


def fly(
    task: FlightTask,
    worlds: Sequence[World],
    starts: Sequence[Start],
    choose: Chooser,
    num_levels: int = 1,
    cap_m: float = 100.0,
    seed: int = 0,
    watch: Watch | None = None,
) -> Flights:
    """Fly once from each start, all side by side; `watch` hears of each choice that counts."""
    count = len(starts)
    env = DroneVectorEnv(task, worlds, count, cap_m=cap_m, starts=itertools.cycle(starts))
    rng = np.random.default_rng(seed)
    observation, _ = env.reset()
    flight = np.arange(count)  # which one each of the environment's drones is
    flying = np.ones(count, bool)  # of those in the environment
    distance, cells = np.zeros(count), np.zeros(count)
    levels = np.zeros((count, num_levels), np.int64)
    while flying.any():
        if flying.mean() < 0.8:  # drones that are done only cost time
            env.keep(flying.nonzero()[0])
            observation, flight, flying = observation[flying], flight[flying], flying[flying]
        action, level = choose(observation, rng)
        levels[flight[flying], level[flying]] += 1
        if watch is not None:
            watch(flight, flying)
        observation, _, terminated, truncated, info = env.step(action)
        ended = flying & (terminated | truncated)
        distance[flight[ended]] = np.minimum(info['distance_m'][ended], cap_m)
        cells[flight[ended]] = info['cells'][ended]
        flying &= ~ended
    return Flights(distance, cells, distance >= cap_m, levels)


def play_out(
    env: Any, choose: Chooser, num_levels: int, seed: int, epsilon: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Play one episode in each of an environment's E games, whose `info` has the `score`.

    Returns the scores (E,) and the decisions at each exit (E, L); with `epsilon`, that share of
    actions is random, which costs as much as the one that was decided on.
    """
    rng = np.random.default_rng(seed)
    observation, _ = env.reset(seed=seed)
    scores, playing = np.zeros(env.num_envs), np.ones(env.num_envs, bool)
    levels = np.zeros((env.num_envs, num_levels), np.int64)
    while playing.any():
        action, level = choose(observation, rng)
        levels[playing, level[playing]] += 1
        if epsilon > 0:
            random = rng.integers(env.single_action_space.n, size=env.num_envs)
            action = np.where(rng.random(env.num_envs) < epsilon, random, action)
        observation, _, terminated, truncated, info = env.step(action)
        ended = playing & (terminated | truncated)
        scores[ended] = info['score'][ended]
        playing &= ~ended
    return scores, levels


def random_policy(num_actions: int) -> Chooser:
    """Return the policy that chooses anything."""

    def choose(observation: np.ndarray, rng: np.random.Generator) -> Choice:
        count = len(observation)
        return rng.integers(num_actions, size=count), np.zeros(count, np.int64)

    return choose


def straight_policy(task: FlightTask) -> Chooser:
    """Return the policy that always flies level and ahead."""
    straight = ActionGrid(task.actions).straight

    def choose(observation: np.ndarray, _rng: np.random.Generator) -> Choice:
        count = len(observation)
        return np.full(count, straight), np.zeros(count, np.int64)

    return choose


def summarise(name: str, flights: Flights, macs: Sequence[int]) -> dict[str, Any]:
    """Return one operating point's row of a report."""
    shares = flights.levels.sum(axis=0) / flights.levels.sum()
    return {
        'name': name,
        'macs_ratio': float(shares @ np.asarray(macs) / macs[-1]),
        'msf_m': float(flights.distance_m.mean()),
        'msf_ci95': bootstrap_ci95(flights.distance_m),
        'coverage': float(flights.coverage().mean()),
        'cap_share': float(flights.reached_cap.mean()),
        'exit_shares': [float(share) for share in shares],
        'distances_m': [round(float(distance), 3) for distance in flights.distance_m],
    }
