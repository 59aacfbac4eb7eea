"""Evaluation suites: a fixed set of episodes, the same for every policy that is compared."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
import itertools
import logging
from typing import Any, Generic, TypeVar

import numpy as np

from rapid_nav.drone.seeds import seed_of_flight
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95
from rapid_nav.offline.evaluation.rollout import (
    BatchPolicy,
    Decisions,
    Episodes,
    exit_shares,
    rollout,
    Watch,
)
from rapid_nav.offline.reporting.kinds import DroneRow, PolicyRow
from rapid_nav.sim.worlds.world import make_world, World
from rapid_nav.world_names import split_names

log = logging.getLogger(__name__)

GENERATED = ('corridor', 'rooms', 'pillars', 'forest')
"""The kinds of worlds that policies are trained and evaluated in unless told otherwise."""

Row = TypeVar('Row', bound=PolicyRow)


class Suite(ABC, Generic[Row]):
    """Episodes that are the same for every policy, and the row of a report that they make."""

    seed = 0  # of the environment and of random decisions
    stride = 1  # of the decisions that `observations` looks at

    @property
    def epsilon(self) -> float:
        """The share of random actions."""
        return 0.0

    @abstractmethod
    def make_env(self) -> Any:
        """Return a vector environment whose copies play an episode each."""

    @abstractmethod
    def row(self, name: str, played: Episodes, macs: Sequence[int]) -> Row:
        """Return the row of a report; `macs` are the policy's operations by exit."""

    @abstractmethod
    def seen_by(self, task: Mapping[str, Any]) -> 'Suite[Row]':
        """Return the same episodes as a policy of another task meets them."""

    def play(
        self, policy: BatchPolicy, num_levels: int = 1, watch: Watch | None = None
    ) -> Episodes:
        """Play all episodes side by side."""
        return rollout(self.make_env(), policy, num_levels, self.seed, self.epsilon, watch)

    def evaluate(self, name: str, policy: BatchPolicy, macs: Sequence[int] = (1,)) -> Row:
        """Play all episodes and return their row."""
        row = self.row(name, self.play(policy, len(macs)), macs)
        log.info('%s', row)
        return row

    def observations(self, policy: BatchPolicy, limit: int = 4000) -> np.ndarray:
        """Return observations (N, C, H, W) uint8 that a policy meets, thinned evenly."""
        seen: list[np.ndarray] = []
        turn = itertools.count()

        def noting(observation: np.ndarray, rng: np.random.Generator) -> Decisions:
            if next(turn) % self.stride == 0:
                seen.append(observation)
            action, level = policy(observation, rng)
            return action, np.zeros_like(level)

        self.play(noting)
        return np.concatenate(seen)[:: max(1, sum(map(len, seen)) // limit)][:limit]


@dataclass(frozen=True, eq=False)
class DroneSuite(Suite[DroneRow]):
    """Flights, each in a world or from a start pose of its own."""

    task: FlightTask
    worlds: tuple[World, ...]  # of each flight
    names: tuple[str, ...]  # of each flight's world
    cap_m: float  # a flight ends after this distance [m]

    @staticmethod
    def of(
        task: FlightTask,
        flights: int,
        first_seed: int,
        cap_m: float,
        worlds: Sequence[str] = GENERATED,
    ) -> 'DroneSuite':
        """Return flights in worlds of consecutive seeds, by turns of each kind."""
        kinds = split_names(','.join(worlds))
        if not kinds:
            raise ValueError('no worlds to fly in; name a generator or a file')
        names = tuple(itertools.islice(itertools.cycle(kinds), flights))
        made = tuple(
            make_world(name, seed_of_flight(first_seed, flight // len(kinds)))
            for flight, name in enumerate(names)
        )
        return DroneSuite(task, made, names, cap_m)

    def make_env(self) -> DroneVectorEnv:
        """Return an environment with a drone for each flight."""
        starts = [
            (flight, world.seed % len(world.start_poses))
            for flight, world in enumerate(self.worlds)
        ]
        count = len(self.worlds)
        return DroneVectorEnv(
            self.task, self.worlds, count, cap_m=self.cap_m, starts=itertools.cycle(starts)
        )

    def seen_by(self, task: Mapping[str, Any]) -> 'DroneSuite':
        """Return the same flights by another task."""
        return replace(self, task=FlightTask.from_dict(task))

    def row(self, name: str, played: Episodes, macs: Sequence[int]) -> DroneRow:
        """Return the mean safe flight with its interval, as a whole and by kind of world."""
        distance = np.minimum(played.info['distance_m'], self.cap_m)
        coverage = played.info['cells'] / np.maximum(distance, 1.0)
        of = {world: np.array(self.names) == world for world in dict.fromkeys(self.names)}
        return DroneRow(
            name=name,
            macs_ratio=played.macs_ratio(macs),
            exit_shares=played.exit_shares(),
            msf_m=float(distance.mean()),
            msf_ci95=bootstrap_ci95(distance),
            coverage=float(coverage.mean()),
            cap_share=float((distance >= self.cap_m).mean()),
            by_world={world: float(distance[mask].mean()) for world, mask in of.items()},
            exit_shares_by_world={
                world: exit_shares(played.levels[mask]) for world, mask in of.items()
            },
            distances_m=tuple(round(float(metres), 3) for metres in distance),
        )
