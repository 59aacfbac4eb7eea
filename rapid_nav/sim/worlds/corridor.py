"""Corridors: a lattice of winding passages with branches and loops, and things in their way."""

import numpy as np

from rapid_nav.sim.worlds.grid import rectangles
from rapid_nav.sim.worlds.plan import Plan

SIDE = 6  # crossings along a side
PITCH = 7.6  # [m] between crossings
SHIFT = 0.8  # [m], how far a crossing may lie from its place in the lattice
CELL = 0.4  # [m], walls lie on this grid
HEIGHT = 3.0  # [m]
LOOPS = 0.4  # share of the edges outside the spanning tree that are opened too
Edge = tuple[tuple[int, int], tuple[int, int]]  # two neighbouring crossings
WALL, BEAM, PIPE, CRATE = (196, 186, 170), (150, 120, 90), (120, 135, 150), (170, 125, 70)


def corridor(plan: Plan) -> None:
    """Draw up corridors 2.4 to 3.6 m wide in a square of 46 m."""
    rng = plan.rng
    size = SIDE * PITCH
    lattice = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing='ij'), axis=-1)
    nodes = (lattice + 0.5) * PITCH + rng.uniform(-SHIFT, SHIFT, (SIDE, SIDE, 2))
    nodes = np.round(nodes / CELL) * CELL
    plan.floor(size)
    plan.ceiling(size, HEIGHT)
    count = int(np.ceil(size / CELL)) + 2
    solid = np.ones((count, count), dtype=bool)  # one cell of wall all around
    places = []
    for a, b in open_edges(rng):
        width = CELL * rng.integers(6, 10)
        places += carve(plan, solid, nodes[a], nodes[b], width)
    for r0, r1, c0, c1 in rectangles(solid):
        x0, x1, y0, y1 = ((k - 1) * CELL for k in (r0, r1, c0, c1))
        plan.block('wall', x0, y0, x1, y1, 0, HEIGHT, WALL)
    for place in places:
        obstruct(plan, *place)
    cells = np.argwhere(~solid)
    plan.start_places = (cells - 1 + rng.uniform(size=cells.shape)) * CELL


def open_edges(rng: np.random.Generator) -> list[Edge]:
    """Choose the passages: a spanning tree, some loops, and no crossing with one way only."""
    edges = [
        ((i, j), (i + di, j + dj))
        for i in range(SIDE)
        for j in range(SIDE)
        for di, dj in ((1, 0), (0, 1))
        if i + di < SIDE and j + dj < SIDE
    ]
    rng.shuffle(edges)
    edges = [((int(a[0]), int(a[1])), (int(b[0]), int(b[1]))) for a, b in edges]
    group = {a: a for a in [(i, j) for i in range(SIDE) for j in range(SIDE)]}
    degree = dict.fromkeys(group, 0)

    def root(a: tuple[int, int]) -> tuple[int, int]:
        while group[a] != a:
            a = group[a]
        return a

    chosen: list[Edge] = []
    spare: list[Edge] = []
    for a, b in edges:
        joins = root(a) != root(b)
        if joins:
            group[root(a)] = root(b)
        (chosen if joins or rng.random() < LOOPS else spare).append((a, b))
    for a, b in chosen:
        degree[a] += 1
        degree[b] += 1
    for a, b in spare:
        if degree[a] < 2 or degree[b] < 2:
            chosen.append((a, b))
            degree[a] += 1
            degree[b] += 1
    return chosen


def carve(
    plan: Plan, solid: np.ndarray, a: np.ndarray, b: np.ndarray, width: float
) -> list[tuple[float, float, int, float]]:
    """Free a dog-leg from a to b; return places in it: x, y, axis it runs along, width."""
    along = int(abs(b[1] - a[1]) > abs(b[0] - a[0]))
    across = 1 - along
    middle = round((a[along] + (b[along] - a[along]) * plan.rng.uniform(0.4, 0.6)) / CELL) * CELL
    legs = [
        (along, a[along], middle, a[across]),
        (across, a[across], b[across], middle),
        (along, middle, b[along], b[across]),
    ]
    half = width / 2
    for axis, start, end, side in legs:
        low = [0.0, 0.0]
        high = [0.0, 0.0]
        low[axis], high[axis] = min(start, end) - half, max(start, end) + half
        low[1 - axis], high[1 - axis] = side - half, side + half
        r0, c0 = (max(1, round(v / CELL) + 1) for v in low)
        r1, c1 = (min(solid.shape[0] - 1, round(v / CELL) + 1) for v in high)
        solid[r0:r1, c0:c1] = False
    places = []
    for axis, start, end, side in (legs[0], legs[2]):
        point = [0.0, 0.0]
        point[axis], point[1 - axis] = (start + end) / 2, side
        if abs(end - start) > 1.5:
            places.append((point[0], point[1], axis, width))
    return places


def obstruct(plan: Plan, x: float, y: float, axis: int, width: float) -> None:
    """Put something into a corridor that leaves 1.2 m or more beside, above or below it."""
    rng = plan.rng
    span = width + 0.4
    dx, dy = (0.3, span) if axis == 0 else (span, 0.3)
    side = rng.choice([-1, 1])
    kind = rng.choice(
        ['none', 'beam', 'step', 'pipe', 'half', 'post', 'crates'],
        p=[0.34, 0.16, 0.14, 0.10, 0.10, 0.08, 0.08],
    )
    if kind == 'beam':
        plan.box('beam', x, y, rng.uniform(1.3, 2.1), HEIGHT, dx, dy, BEAM)
    elif kind == 'step':
        plan.box('low_wall', x, y, 0, rng.uniform(0.9, 1.7), dx, dy, BEAM)
    elif kind == 'pipe':
        height = rng.choice([rng.uniform(0.8, 1.4), rng.uniform(1.6, 2.1)])
        radius = rng.uniform(0.08, 0.16)
        ends = [[x, y, height], [x, y, height]]
        ends[0][1 - axis] -= span / 2
        ends[1][1 - axis] += span / 2
        plan.bar('pipe', ends[0], ends[1], radius, PIPE)
    elif kind == 'half':
        free = max(1.3, width * rng.uniform(0.45, 0.6))
        shift = side * free / 2
        dx, dy = (0.4, width - free) if axis == 0 else (width - free, 0.4)
        x, y = (x, y + shift) if axis == 0 else (x + shift, y)
        plan.box('partition', x, y, 0, HEIGHT, dx, dy, WALL)
    elif kind == 'post' and width >= 3.2:
        plan.post('post', x, y, 0, HEIGHT, rng.uniform(0.12, 0.25), PIPE)
    elif kind == 'crates':
        edge = rng.uniform(0.5, 0.8)
        shift = side * (width / 2 - edge / 2)
        x, y = (x, y + shift) if axis == 0 else (x + shift, y)
        plan.box('crate', x, y, 0, rng.uniform(0.6, 2.2), edge, edge, CRATE)
