"""The camera sees what Embree sees, in every pixel but the last few."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.geometry import from_euler, rotation_matrices
from rapid_nav.sim.render.camera import depth_and_color, render, render_depth
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.render.views import make_views, slopes
from rapid_nav.sim.worlds.generators import GENERATORS
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import make_world, pack, World

WIDE = np.pi / 2
FORWARD = np.array([[1.0, 0, 0, 0]])
ORIGIN = np.zeros((1, 3))


def color(*view: Any) -> np.ndarray:
    return depth_and_color(make_views(*view))[1]


def world_of(*primitives: Primitive) -> World:
    return World('test', 0, primitives, np.zeros((0, 4)))


def solid(kind: str, position: tuple, size: tuple, orientation: tuple = (1, 0, 0, 0)) -> Primitive:
    return Primitive(kind, kind, position, orientation, size, (200, 100, 50))


def some_turns(rng: np.random.Generator, count: int) -> np.ndarray:
    turns = rng.normal(size=(count, 4))
    return turns / np.linalg.norm(turns, axis=1, keepdims=True)


def test_it_agrees_with_embree() -> None:
    pytest.importorskip('embreex')
    pytest.importorskip('trimesh')
    from rapid_nav.benchmarks.simulator import agreement

    assert agreement(200) > 0.999


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_pixel_is_the_ray_through_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    primitives = []
    for n in range(12):
        kind = ('box', 'cylinder', 'sphere')[n % 3]
        size = rng.uniform(0.1, 3, 3)
        size = {'box': size, 'cylinder': size[[0, 0, 2]], 'sphere': size[[0, 0, 0]]}[kind]
        place = rng.uniform(-6, 6, 3)
        primitives.append(solid(kind, tuple(place), tuple(size), tuple(some_turns(rng, 1)[0])))
    scenes, turn = pack([world_of(*primitives)]), some_turns(rng, 1)[0]
    fov = rng.uniform(0.5, 2.2)
    depth = render_depth(scenes, 0, ORIGIN, turn[None], 40, 24, fov)[0]
    u, v = slopes(40, 24, fov)
    rays = np.stack(np.broadcast_arrays(1.0, u[None], v[:, None]), axis=-1)
    truth = cast_rays(scenes, 0, ORIGIN[0], rays.reshape(-1, 3) @ rotation_matrices(turn).T)
    truth = truth.reshape(24, 40) / np.linalg.norm(rays, axis=-1)
    far = np.isinf(depth) & np.isinf(truth)
    near = np.abs(np.where(far, 0, depth) - np.where(far, 0, truth)) < 0.01
    assert (far | near).mean() > 0.995  # a silhouette may fall on either side of a pixel's middle


def test_depth_is_along_the_optical_axis_not_along_the_ray() -> None:
    scenes = pack([world_of(solid('box', (5, 0, 0), (2, 50, 50)))])
    depth = render_depth(scenes, 0, ORIGIN, FORWARD, 32, 18, WIDE)
    assert np.allclose(depth, 4, atol=1e-4)


def test_right_is_right_and_down_is_down() -> None:
    right = solid('sphere', (4, 2, 0), (1, 1, 1))
    below = solid('sphere', (4, 0, 1.5), (1, 1, 1))
    _, which, _ = render(
        make_views(pack([world_of(right, below)]), 0, ORIGIN, FORWARD, 64, 64, WIDE)
    )
    rows, columns = np.nonzero(which[0] == 0)
    assert columns.min() > 40 and abs(rows.mean() - 31.5) < 1
    rows, columns = np.nonzero(which[0] == 1)
    assert rows.min() > 36 and abs(columns.mean() - 31.5) < 1


def test_nothing_is_infinitely_far() -> None:
    depth = render_depth(
        pack([world_of(solid('box', (-9, 0, 0), (1, 1, 1)))]), 0, ORIGIN, FORWARD, 8, 8, WIDE
    )
    assert np.isposinf(depth).all()


def test_a_world_without_primitives_is_empty_sky() -> None:
    scenes = pack([world_of()])
    assert np.isposinf(render_depth(scenes, 0, ORIGIN, FORWARD, 8, 8, WIDE)).all()
    assert color(scenes, 0, ORIGIN, FORWARD, 8, 8, WIDE).shape == (1, 8, 8, 3)


@pytest.mark.parametrize('kind', ['box', 'cylinder', 'sphere'])
def test_from_inside_a_solid_its_far_side_is_seen(kind: str) -> None:
    scenes = pack([world_of(solid(kind, (0, 0, 0), (4, 4, 4)))])
    depth = render_depth(scenes, 0, ORIGIN, FORWARD, 9, 9, 0.1)
    assert depth[0, 4, 4] == pytest.approx(2, abs=1e-3)


def test_a_camera_in_the_plane_of_a_face_sees_past_it() -> None:
    beside = solid('box', (3, 1, 0), (2, 2, 2))  # its left face lies in y = 0
    behind = solid('box', (9, 0, 0), (1, 30, 30))
    depth = render_depth(pack([world_of(beside, behind)]), 0, ORIGIN, FORWARD, 64, 64, WIDE)[0]
    assert np.allclose(depth[:, :31], 8.5, atol=1e-3)
    assert depth[32, 40] == pytest.approx(2, abs=1e-3)


def test_worlds_in_a_batch_do_not_mix() -> None:
    worlds = [make_world(name, 2) for name in GENERATORS]
    places = np.array([world.start_poses[0, :3] for world in worlds])
    turns = some_turns(np.random.default_rng(0), len(worlds))
    together = render_depth(pack(worlds), np.arange(4), places, turns, 48, 27, WIDE)
    threaded = render_depth(pack(worlds), np.arange(4), places, turns, 48, 27, WIDE, threads=3)
    assert np.array_equal(together, threaded)
    for n, world in enumerate(worlds):
        alone = render_depth(pack([world]), 0, places[n], turns[n], 48, 27, WIDE)
        assert np.array_equal(together[n], alone[0])


def test_turning_world_and_camera_together_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    turn = some_turns(rng, 1)[0]
    matrix = rotation_matrices(turn)
    base = solid('cylinder', (4, 0.5, -0.3), (1, 1, 2), from_euler(0.3, 0.2, 0.1))
    w, v = turn[0], turn[1:]
    a, b = np.array(base.orientation[0]), np.array(base.orientation[1:])
    moved = Primitive(
        'cylinder',
        'moved',
        matrix @ base.position + [1, 2, 3],
        (w * a - v @ b, *(w * b + a * v + np.cross(v, b))),
        base.size,
        base.color,
    )
    one = render_depth(pack([world_of(base)]), 0, ORIGIN, FORWARD, 64, 48, WIDE)
    other = render_depth(pack([world_of(moved)]), 0, ORIGIN + [1, 2, 3], turn[None], 64, 48, WIDE)
    agree = np.isclose(one, other, atol=1e-3) | (np.isinf(one) & np.isinf(other))
    assert agree.mean() > 0.999


def test_the_result_goes_where_it_is_wanted() -> None:
    scenes = pack([make_world('rooms', 0)])
    out = np.empty((1, 18, 32), dtype=np.float32)
    assert render_depth(scenes, 0, ORIGIN, FORWARD, 32, 18, WIDE, out=out) is out
    with pytest.raises(ValueError, match=r'\(1, 18, 32\)'):
        render_depth(scenes, 0, ORIGIN, FORWARD, 32, 18, WIDE, out=out.astype(float))


def test_layers_and_depth_are_of_one_image() -> None:
    world = make_world('forest', 1)
    place, turn = world.start_poses[:3, :3], some_turns(np.random.default_rng(1), 3)
    scenes = pack([world])
    depth, which, normals = render(make_views(scenes, 0, place, turn, 64, 36, WIDE))
    assert np.array_equal(depth, render_depth(scenes, 0, place, turn, 64, 36, WIDE))
    assert np.array_equal(which < 0, np.isinf(depth))
    length = np.linalg.norm(normals, axis=-1)
    assert np.allclose(length[which >= 0], 1, atol=1e-2) and not length[which < 0].any()


def test_normals_look_at_the_camera() -> None:
    wall = solid('box', (5, 0, 0), (2, 50, 50))
    _, which, normals = render(make_views(pack([world_of(wall)]), 0, ORIGIN, FORWARD, 8, 8, WIDE))
    assert (which == 0).all()
    assert np.allclose(normals, [-1, 0, 0])


def test_pictures_show_colours() -> None:
    ball = Primitive('sphere', 'ball', (3, 0, 0), (1, 0, 0, 0), (2, 2, 2), (250, 20, 20))
    picture = color(pack([world_of(ball)]), 0, ORIGIN, FORWARD, 33, 33, WIDE)[0]
    assert picture.dtype == np.uint8
    red, green, _ = picture[16, 16].astype(int)
    assert red > 2 * green
    assert picture[0, 0, 2] > 150  # the sky


def test_a_view_with_pixels_that_are_not_square_is_the_same_view() -> None:
    """A third of the pixels across, those in the middle of three, and all of them down."""
    world = make_world('rooms', 3)
    x, y, z, yaw = world.start_poses[0]
    where = world.arrays, 0, np.array([[x, y, z]]), np.array([from_euler(yaw=yaw)])
    depth, picture = depth_and_color(make_views(*where, 96, 180, 1.4, 288 / 180))
    np.testing.assert_allclose(depth, render_depth(*where, 288, 180, 1.4)[:, :, 1::3], rtol=1e-4)
    assert (picture == color(*where, 288, 180, 1.4)[:, :, 1::3]).mean() > 0.999
