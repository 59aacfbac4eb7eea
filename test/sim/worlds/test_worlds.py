"""Generated worlds: the same for all, free to start in, hard to fly straight, never closed."""

import time

import numpy as np
import pytest
from reach import CELL, reachable

from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.render.camera import render_depth
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.worlds.generators import GENERATORS
from rapid_nav.sim.worlds.primitives import pack_primitives, Primitive
from rapid_nav.sim.worlds.world import make_world, pack

EACH = pytest.mark.parametrize('name', GENERATORS)
HELD_OUT = 10_000  # seeds from here on are as good as any


@EACH
def test_name_and_seed_make_the_world(name: str) -> None:
    one, same, other = make_world(name, 3), make_world(name, 3), make_world(name, 4)
    assert one.primitives == same.primitives
    assert np.array_equal(one.start_poses, same.start_poses)
    assert one.primitives != other.primitives


@pytest.mark.parametrize(
    ('name', 'count', 'center'),
    [
        ('corridor', 157, (23.0969, 22.2397)),
        ('rooms', 299, (23.4944, 22.8071)),
        ('pillars', 231, (22.6285, 20.0130)),
        ('forest', 411, (16.9611, 16.8266)),
    ],
)
def test_worlds_stay_what_policies_were_trained_in(
    name: str, count: int, center: tuple[float, float]
) -> None:
    world = make_world(name, 7)
    assert len(world.primitives) == count
    assert world.arrays.center[:, :2].mean(axis=0) == pytest.approx(center, abs=1e-3)


@EACH
def test_seeds_that_nobody_trained_on_make_worlds_too(name: str) -> None:
    for seed in range(HELD_OUT, HELD_OUT + 8):
        world = make_world(name, seed)
        assert 100 <= len(world.primitives) <= 450
        assert len(world.start_poses) >= 16
        assert len({p.name for p in world.primitives}) == len(world.primitives)


@EACH
def test_starts_are_away_from_everything_and_look_where_it_is_free(name: str) -> None:
    for seed in range(HELD_OUT, HELD_OUT + 5):
        world = make_world(name, seed)
        scene, starts = pack([world]), world.start_poses
        assert clearance(scene, 0, starts[:, :3]).min() >= 0.8
        for x, y, z, yaw in starts:
            ahead = cast_rays(scene, 0, np.array([x, y, z]), [[np.cos(yaw), np.sin(yaw), 0]])
            assert ahead[0] > 2.5


@EACH
def test_a_body_of_90_cm_gets_from_every_start_to_most_of_the_world(name: str) -> None:
    # Sampled every 25 cm, a way 1.2 m wide holds a sphere of 45 cm radius at some sample.
    inside, plan = reachable(make_world(name, HELD_OUT), 0.45)
    assert inside.all()
    assert plan.sum() * CELL**2 > 600  # [m^2]; 100 m need not be flown in circles
    extent = np.ptp(np.argwhere(plan), axis=0) * CELL
    assert extent.min() > 30


@EACH
def test_flying_straight_ends_soon(name: str) -> None:
    flown = []
    for seed in range(HELD_OUT, HELD_OUT + 4):
        world = make_world(name, seed)
        yaw = world.start_poses[:, 3]
        state, goal = dynamics.make_state(world.start_poses), dynamics.make_goal(len(yaw))
        goal.mode[:] = dynamics.MODE_VELOCITY
        goal.values[:, 0], goal.values[:, 1] = 2 * np.cos(yaw), 2 * np.sin(yaw)
        goal.yaw_is_rate[:] = True
        distance = np.full(len(yaw), 60.0)
        for second in range(30):
            dynamics.step(state, goal, pack([world]), 0, 333)
            distance = np.where(state.collided, np.minimum(distance, 2 * (second + 1)), distance)
        flown.append(distance)
    assert np.median(flown) < 20
    assert (np.concatenate(flown) < 50).mean() > 0.9


@EACH
def test_something_is_in_the_way_at_every_height_that_another_height_avoids(name: str) -> None:
    for height in np.arange(0.6, 2.5, 0.3):
        met = 0
        for seed in range(3):
            for primitive in make_world(name, seed).primitives:
                low, high = span(primitive)
                met += low - 0.2 < height < high + 0.2 and (low > 0.3 or high < 2.6)
        assert met >= 3, f'nothing at {height:.1f} m'


def span(primitive: Primitive) -> tuple[float, float]:
    """Return the heights between which a primitive lies; nothing for planes."""
    if primitive.kind == 'plane':
        return np.inf, -np.inf
    scene = pack_primitives([primitive])
    reach = float(np.abs(scene.rotation[0, 2] * scene.half[0]).sum())
    return -primitive.position[2] - reach, -primitive.position[2] + reach


@pytest.mark.parametrize('name', ['corridor', 'rooms', 'pillars'])
def test_there_is_a_ceiling_indoors(name: str) -> None:
    world = make_world(name, HELD_OUT)
    up = cast_rays(pack([world]), 0, world.start_poses[0, :3], [[0, 0, -1]])
    assert up[0] < 5
    turns = np.tile([1.0, 0, 0, 0], (32, 1))
    depth = render_depth(pack([world]), 0, world.start_poses[:, :3], turns, 64, 36, 1.5)
    assert np.isfinite(depth).all()


def test_no_drone_gets_through_the_canopy_of_the_forest() -> None:
    world = make_world('forest', HELD_OUT)
    looking_up = np.array([[np.cos(np.pi / 4), 0, np.sin(np.pi / 4), 0]])
    spots = np.stack(np.meshgrid(np.linspace(2, 31.6, 13), np.linspace(2, 31.6, 13)), axis=-1)
    places = np.column_stack([spots.reshape(-1, 2), np.full(169, -2.0)])
    depth = render_depth(pack([world]), 0, places, np.repeat(looking_up, 169, axis=0), 64, 64, 1.5)
    assert np.isinf(depth).mean() < 0.05
    inside, _ = reachable(world, 0.35, low=0.4, high=2.5)
    assert inside.all()
    columns = np.column_stack(
        [np.repeat(places[:, :2], 17, axis=0), -np.tile(np.arange(4, 8.1, 0.25), 169)]
    )
    room = clearance(pack([world]), 0, columns).reshape(169, 17).min(axis=1)
    assert (room < 0.35).all()


@pytest.mark.figures
@EACH
def test_a_world_is_made_quickly(name: str) -> None:
    make_world(name, 0)
    began = time.process_time()
    for seed in range(5):
        make_world(name, HELD_OUT + seed)
    assert (time.process_time() - began) / 5 < 0.1  # [s]; some 0.03 on an idle machine


def test_segmentation_tells_kinds_of_things_apart() -> None:
    world = make_world('rooms', 0)
    ids = dict(zip((p.name for p in world.primitives), world.segmentation_ids, strict=True))
    assert ids['wall_0'] == ids['wall_1'] != ids['floor_0']
    assert 0 not in ids.values()


@pytest.mark.parametrize('spec', ['maze', '', 'rooms.yml.txt', '../corridor'])
def test_an_unknown_name_is_refused_with_the_known_ones(spec: str) -> None:
    with pytest.raises(ValueError, match=r'corridor, rooms, pillars, forest'):
        make_world(spec)


@pytest.mark.parametrize('seed', [-1, 1.5, '3', None, True])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with pytest.raises(ValueError, match='seed'):
        make_world('rooms', seed)  # type: ignore[arg-type]


@EACH
def test_in_a_shrunk_world_everything_is_nearer_by_as_much(name: str) -> None:
    world = make_world(name, 3)
    seen = []
    for one in (world, world.shrunk(0.5)):
        place, yaw = one.start_poses[:8, :3], one.start_poses[:8, 3]
        ahead = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=1)
        seen.append(render_depth(pack([one]), 0, place, ahead, 64, 36, np.pi / 2))
    seen = [np.where(np.isinf(depth), 1e6, depth) for depth in seen]
    near = np.isclose(seen[1], np.where(seen[0] == 1e6, 1e6, 0.5 * seen[0]), rtol=1e-3)
    assert near.mean() > 0.999
    with pytest.raises(ValueError, match='positive'):
        world.shrunk(0.0)
