"""Scene files and map_server maps, right ones and wrong ones."""

from pathlib import Path
from typing import Any

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import numpy as np
from PIL import Image
import pytest
import yaml

from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.render.camera import render_depth
from rapid_nav.sim.worlds.grid import rectangles
from rapid_nav.sim.worlds.world import make_world, pack, World

SCENE: dict[str, Any] = {
    'start_poses': [[0, 0, -1.5, 0.5]],
    'primitives': [
        {'kind': 'plane', 'name': 'floor', 'position': [0, 0, 0]},
        {'kind': 'box', 'name': 'crate', 'position': [4, 0, -1], 'size': [1, 2, 2], 'yaw': 0.3},
        {'kind': 'cylinder', 'position': [0, 5, -1], 'size': [1, 1, 2], 'color': [9, 8, 7]},
    ],
}
MAP: dict[str, Any] = {
    'image': 'map.pgm',
    'resolution': 0.1,
    'origin': [-2.0, 1.0, 0.0],
    'negate': 0,
    'occupied_thresh': 0.65,
    'free_thresh': 0.196,
}


def write(folder: Path, content: Any, name: str = 'world.yaml') -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def a_room() -> np.ndarray:
    """A room of 8 x 6 m in white, black walls, grey around, and a pillar in the north-east."""
    image = np.full((100, 120), 205, dtype=np.uint8)
    image[15:85, 15:105] = 0
    image[20:80, 20:100] = 254
    image[30:34, 80:84] = 0
    return image


def write_map(folder: Path, image: np.ndarray, file: str = 'map.pgm', **changes: Any) -> Path:
    Image.fromarray(image).save(folder / file)
    content = {**MAP, 'image': file, **changes}
    return write(folder, {k: v for k, v in content.items() if v is not None})


def solid_at(world: World, east: float, north: float) -> bool:
    return bool(clearance(pack([world]), 0, np.array([[north, east, -1.5]]))[0] <= 0)


def test_a_scene_file_becomes_its_primitives(tmp_path: Path) -> None:
    world = make_world(write(tmp_path, SCENE))
    assert [p.name for p in world.primitives] == ['floor', 'crate', 'primitive_2']
    assert world.primitives[2].color == (9, 8, 7)
    assert world.start_poses.tolist() == [[0, 0, -1.5, 0.5]]


def test_a_scene_without_start_poses_finds_some(tmp_path: Path) -> None:
    world = make_world(write(tmp_path, {'primitives': SCENE['primitives']}), 3)
    assert len(world.start_poses)
    assert clearance(pack([world]), 0, world.start_poses[:, :3]).min() >= 0.8


def test_a_key_of_former_releases_is_read_with_a_warning(tmp_path: Path, caplog) -> None:
    assert make_world(write(tmp_path, {**SCENE, 'indoor': True})).start_poses.shape == (1, 4)
    assert 'indoor has no effect' in caplog.text


def changed(**entry: Any) -> dict[str, Any]:
    return {'primitives': [{'kind': 'box', 'position': [1, 2, 3], 'size': [1, 1, 1], **entry}]}


@pytest.mark.parametrize(
    ('content', 'complaint'),
    [
        ('a: [1, 2', 'line 1'),
        ('just words', 'key: value'),
        ('[1, 2]', 'key: value'),
        ('', 'hold'),
        ({'walls': 3}, 'neither "primitives"'),
        ({'primitives': []}, 'at least one'),
        ({'primitives': 'box'}, 'must be a list'),
        ({'primitives': ['box']}, 'primitive 0'),
        ({**SCENE, 'indor': True}, "unknown key 'indor'"),
        ({**SCENE, 'start_poses': [[0, 0, 0]]}, 'start pose 0'),
        ({**SCENE, 'start_poses': []}, 'start_poses'),
        ({**SCENE, 'start_poses': [[4, 0, -1, 0]]}, 'leave at least'),
        (changed(kind='cone'), 'choose one of box'),
        (changed(kind=None), 'choose one of box'),
        (changed(position=[1, 2]), 'list of 3'),
        (changed(position='here'), 'list of 3'),
        (changed(size=[1, 1, 0]), 'positive'),
        (changed(size=[1, 1, float('nan')]), '3 numbers'),
        (changed(kind='sphere', size=[1, 2, 3]), 'round'),
        (changed(size=[1, 1, 1e9]), '3 numbers'),
        (changed(color=[0, 0, 300]), '0..255'),
        (changed(orientation=[0, 0, 0, 0]), 'no rotation'),
        (changed(yaw='left'), 'yaw'),
        (changed(yaw=1, orientation=[1, 0, 0, 0]), 'not both'),
        (changed(shape='round'), "unknown key 'shape'"),
        ({'primitives': [{'kind': 'box', 'size': [1, 1, 1]}]}, 'position is missing'),
        ({'primitives': [{'kind': 'box', 'position': [1, 1, 1]}]}, 'size is missing'),
        ({'primitives': SCENE['primitives'][:2] + SCENE['primitives'][1:2]}, "named 'crate'"),
    ],
)
def test_a_wrong_scene_file_is_told_what_is_wrong(
    tmp_path: Path, content: Any, complaint: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ValueError) as error:
        make_world(path)
    assert str(path) in str(error.value)
    assert complaint in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'nowhere\.yaml'):
        make_world(tmp_path / 'nowhere.yaml')


def test_a_binary_file_is_no_world(tmp_path: Path) -> None:
    path = tmp_path / 'binary.yaml'
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ValueError, match='not text'):
        make_world(path)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.text(max_size=200))
def test_no_text_does_worse_than_a_clear_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'any.yaml'
    path.write_text(text, encoding='utf-8', errors='replace')
    with pytest.raises((ValueError, FileNotFoundError), match='any'):
        make_world(path)


@pytest.mark.parametrize('file', ['map.pgm', 'map.png'])
def test_a_map_becomes_walls_where_it_is_not_free(tmp_path: Path, file: str) -> None:
    world = make_world(write_map(tmp_path, a_room(), file), 1)
    # Column 20 to 100, row 80 to 20 from the top: x = -2 + 2 to -2 + 10, y = 1 + 2 to 1 + 8.
    for east, north, solid in (
        (0.2, 3.2, False),
        (-0.2, 3.2, True),
        (7.9, 8.9, False),
        (8.2, 5, True),
        (3, 9.2, True),
        (6.2, 7.8, True),
        (6.2, 4.2, False),
        (-1.5, 1.2, True),
    ):
        # What is deep in the unknown need not be filled: nobody gets there.
        assert solid_at(world, east, north) == solid or (east, north) == (-1.5, 1.2)
    assert len(world.primitives) < 20
    east, north = world.start_poses[:, 1], world.start_poses[:, 0]
    assert ((east > 0.5) & (east < 7.5) & (north > 3.5) & (north < 8.5)).all()


def test_the_maps_origin_turns_it(tmp_path: Path) -> None:
    world = make_world(write_map(tmp_path, a_room(), origin=[0, 0, np.pi / 2]), 1)
    # A quarter turn: the map's x points north, its y west.
    for along, up, solid in ((2.2, 2.2, False), (1.8, 2.2, True), (8.2, 6.8, True)):
        assert solid_at(world, -up, along) == solid


def test_all_modes_read_free_space_alike(tmp_path: Path) -> None:
    image = a_room()
    raw = np.select([image == 254, image == 0], [0, 100], 255).astype(np.uint8)
    worlds = [
        make_world(write_map(tmp_path, image, mode='trinary')),
        make_world(write_map(tmp_path, image, mode='scale')),
        make_world(write_map(tmp_path, raw, mode='raw')),
        make_world(write_map(tmp_path, 255 - image, negate=1)),
    ]
    for world in worlds[1:]:
        assert world.primitives == worlds[0].primitives


def test_a_free_area_at_the_edge_of_the_map_is_closed(tmp_path: Path) -> None:
    world = make_world(write_map(tmp_path, np.full((60, 60), 254, dtype=np.uint8)), 1)
    turns = np.tile([1.0, 0, 0, 0], (len(world.start_poses), 1))
    depth = render_depth(pack([world]), 0, world.start_poses[:, :3], turns, 64, 36, 1.5)
    assert depth.max() < 7


def test_many_speckles_do_not_make_too_many_boxes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = np.full((1000, 1000), 254, dtype=np.uint8)
    image[::40, ::40] = 0
    image[1::40, 1::40] = 0
    image[2::40, :] = np.where(rng.random((25, 1000)) < 0.3, 0, 254)
    assert len(make_world(write_map(tmp_path, image, resolution=0.02), 1).primitives) < 3000


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        ({'image': None}, 'image'),
        ({'image': 7}, 'image'),
        ({'resolution': None}, 'resolution'),
        ({'resolution': 0}, 'resolution'),
        ({'resolution': 'fine'}, 'resolution'),
        ({'origin': [1, 2]}, 'origin'),
        ({'origin': None}, 'origin'),
        ({'occupied_thresh': 65}, 'occupied_thresh'),
        ({'free_thresh': 0.9}, 'free_thresh'),
        ({'negate': 'no'}, 'negate'),
        ({'mode': 'binary'}, 'trinary, scale, raw'),
        ({'free_thresh': 0.0}, 'nothing in the map'),
        ({'resolution': 0.005}, 'wider than'),
    ],
)
def test_a_wrong_map_is_told_what_is_wrong(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    write_map(tmp_path, a_room())
    content = {k: v for k, v in {**MAP, **changes}.items() if v is not None}
    if 'image' not in content:
        content['primitives'] = content.pop('image', None)
        content = {**content, 'image': ''}
        del content['primitives']
    path = write(tmp_path, content)
    with pytest.raises(ValueError) as error:
        make_world(path)
    assert str(path) in str(error.value)
    assert complaint in str(error.value)


def test_a_map_without_its_image_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'map\.pgm does not exist'):
        make_world(write(tmp_path, MAP))


@pytest.mark.parametrize('data', [b'', b'P5\n9 9\n255\n', b'not an image', b'\x89PNG\r\n\x1a\n'])
def test_a_broken_image_is_told_so(tmp_path: Path, data: bytes) -> None:
    (tmp_path / 'map.pgm').write_bytes(data)
    with pytest.raises(ValueError, match='cannot be read'):
        make_world(write(tmp_path, MAP))


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_rectangles_cover_the_edge_of_the_solid_and_nothing_free(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    solid = rng.random((rng.integers(1, 20), rng.integers(1, 20))) < share
    covered = np.zeros_like(solid)
    for r0, r1, c0, c1 in rectangles(solid):
        covered[r0:r1, c0:c1] = True
    assert not (covered & ~solid).any()
    free = np.pad(~solid, 1)
    beside = sum(np.roll(free, (a, b), (0, 1)) for a in (-1, 0, 1) for b in (-1, 0, 1)) > 0
    assert covered[solid & beside[1:-1, 1:-1]].all()


def test_the_scene_that_comes_with_the_package_can_be_flown() -> None:
    world = make_world(Path(__file__).parents[3] / 'config' / 'worlds' / 'hangar.yaml')
    assert len(world.primitives) == 20
    assert clearance(pack([world]), 0, world.start_poses[:, :3]).min() > 0.8
