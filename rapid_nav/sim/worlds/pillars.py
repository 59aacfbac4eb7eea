"""Pillars: a hall full of columns of all widths, some leaning, with beams between them."""

import math

import numpy as np

from rapid_nav.sim.worlds.plan import Plan

SIZE = 42.0  # [m]
GAP = 1.2  # [m], least free way between two pillars
PILLARS = 130
STONE, STEEL, BRICK = (176, 168, 150), (120, 130, 140), (165, 105, 85)


def pillars(plan: Plan) -> None:
    """Draw up a hall of 42 m with a roof 4 to 5 m high."""
    rng = plan.rng
    height = float(rng.uniform(4.0, 5.0))
    plan.floor(SIZE)
    plan.ceiling(SIZE, height)
    plan.enclose('wall', SIZE, height, 0.3, BRICK)
    feet = scatter(rng, height)
    for x, y, radius, lean, way in feet:
        shift = height / 2 * math.tan(lean)
        dx, dy = shift * math.cos(way), shift * math.sin(way)
        ends = ((x - dx, y - dy, -0.1), (x + dx, y + dy, height + 0.1))
        square = rng.random() < 0.3
        plan.bar('pillar', *ends, radius * (0.8 if square else 1.0), STONE, square)
    connect(plan, feet, height)
    plan.start_area = (0.0, 0.0, SIZE, SIZE)
    plan.start_heights = (1.2, 2.2)


def scatter(rng: np.random.Generator, height: float) -> np.ndarray:
    """Return pillars (N, 5): x, y at half height, radius [m], lean, its direction [rad]."""
    chosen: list[tuple[float, ...]] = []
    for _ in range(3000):
        lean = rng.uniform(0, 0.3) if rng.random() < 0.35 else 0.0
        x, y = rng.uniform(0.8, SIZE - 0.8, 2)
        radius = rng.uniform(0.12, 0.35) if rng.random() < 0.7 else rng.uniform(0.35, 0.8)
        way = rng.uniform(0, 2 * math.pi)
        slack = radius + height / 2 * math.tan(lean)
        near = (
            math.hypot(x - a, y - b) < GAP + slack + c + height / 2 * math.tan(d)
            for a, b, c, d, _ in chosen
        )
        if not any(near):
            chosen.append((x, y, radius, lean, way))
        if len(chosen) == PILLARS:
            break
    return np.array(chosen)


def connect(plan: Plan, feet: np.ndarray, height: float) -> None:
    """Join pairs of neighbouring pillars by a beam, a low wall or a curtain each."""
    rng = plan.rng
    middle = feet[:, :2]
    pairs = [
        (i, j)
        for i in range(len(feet))
        for j in range(i)
        if math.dist(middle[i], middle[j]) < 4.5 and feet[i, 3] == feet[j, 3] == 0
    ]
    rng.shuffle(pairs)
    for i, j in pairs[:95]:
        (x0, y0), (x1, y1) = middle[i], middle[j]
        kind = rng.choice(['beam', 'low_wall', 'curtain'], p=[0.5, 0.25, 0.25])
        if kind == 'beam':
            a, b = (
                rng.uniform(0.6, height - 0.6, 2)
                if rng.random() < 0.3
                else [rng.uniform(0.6, height - 0.6)] * 2
            )
            plan.bar(
                'beam', (x0, y0, a), (x1, y1, b), rng.uniform(0.06, 0.2), STEEL, rng.random() < 0.5
            )
            continue
        low, high = (
            (0, rng.uniform(0.8, 2.2))
            if kind == 'low_wall'
            else (rng.uniform(1.4, height - 1.0), height)
        )
        length = math.dist((x0, y0), (x1, y1))
        plan.box(
            kind,
            (x0 + x1) / 2,
            (y0 + y1) / 2,
            low,
            high,
            length,
            0.15,
            BRICK,
            math.atan2(y1 - y0, x1 - x0),
        )
