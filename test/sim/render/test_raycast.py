"""Single rays and distances, against each other."""

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.geometry import from_z_axis, LEVEL, rotate, UPSIDE_DOWN
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.worlds.generators import GENERATORS
from rapid_nav.sim.worlds.primitives import Primitive, Scenes
from rapid_nav.sim.worlds.world import make_world, pack, World


def scene_of(*primitives: Primitive) -> Scenes:
    return pack([World('test', 0, primitives, np.zeros((0, 4)))])


def sphere_of_directions(count: int) -> np.ndarray:
    """Directions spread evenly over the sphere."""
    n = np.arange(count) + 0.5
    polar, around = np.arccos(1 - 2 * n / count), np.pi * (1 + 5**0.5) * n
    return np.stack(
        [np.cos(around) * np.sin(polar), np.sin(around) * np.sin(polar), np.cos(polar)], axis=1
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_clearance_is_the_shortest_ray(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kind = rng.choice(['box', 'cylinder', 'sphere', 'plane'])
    size = rng.uniform(0.5, 3, 3)
    size = size[{'cylinder': [0, 0, 2], 'sphere': [0, 0, 0]}.get(kind, [0, 1, 2])]
    turn = rng.normal(size=4)
    scene = scene_of(Primitive(kind, kind, rng.uniform(-2, 2, 3), turn, size, (1, 2, 3)))
    place = rng.uniform(-4, 4, 3)
    shortest = cast_rays(scene, 0, place, sphere_of_directions(20000)).min()
    distance = abs(clearance(scene, 0, place)[0])
    assert distance <= shortest + 1e-9
    assert shortest < distance + 0.05 * max(distance, 0.3)


def test_a_ray_says_how_far_and_what() -> None:
    near = Primitive('box', 'near', (3, 0, 0), LEVEL, (1, 1, 1), (1, 1, 1))
    far = Primitive('sphere', 'far', (0, 9, 0), LEVEL, (2, 2, 2), (1, 1, 1))
    which = np.empty(3, dtype=np.int32)
    ranges = cast_rays(
        scene_of(near, far), 0, np.zeros(3), [[7, 0, 0], [0, 1, 0], [0, 0, 1]], which=which
    )
    assert ranges == pytest.approx([2.5, 8, np.inf])
    assert which.tolist() == [0, 1, -1]


def test_nothing_beyond_the_range_is_seen() -> None:
    box = Primitive('box', 'box', (30, 0, 0), LEVEL, (1, 1, 1), (1, 1, 1))
    assert cast_rays(scene_of(box), 0, np.zeros(3), [[1, 0, 0]], 40)[0] == pytest.approx(29.5)
    assert np.isinf(cast_rays(scene_of(box), 0, np.zeros(3), [[1, 0, 0]], 20)[0])


@pytest.mark.parametrize('direction', [[0, 0, 1], [0, 0, -1], [1, 0, 0], [0, 0, 0]])
def test_a_ray_along_an_axis_is_no_exception(direction: list[float]) -> None:
    world = make_world('rooms', 0)
    ranges = cast_rays(pack([world]), 0, world.start_poses[0, :3], [direction])
    assert not np.isnan(ranges).any()


@pytest.mark.parametrize('name', GENERATORS)
def test_from_a_start_every_ray_is_at_least_as_long_as_the_clearance(name: str) -> None:
    world = make_world(name, 1)
    scene, rays = pack([world]), sphere_of_directions(2000)
    for start in world.start_poses[:4, :3]:
        assert cast_rays(scene, 0, start, rays).min() >= clearance(scene, 0, start)[0] - 1e-9


@pytest.mark.parametrize('axis', [[0, 0, 1], [0, 0, -1], [1, 2, 3], [-1e-9, 0, -1]])
def test_a_rotation_onto_an_axis_turns_z_into_it(axis: list[float]) -> None:
    turned = rotate(from_z_axis(axis), [0, 0, 1])
    assert turned == pytest.approx(np.array(axis) / np.linalg.norm(axis), abs=1e-6)
    assert rotate(UPSIDE_DOWN, [0, 0, 1]) == pytest.approx([0, 0, -1])
