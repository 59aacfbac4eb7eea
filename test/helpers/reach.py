"""Where in a world a body of some size can go, by flooding a grid of points."""

import numpy as np

from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.world import World

CELL = 0.25  # [m]


def reachable(
    world: World, radius: float, low: float = 0.4, high: float = 3.6
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return which start poses (M,) lie in the largest connected free space, and its plan (X, Y).

    The plan tells for each cell of CELL x CELL whether that space lies above it; a body of
    `radius` [m] stays between two heights [m].
    """
    starts = world.start_poses
    solid = np.array([p.position for p in world.primitives if p.kind != 'plane'])
    corner, end = solid[:, :2].min(axis=0) - 1, solid[:, :2].max(axis=0) + 1
    axes = [
        np.arange(a, b, CELL) for a, b in ((corner[0], end[0]), (corner[1], end[1]), (low, high))
    ]
    grid = np.stack(np.meshgrid(*axes, indexing='ij'), axis=-1)
    points = grid.reshape(-1, 3) * [1, 1, -1]
    free = (clearance(world.arrays, 0, points, 1.0) >= radius).reshape(grid.shape[:3])
    cells = np.stack(
        [
            np.round((starts[:, 0] - corner[0]) / CELL),
            np.round((starts[:, 1] - corner[1]) / CELL),
            np.round((-starts[:, 2] - low) / CELL),
        ],
        axis=1,
    ).astype(int)
    best = flood(free, cells[0])
    if best.mean() < 0.1:  # a pocket; the others will show where the world is
        best = max((flood(free, cell) for cell in cells[1:4]), key=np.sum)
    near = best.copy()
    for axis in range(3):  # a start pose may round to a cell just outside
        for shift in (1, -1):
            near |= np.roll(best, shift, axis)
    return near[tuple(cells.T)], np.any(best, axis=2)


def flood(free: np.ndarray, seed: np.ndarray) -> np.ndarray:
    """Return the connected part of `free` (X, Y, Z) around a seed cell."""
    space = np.zeros_like(free)
    space[tuple(slice(c - 1, c + 2) for c in seed)] = True
    space &= free
    size = 0
    while space.sum() > size:
        size = int(space.sum())
        for _ in range(8):
            for axis in range(3):
                low = [slice(None)] * 3
                high = [slice(None)] * 3
                low[axis], high[axis] = slice(None, -1), slice(1, None)
                space[tuple(high)] |= space[tuple(low)] & free[tuple(high)]
                space[tuple(low)] |= space[tuple(high)] & free[tuple(low)]
    return space
