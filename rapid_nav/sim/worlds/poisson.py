"""
Poisson: upright trunks scattered by Poisson-disc sampling, as AvoidBench plants its forests.

Yu, de Croon, De Wagter 2023, "AvoidBench", arXiv 2301.07430, sets the difficulty of a forest by
the least distance between two trunks. The ranges below are ours.
"""

from dataclasses import dataclass

import numpy as np

from rapid_nav.options import check, setting
from rapid_nav.sim.worlds.plan import Plan

HEIGHT = 5.0  # [m]
TRUNK = (0.10, 0.30)  # [m], radius
DARTS = 40  # thrown around each point, in vain, before it is left (Bridson 2007)
MARGIN = 0.8  # [m], to the walls
BARK, WALL = (110, 80, 55), (130, 125, 120)


@dataclass(frozen=True)
class PoissonConfig:
    """Parameters of a forest; what is 0 is drawn from the world's seed."""

    distance: float = setting(
        0.0, 'Least distance between trunks; 0 draws 1.2 to 2.4.', unit='m', low=0.0, high=10.0
    )
    size: float = setting(30.0, 'Side of the forest.', unit='m', low=5.0, high=60.0)

    def __post_init__(self) -> None:
        check(self)
        if 0 < self.distance < 0.9:
            raise ValueError(
                f'PoissonConfig.distance is {self.distance}; it must be 0 or at least 0.9 m'
            )


def poisson(plan: Plan, config: PoissonConfig) -> None:
    """Draw up a walled forest under a closed roof."""
    rng, size = plan.rng, config.size
    distance = config.distance or float(rng.uniform(1.2, 2.4))
    plan.floor(size, (105, 115, 70))
    plan.ceiling(size, HEIGHT, (70, 120, 50))
    plan.enclose('wall', size, HEIGHT, 0.3, WALL)
    for x, y in poisson_disc(rng, size, distance):
        plan.post('trunk', x, y, -0.1, HEIGHT + 0.1, rng.uniform(*TRUNK), BARK)
    plan.start_area = (0.0, 0.0, size, size)
    plan.start_heights = (1.2, 2.2)


def poisson_disc(rng: np.random.Generator, size: float, distance: float) -> np.ndarray:
    """
    Return points (N, 2) in a square of side `size`, each `distance` from the others [m].

    Bridson 2007, "Fast Poisson disk sampling in arbitrary dimensions": darts are thrown around
    points found already, until none finds room.
    """
    low, high = MARGIN, size - MARGIN
    points = [rng.uniform(low, high, 2)]
    active = [0]
    while active:
        pick = int(rng.integers(len(active)))
        around = points[active[pick]]
        way = rng.uniform(0, 2 * np.pi, DARTS)
        reach = rng.uniform(distance, 2 * distance, DARTS)
        darts = around + np.stack([np.cos(way), np.sin(way)], axis=1) * reach[:, None]
        inside = ((darts >= low) & (darts <= high)).all(axis=1)
        known = np.array(points)
        for dart in darts[inside]:
            if (((known - dart) ** 2).sum(axis=1) >= distance**2).all():
                points.append(dart)
                active.append(len(points) - 1)
                break
        else:
            active.pop(pick)
    return np.array(points)
