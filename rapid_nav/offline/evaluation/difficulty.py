"""
How hard a floor plan is to cross, by BARN's five metrics.

Perille et al. 2020, "Benchmarking Metric Ground Navigation", arXiv 2008.13315. Each is a mean over
the cells of the shortest path, in cells: the distance to the closest obstacle, the visibility
along eight directions, the dispersion (changes between blocked and free around a cell), the
characteristic dimension (the narrowest of four widths), and the path's tortuosity.
"""

from dataclasses import dataclass
import heapq
import math

import numpy as np

from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.world import World

DISPERSION_RADIUS = 3  # [cells], how far a cell looks for obstacles
EIGHT = ((0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1))
SIXTEEN = tuple(
    step
    for first, second in zip(EIGHT, EIGHT[1:] + EIGHT[:1], strict=True)
    for step in (first, (first[0] + second[0], first[1] + second[1]))
)


@dataclass(frozen=True)
class Difficulty:
    """BARN's metrics of one path through one floor plan; lengths in cells."""

    closest_obstacle: float
    visibility: float
    dispersion: float
    characteristic_dimension: float
    tortuosity: float  # length of the path by the distance of its ends


def difficulty(solid: np.ndarray, path: np.ndarray) -> Difficulty:
    """
    Return the metrics of a path (P, 2) of free cells through a plan (R, C), True where solid.

    What lies beyond the border is solid. ValueError if the path has fewer than two cells or
    leaves the free ones.
    """
    if len(path) < 2:
        raise ValueError(f'a path of {len(path)} cells has no length; give at least two')
    if solid[tuple(np.transpose(path))].any():
        raise ValueError('the path leads through a solid cell')
    grid = np.pad(solid, 1, constant_values=True)
    cells = [(int(r) + 1, int(c) + 1) for r, c in path]
    obstacles = np.argwhere(grid)
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    span = float(np.linalg.norm(np.subtract(path[-1], path[0])))
    return Difficulty(
        float(np.mean([np.linalg.norm(obstacles - cell, axis=1).min() for cell in cells])),
        float(np.mean([np.mean([free_cells(grid, c, step) for step in EIGHT]) for c in cells])),
        float(np.mean([_dispersion(grid, cell) for cell in cells])),
        float(np.mean([_narrowest(grid, cell) for cell in cells])),
        float(length / span) if span else math.inf,
    )


def free_cells(grid: np.ndarray, cell: tuple[int, int], step: tuple[int, int]) -> int:
    """Return how many cells from a free one on are free in a direction, itself included."""
    count = 0
    r, c = cell
    while 0 <= r < grid.shape[0] and 0 <= c < grid.shape[1] and not grid[r, c]:
        count += 1
        r, c = r + step[0], c + step[1]
    return count


def _dispersion(grid: np.ndarray, cell: tuple[int, int]) -> int:
    """Return how often blocked and free alternate around a cell, in sixteen directions."""
    blocked = [
        free_cells(grid, cell, step) <= DISPERSION_RADIUS // max(map(abs, step))
        for step in SIXTEEN
    ]
    return sum(a != b for a, b in zip(blocked, blocked[1:] + blocked[:1], strict=True))


def _narrowest(grid: np.ndarray, cell: tuple[int, int]) -> float:
    """Return the least free width through a cell, over four axes."""
    widths = []
    for step in EIGHT[:4]:
        ahead = free_cells(grid, cell, step) - 1
        behind = free_cells(grid, cell, (-step[0], -step[1])) - 1
        widths.append((ahead + behind) * math.hypot(*step))
    return min(widths)


def shortest_path(free: np.ndarray, starts: np.ndarray, goals: np.ndarray) -> np.ndarray | None:
    """
    Return the shortest way (P, 2) over free cells (R, C) from any start to any goal.

    ``starts`` and ``goals`` are masks (R, C). Dijkstra's algorithm over eight neighbours; a
    diagonal step needs both cells beside it free. None if there is no way.
    """
    rows, columns = free.shape
    cost = np.where(starts & free, 0.0, math.inf)
    before: dict[tuple[int, int], tuple[int, int]] = {}
    queue = [(0.0, (int(r), int(c))) for r, c in np.argwhere(starts & free)]
    while queue:
        so_far, cell = heapq.heappop(queue)
        if so_far > cost[cell]:
            continue
        if goals[cell]:
            way = [cell]
            while cell in before:
                cell = before[cell]
                way.append(cell)
            return np.array(way[::-1])
        r, c = cell
        for dr, dc in EIGHT:
            a, b = r + dr, c + dc
            if not (0 <= a < rows and 0 <= b < columns and free[a, b]):
                continue
            if dr and dc and not (free[r, b] and free[a, c]):
                continue
            new = so_far + math.hypot(dr, dc)
            if new < cost[a, b]:
                cost[a, b] = new
                before[a, b] = cell
                heapq.heappush(queue, (new, (a, b)))
    return None


def floor_plan(world: World, cell: float, height: float = 1.5) -> np.ndarray:
    """
    Return which cells (R, C) of a world are solid at a height, by the middle of each [m].

    The plan covers what stands on the floor; rows count along north, columns along east.
    """
    solid = [p for p in world.primitives if p.kind != 'plane']
    reach = np.array([max(p.size) / 2 for p in solid])[:, None]
    places = np.array([p.position[:2] for p in solid])
    low, high = (places - reach).min(axis=0), (places + reach).max(axis=0)
    counts = np.maximum(1, np.ceil((high - low) / cell).astype(int))
    rows, columns = np.indices(counts)
    points = np.stack([rows.ravel(), columns.ravel()], axis=1) * cell + low + cell / 2
    points = np.hstack([points, np.full((len(points), 1), -height)])
    return clearance(world.arrays, 0, points, 1.0).reshape(counts) <= 0.0
