"""Forest: trunks under a closed canopy, with branches, bushes and fallen trees between them."""

import math

import numpy as np

from rapid_nav.sim.worlds.plan import Plan

SIDE = 12  # trees along a side
PITCH = 2.8  # [m] between them
SHIFT = 0.55  # [m], how far a tree may stand from its place in the lattice
CROWN = 6.4  # [m], height of the crowns' middles
BARK, LEAF, ROCK, BUSH = (110, 80, 55), (70, 120, 50), (130, 125, 120), (95, 140, 60)


def forest(plan: Plan) -> None:
    """
    Draw up a wood of 34 m between cliffs.

    There is no ceiling: a canopy whose gaps, where there are any, are too small to leave by.
    """
    rng = plan.rng
    size = SIDE * PITCH
    plan.floor(size, (105, 115, 70))
    plan.enclose('cliff', size, 9, 0.5, ROCK)
    trees = []
    for i in range(SIDE):
        for j in range(SIDE):
            x, y = (np.array([i, j]) + 0.5) * PITCH + rng.uniform(-SHIFT, SHIFT, 2)
            plan.ball('crown', x, y, CROWN + rng.uniform(-0.3, 0.3), rng.uniform(2.6, 2.9), LEAF)
            if rng.random() < 0.88:
                trees.append((float(x), float(y)))
                trunk(plan, x, y)
    for _ in range(22):
        x, y = rng.uniform(1, size - 1, 2)
        radius = rng.uniform(0.4, 0.9)
        plan.ball('bush', x, y, rng.uniform(0, 0.8) * radius, radius, BUSH)
    for _ in range(12):
        x, y = rng.uniform(3, size - 3, 2)
        way, length = rng.uniform(0, math.pi), rng.uniform(2, 4)
        reach = np.array([math.cos(way), math.sin(way)]) * length / 2
        plan.bar(
            'log',
            (x - reach[0], y - reach[1], rng.uniform(0.2, 1.6)),
            (x + reach[0], y + reach[1], rng.uniform(0.2, 1.0)),
            rng.uniform(0.12, 0.25),
            BARK,
        )
    plan.start_area = (0.0, 0.0, size, size)
    plan.start_heights = (1.2, 2.2)


def trunk(plan: Plan, x: float, y: float) -> None:
    """Grow a trunk, sometimes leaning, with a branch or none."""
    rng = plan.rng
    radius = rng.uniform(0.12, 0.35)
    lean = rng.normal(0, 0.25, 2)
    top = np.array([x + lean[0], y + lean[1], CROWN - 1])
    foot = np.array([x - lean[0] * 0.3, y - lean[1] * 0.3, -0.1])
    plan.bar('trunk', foot, top, radius, BARK)
    if rng.random() < 0.85:
        height = rng.uniform(0.9, 3.2)
        way = rng.uniform(0, 2 * math.pi)
        start = foot + (top - foot) * (height + 0.1) / (CROWN - 0.9)
        length = rng.uniform(0.8, 1.6)
        end = start + np.array(
            [math.cos(way) * length, math.sin(way) * length, rng.uniform(-0.1, 0.6)]
        )
        plan.bar('branch', start, end, rng.uniform(0.04, 0.1), BARK)
