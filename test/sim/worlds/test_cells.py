"""Worlds of cells: BARN's automaton, names with parameters, and room for a drone."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.sim.physics.dynamics import DRONE_RADIUS
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.cells import automaton, CELLS, FILLS, SMOOTHINGS
from rapid_nav.sim.worlds.world import make_world
from rapid_nav.world_names import split_names


def slow_automaton(solid: np.ndarray, smoothings: int) -> np.ndarray:
    """Smooth cell by cell, as BARN's paper tells it."""
    for _ in range(smoothings):
        rows, columns = solid.shape
        new = solid.copy()
        for r in range(rows):
            for c in range(columns):
                count = 0
                for i in range(r - 1, r + 2):
                    for j in range(c - 1, c + 2):
                        inside = 0 <= i < rows and 0 <= j < columns
                        count += (not inside or bool(solid[i, j])) and (i, j) != (r, c)
                if count > 4:
                    new[r, c] = True
                elif count < 2:
                    new[r, c] = False
        solid = new
    return solid


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.integers(0, 4), st.floats(0.0, 0.6))
def test_the_automaton_agrees_with_its_slow_twin(seed: int, smoothings: int, fill: float) -> None:
    solid = np.random.default_rng(seed).random((9, 13)) < fill
    np.testing.assert_array_equal(automaton(solid, smoothings), slow_automaton(solid, smoothings))


@pytest.mark.parametrize('fill', FILLS)
@pytest.mark.parametrize('smooth', SMOOTHINGS)
@pytest.mark.parametrize('cell', CELLS)
def test_a_drone_starts_free_in_every_group(fill: int, smooth: int, cell: float) -> None:
    world = make_world(f'cells:fill={fill},smooth={smooth},cell={cell}', 3)
    assert len(world.start_poses)
    room = clearance(world.arrays, 0, world.start_poses[:, :3], 2.0)
    assert (room > DRONE_RADIUS).all()


def test_more_fill_is_more_solid() -> None:
    def filled(fill: int) -> float:
        blocks = make_world(f'cells:fill={fill},smooth=3,cell=0.3', 1).primitives
        return sum(p.size[0] * p.size[1] for p in blocks if p.name.startswith('block'))

    assert filled(15) < filled(20) < filled(25) < filled(30)


def test_the_order_and_form_of_parameters_make_no_difference_but_the_seed_does() -> None:
    one = make_world('cells:fill=20,cell=0.25,smooth=3', 5)
    other = make_world('cells:cell=0.250,smooth=3,fill=20', 5)
    assert one.primitives == other.primitives
    assert one.primitives != make_world('cells:fill=20,cell=0.25,smooth=3', 6).primitives


def test_a_bare_name_draws_its_parameters_from_the_seed() -> None:
    sides = {make_world('cells', seed).primitives[0].size[0] for seed in range(8)}
    assert len(sides) > 1


@pytest.mark.parametrize(
    ('name', 'complaint'),
    [
        ('cells:fil=20', "no parameter 'fil'.*fill, smooth, cell, size"),
        ('cells:fill=much', "fill is 'much'; write a whole number"),
        ('cells:cell=nan', 'cell is nan'),
        ('cells:cell=0.05', 'cell is 0.05'),
        ('cells:fill=46', r'fill is 46; it must lie in \[0, 45\]'),
        ('rooms:size=3', 'rooms takes no parameters'),
        ('castle:size=3', 'unknown world'),
    ],
)
def test_a_wrong_name_is_refused_with_the_remedy(name: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make_world(name, 0)


def test_commas_between_parameters_separate_no_worlds() -> None:
    assert split_names('rooms,cells:fill=20,cell=0.25,maps/a.yaml,cells') == [
        'rooms',
        'cells:fill=20,cell=0.25',
        'maps/a.yaml',
        'cells',
    ]
