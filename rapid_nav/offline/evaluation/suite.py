"""Which worlds train, which choose thresholds, and which judge: seeds that never mix."""

from collections.abc import Sequence

import numpy as np

from rapid_nav.drone.seeds import seed_of_flight
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.drone.env import Start
from rapid_nav.offline.evaluation import rollout
from rapid_nav.offline.evaluation.rollout import Chooser, Flights
from rapid_nav.sim.worlds.world import make_world, World
from rapid_nav.world_names import split_names

GENERATED = ('corridor', 'rooms', 'pillars', 'forest')


class Course:
    """A fixed set of flights: a new seed, and so a new world or start, for each."""

    def __init__(self, specs: Sequence[str], flights: int, seed_base: int, cap_m: float) -> None:
        names = split_names(','.join(specs))
        if not names:
            raise ValueError('no worlds to fly in; name a generator or a file')
        self.cap_m = cap_m
        self.worlds: list[World] = []
        self.starts: list[Start] = []
        self.names: list[str] = []  # of each flight's world
        for flight in range(flights):
            name = names[flight % len(names)]
            seed = seed_of_flight(seed_base, flight // len(names))
            world = make_world(name, seed)
            self.starts.append((flight, seed % len(world.start_poses)))
            self.worlds.append(world)
            self.names.append(name)

    def fly(self, task: FlightTask, choose: Chooser, num_levels: int = 1) -> Flights:
        """Fly the course once with a policy."""
        return rollout.fly(task, self.worlds, self.starts, choose, num_levels, self.cap_m)

    def mean_by_world(self, flights: Flights) -> dict[str, float]:
        """Return the mean distance of each kind of world [m]."""
        of = np.array(self.names)
        return {
            name: float(flights.distance_m[of == name].mean())
            for name in dict.fromkeys(self.names)
        }

    def exit_shares_by_world(self, flights: Flights) -> dict[str, list[float]]:
        """Return the share of the decisions at each exit (L,) in each kind of world."""
        of = np.array(self.names)
        taken = {name: flights.levels[of == name].sum(axis=0) for name in dict.fromkeys(of)}
        return {str(name): (levels / levels.sum()).tolist() for name, levels in taken.items()}


def observations_on(
    course: Course, task: FlightTask, choose: Chooser, limit: int = 4000
) -> np.ndarray:
    """Return observations (N, C, H, W) uint8 that a policy meets on a course, thinned evenly."""
    seen: list[np.ndarray] = []

    def watch(observation: np.ndarray, rng: np.random.Generator) -> rollout.Choice:
        seen.append(observation)
        action, level = choose(observation, rng)
        return action, np.zeros_like(level)

    course.fly(task, watch)
    return np.concatenate(seen)[:: max(1, sum(map(len, seen)) // limit)][:limit]
