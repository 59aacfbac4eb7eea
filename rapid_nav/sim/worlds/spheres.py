"""Spheres: a hall with balls of all sizes that float at all heights."""

from dataclasses import dataclass

import numpy as np

from rapid_nav.options import check, setting
from rapid_nav.sim.worlds.plan import Plan

HEIGHT = 4.5  # [m]
GAP = 0.9  # [m], least free way between two balls
TRIES = 4000
BALL, WALL = (180, 110, 90), (165, 165, 170)


@dataclass(frozen=True)
class SpheresConfig:
    """Parameters of a hall; what is 0 is drawn from the world's seed."""

    count: int = setting(0, 'Balls, as far as there is room; 0 draws 60 to 180.', low=0, high=1000)
    size: float = setting(30.0, 'Side of the hall.', unit='m', low=5.0, high=60.0)

    def __post_init__(self) -> None:
        check(self)


def spheres(plan: Plan, config: SpheresConfig) -> None:
    """Draw up a closed hall of 4.5 m height."""
    rng, size = plan.rng, config.size
    count = config.count or int(rng.integers(60, 181))
    plan.floor(size)
    plan.ceiling(size, HEIGHT)
    plan.enclose('wall', size, HEIGHT, 0.3, WALL)
    balls = np.empty((0, 4))  # x, y, height, radius [m]
    for _ in range(TRIES):
        if len(balls) == count:
            break
        radius = rng.uniform(0.2, 0.9)
        ball = np.array([*rng.uniform(radius, size - radius, 2), rng.uniform(0, HEIGHT), radius])
        apart = np.linalg.norm(balls[:, :3] - ball[:3], axis=1) - balls[:, 3] - radius
        if (apart >= GAP).all():
            balls = np.vstack([balls, ball])
            x, y, height, _ = ball
            plan.ball('ball', x, y, height, radius, BALL)
    plan.start_area = (0.0, 0.0, size, size)
    plan.start_heights = (1.0, 3.0)
