"""
Cells: a hall of square blocks grown by a cellular automaton, as in the BARN benchmark.

Perille et al. 2020, "Benchmarking Metric Ground Navigation", arXiv 2008.13315: a random share of
the cells is filled, then smoothed a few times. BARN's twelve groups are the fills of 15, 20, 25
and 30 % with 2, 3 and 4 smoothings. Its cells measure 0.15 m and its robot 0.43 m; the size of a
cell is a parameter here, because a drone needs other gaps.
"""

from dataclasses import dataclass
import math

import numpy as np

from rapid_nav.options import check, setting
from rapid_nav.sim.worlds.grid import largest_area, rectangles
from rapid_nav.sim.worlds.plan import Plan

FILLS = (15, 20, 25, 30)  # [%]
SMOOTHINGS = (2, 3, 4)
CELLS = (0.20, 0.25, 0.30)  # [m]
HEIGHT = 3.0  # [m]
MARGIN = 0.3  # [m], from the middle of a free cell to the nearest block, for a drone to fit
LEAST_FREE = 0.25  # of the hall, connected and wide enough for a drone; else drawn again
TRIES = 50
STONE, WALL = (168, 160, 146), (200, 192, 180)


@dataclass(frozen=True)
class CellsConfig:
    """Parameters of a hall; what is 0 is drawn from the world's seed."""

    fill: int = setting(
        0, 'Share of the cells filled; 0 draws 15, 20, 25 or 30.', unit='%', low=0, high=45
    )
    smooth: int = setting(0, 'Smoothings; 0 draws 2, 3 or 4.', low=0, high=10)
    cell: float = setting(
        0.0, 'Side of a cell; 0 draws 0.20, 0.25 or 0.30.', unit='m', low=0.0, high=2.0
    )
    size: float = setting(20.0, 'Side of the hall.', unit='m', low=5.0, high=60.0)

    def __post_init__(self) -> None:
        check(self)
        if 0 < self.cell < 0.1:
            raise ValueError(f'CellsConfig.cell is {self.cell}; it must be 0 or at least 0.1 m')


def cells(plan: Plan, config: CellsConfig) -> None:
    """Draw up a closed hall of blocks, 3 m high, with a ceiling."""
    rng = plan.rng
    fill = config.fill or int(rng.choice(FILLS))
    smooth = config.smooth or int(rng.choice(SMOOTHINGS))
    side = config.cell or float(rng.choice(CELLS))
    count = max(8, round(config.size / side))
    margin = max(0, math.ceil(MARGIN / side - 0.5))
    for _ in range(TRIES):
        solid = automaton(rng.random((count, count)) < fill / 100, smooth)
        solid[[0, -1], :] = solid[:, [0, -1]] = True
        free = largest_area(~solid, margin)
        if free.mean() >= LEAST_FREE:
            break
    else:
        raise ValueError(
            f'cells of {side} m filled to {fill} % leave a drone too little room in {TRIES} '
            'tries; give a smaller fill or a larger cell'
        )
    plan.shades = 0.08
    for r0, r1, c0, c1 in rectangles(solid) * side:
        plan.block('block', r0, c0, r1, c1, 0, HEIGHT, STONE)
    size = count * side
    plan.floor(size)
    plan.ceiling(size, HEIGHT)
    rows, columns = np.nonzero(free)
    plan.start_places = (np.stack([rows, columns], axis=1) + 0.5) * side


def automaton(solid: np.ndarray, smoothings: int) -> np.ndarray:
    """
    Smooth a grid of filled cells (R, C) as BARN does; return a new one.

    A cell with more than four filled neighbours of its eight is filled, one with less than two is
    emptied, the others stay. What lies beyond the border counts as filled.
    """
    for _ in range(smoothings):
        padded = np.pad(solid, 1, constant_values=True).astype(np.int8)
        rows, columns = solid.shape
        neighbours = sum(
            padded[dr : dr + rows, dc : dc + columns]
            for dr in range(3)
            for dc in range(3)
            if (dr, dc) != (1, 1)
        )
        solid = (neighbours > 4) | (solid & (neighbours >= 2))
    return solid
