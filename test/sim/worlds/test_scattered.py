"""Worlds of scattered trunks and balls: distances, room for a drone, parameters."""

from itertools import pairwise

import numpy as np
import pytest

from rapid_nav.sim.physics.dynamics import DRONE_RADIUS
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.poisson import poisson_disc
from rapid_nav.sim.worlds.spheres import GAP
from rapid_nav.sim.worlds.world import make_world


@pytest.mark.parametrize(
    'name', ['poisson', 'poisson:distance=1.2', 'spheres', 'spheres:count=90']
)
@pytest.mark.parametrize('seed', range(3))
def test_a_drone_starts_free(name: str, seed: int) -> None:
    world = make_world(name, seed)
    assert len(world.start_poses) >= 8
    room = clearance(world.arrays, 0, world.start_poses[:, :3], 2.0)
    assert (room > DRONE_RADIUS).all()


@pytest.mark.parametrize('distance', [0.9, 1.5, 3.0])
def test_trunks_keep_their_distance_and_leave_no_room_for_another(distance: float) -> None:
    rng = np.random.default_rng(0)
    points = poisson_disc(rng, 20.0, distance)
    between = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert between[~np.eye(len(points), dtype=bool)].min() >= distance
    holes = rng.uniform(1.0, 19.0, (2000, 2))
    nearest = np.linalg.norm(holes[:, None] - points[None], axis=2).min(axis=1)
    assert (nearest < 2 * distance).all()
    assert (nearest < distance).mean() > 0.95


def test_more_distance_means_fewer_trunks() -> None:
    counts = [len(make_world(f'poisson:distance={d}', 0).primitives) for d in (1.2, 1.8, 2.4)]
    assert all(a > b for a, b in pairwise(counts))


def test_balls_leave_a_way_between_them() -> None:
    balls = [p for p in make_world('spheres:count=120', 1).primitives if p.kind == 'sphere']
    assert len(balls) == 120
    places, radii = np.array([p.position for p in balls]), np.array([p.size[0] / 2 for p in balls])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) - radii[:, None] - radii[None]
    assert apart[~np.eye(len(balls), dtype=bool)].min() >= GAP - 1e-9


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match='distance is 0.5'):
        make_world('poisson:distance=0.5', 0)
    with pytest.raises(ValueError, match='count is 2000'):
        make_world('spheres:count=2000', 0)
