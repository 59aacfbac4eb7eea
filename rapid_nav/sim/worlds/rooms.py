"""Rooms: rows of furnished rooms joined by doors, with more than one way round."""

from itertools import pairwise

import numpy as np

from rapid_nav.sim.worlds.plan import Plan

SIZE = 46.0  # [m]
HEIGHT = 3.0  # [m]
THICK = 0.2  # [m], of walls
DOORS = 0.75  # share of the shared walls that get a door
DOOR_WIDTH = (1.2, 1.8)  # [m]
WALL, WOOD, CLOTH, METAL = (214, 208, 196), (160, 115, 70), (90, 110, 150), (140, 145, 150)


def rooms(plan: Plan) -> None:
    """Draw up about 36 rooms of 5 to 9 m in a square of 46 m."""
    rng = plan.rng
    plan.floor(SIZE, (150, 125, 95))
    plan.ceiling(SIZE, HEIGHT)
    plan.enclose('wall', SIZE, HEIGHT, THICK, WALL)
    rows = cuts(rng, 6, 2)
    columns = [cuts(rng, int(rng.integers(5, 8)), 1.5) for _ in range(6)]
    doors: list[tuple[float, float]] = []
    for i in range(6):
        x0, x1 = rows[i], rows[i + 1]
        for y in columns[i][1:-1]:
            doors += wall(plan, (x0, y), (x1, y), [(x0, x1)])
        if i < 5:
            ys = sorted({*columns[i], *columns[i + 1]})
            doors += wall(plan, (x1, 0.0), (x1, SIZE), list(pairwise(ys)))
    for i in range(6):
        for y0, y1 in pairwise(columns[i]):
            furnish(plan, (rows[i], y0, rows[i + 1], y1), doors)
    plan.start_area = (0.0, 0.0, SIZE, SIZE)


def cuts(rng: np.random.Generator, count: int, jitter: float) -> list[float]:
    """Cut the side into `count` pieces of about the same length."""
    even = np.linspace(0, SIZE, count + 1)
    even[1:-1] += rng.uniform(-jitter / 2, jitter / 2, count - 1)
    return [float(v) for v in even]


def wall(
    plan: Plan, a: tuple[float, float], b: tuple[float, float], shared: list[tuple[float, float]]
) -> list[tuple[float, float]]:
    """
    Build a wall from a to b with a door in most of the stretches two rooms share.

    Returns the doors' middles. A stretch of 2.4 m or more may have one; the middle stretch always
    does, so that rows never fall apart.
    """
    rng = plan.rng
    axis = 0 if a[1] == b[1] else 1
    line = a[1 - axis]
    wide = [s for s in shared if s[1] - s[0] >= 2.4]
    must = int(rng.integers(len(wide)))
    gaps = []
    for n, (low, high) in enumerate(wide):
        if n == must or rng.random() < DOORS or len(shared) == 1:
            width = rng.uniform(*DOOR_WIDTH)
            middle = rng.uniform(low + width / 2 + 0.3, high - width / 2 - 0.3)
            gaps.append((middle - width / 2, middle + width / 2))
    edge = a[axis]
    for low, high in [*gaps, (b[axis], b[axis])]:
        if low - edge > 0.01:
            piece(plan, axis, line, edge, low, 0, HEIGHT)
        if high > low and rng.random() < 0.8:
            piece(plan, axis, line, low, high, rng.uniform(1.9, 2.4), HEIGHT)
        edge = high
    middles = [(low + high) / 2 for low, high in gaps]
    return [(m, line) if axis == 0 else (line, m) for m in middles]


def piece(
    plan: Plan, axis: int, line: float, start: float, end: float, low: float, high: float
) -> None:
    """Add a piece of wall along an axis."""
    if axis == 0:
        plan.block('wall', start, line - THICK / 2, end, line + THICK / 2, low, high, WALL)
    else:
        plan.block('wall', line - THICK / 2, start, line + THICK / 2, end, low, high, WALL)


def furnish(
    plan: Plan, room: tuple[float, float, float, float], doors: list[tuple[float, float]]
) -> None:
    """Put some furniture into a room, none within 1.4 m of a door."""
    rng = plan.rng
    x0, y0, x1, y1 = room
    taken = [(*door, 1.4) for door in doors]

    def spot(radius: float, margin: float) -> tuple[float, float] | None:
        for _ in range(12):
            x = rng.uniform(x0 + margin, x1 - margin)
            y = rng.uniform(y0 + margin, y1 - margin)
            if all((x - a) ** 2 + (y - b) ** 2 > (radius + r) ** 2 for a, b, r in taken):
                taken.append((x, y, radius + 0.7))
                return x, y
        return None

    for _ in range(rng.integers(2, 5)):
        kind = rng.choice(['table', 'cupboard', 'shelf', 'lamp', 'column', 'sofa', 'screen'])
        radius = {'lamp': 0.3, 'column': 0.3}.get(kind, 0.8)
        place = spot(radius, 0.9 if kind in ('cupboard', 'shelf', 'sofa') else 1.6 + radius / 2)
        if place is not None:
            furniture(plan, kind, *place)
    if rng.random() < 0.35:  # a beam across the whole room, or a parapet
        across = rng.random() < 0.5
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        dx, dy = (x1 - x0, 0.3) if across else (0.3, y1 - y0)
        plan.box('beam', x, y, rng.uniform(1.5, 2.2), HEIGHT, dx, dy, WOOD)


def furniture(plan: Plan, kind: str, x: float, y: float) -> None:
    """Build one piece of furniture."""
    rng = plan.rng
    yaw = rng.uniform(0, np.pi)
    if kind == 'table':
        top = rng.uniform(0.7, 1.1)
        length, depth = rng.uniform(1.0, 1.6), rng.uniform(0.6, 0.9)
        plan.box('table', x, y, top - 0.08, top, length, depth, WOOD, yaw)
        plan.post('table_foot', x, y, 0, top - 0.08, 0.1, METAL)
    elif kind == 'cupboard':
        plan.box('cupboard', x, y, 0, rng.uniform(1.2, 2.3), 1.1, 0.5, WOOD, yaw)
    elif kind == 'shelf':
        plan.box('shelf', x, y, 0, HEIGHT, 1.2, 0.35, METAL, yaw)
    elif kind == 'lamp':
        low = rng.uniform(1.2, 2.0)
        plan.ball('lamp', x, y, low + 0.25, 0.25, (240, 220, 150))
        plan.post('lamp_cord', x, y, low + 0.5, HEIGHT, 0.03, METAL)
    elif kind == 'column':
        plan.post('column', x, y, 0, HEIGHT, rng.uniform(0.15, 0.3), WALL)
    elif kind == 'sofa':
        plan.box('sofa', x, y, 0, rng.uniform(0.5, 0.9), 1.6, 0.8, CLOTH, yaw)
    else:
        plan.box('screen', x, y, 0, rng.uniform(1.4, 1.9), 1.6, 0.08, CLOTH, yaw)
