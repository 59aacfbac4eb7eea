"""BARN's metrics of a floor plan, on plans whose figures can be counted by hand."""

import numpy as np
import pytest

from rapid_nav.offline.evaluation.difficulty import difficulty, floor_plan, shortest_path
from rapid_nav.sim.worlds.world import make_world


def plan(*rows: str) -> np.ndarray:
    return np.array([[sign == '#' for sign in row] for row in rows])


def straight(row: int, columns: int) -> np.ndarray:
    return np.array([(row, column) for column in range(columns)])


def test_a_straight_corridor_has_the_figures_that_one_counts() -> None:
    told = difficulty(plan('#' * 9, '.' * 9, '#' * 9), straight(1, 9))
    assert told.closest_obstacle == 1.0
    assert told.tortuosity == 1.0
    assert told.characteristic_dimension == 0.0  # no cell more across the corridor
    # Up, down and the four diagonals are blocked at once; 8 cells lie along, each seen once.
    assert told.visibility == pytest.approx((6 * 1 + 10) / 8)


def test_narrower_is_closer_and_sees_less() -> None:
    def figures(width: int):
        rows = ['#' * 15, *['.' * 15] * width, '#' * 15]
        return difficulty(plan(*rows), straight(1 + width // 2, 15))

    wide, narrow = figures(7), figures(3)
    assert narrow.closest_obstacle < wide.closest_obstacle
    assert narrow.visibility < wide.visibility
    assert narrow.characteristic_dimension < wide.characteristic_dimension


def test_an_open_field_has_no_dispersion_and_a_post_beside_the_way_has_some() -> None:
    field = np.zeros((21, 21), bool)
    middle = np.array([(10, 9), (10, 10), (10, 11)])
    assert difficulty(field, middle).dispersion == 0.0
    field[8, 10] = True
    assert difficulty(field, middle).dispersion >= 2.0


def test_a_detour_is_tortuous_and_corners_are_not_cut() -> None:
    free = ~plan('..#..', '..#..', '..#..', '.....')
    starts, goals = np.zeros_like(free), np.zeros_like(free)
    starts[0, 0], goals[0, 4] = True, True
    way = shortest_path(free, starts, goals)
    assert way is not None
    assert tuple(way[0]) == (0, 0) and tuple(way[-1]) == (0, 4)
    assert (3, 2) in map(tuple, way)  # below the wall, and not diagonally past its end
    assert {(3, 1), (3, 3)} <= set(map(tuple, way))
    assert difficulty(~free, way).tortuosity > 1.5


def test_no_way_is_none_and_no_path_is_refused() -> None:
    free = ~plan('.#.', '.#.')
    starts, goals = np.zeros_like(free), np.zeros_like(free)
    starts[:, 0], goals[:, 2] = True, True
    assert shortest_path(free, starts, goals) is None
    with pytest.raises(ValueError, match='at least two'):
        difficulty(~free, np.array([(0, 0)]))
    with pytest.raises(ValueError, match='solid'):
        difficulty(~free, np.array([(0, 0), (0, 1)]))


def test_the_plan_of_a_world_shows_what_stands_in_it() -> None:
    sparse, dense = (
        floor_plan(make_world(f'cells:fill={fill},smooth=3,cell=0.3', 0), 0.3).mean()
        for fill in (15, 30)
    )
    assert 0.0 < sparse < dense < 1.0
    above_the_roof = floor_plan(make_world('poisson', 0), 0.5, 100.0)
    assert above_the_roof.all()
