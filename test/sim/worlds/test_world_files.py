"""Scene files and map_server maps, right ones and wrong ones."""

import os
from pathlib import Path
import struct
from typing import Any
import zlib

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
        ('a: [1, 2', 'line 2'),
        ('just words', 'key: value'),
        ('[1, 2]', 'key: value'),
        ('', 'hold'),
        ({'walls': 3}, 'neither "primitives"'),
        ({'primitives': []}, 'primitives: expected a list of length >= 1'),
        ({'primitives': 'box'}, 'primitives: expected a list, got text'),
        ({'primitives': ['box']}, 'primitives[0]: expected a mapping, got text'),
        ({**SCENE, 'indor': True}, "unknown key 'indor'"),
        ({**SCENE, 'start_poses': [[0, 0, 0]]}, 'start_poses[0]: expected a list of length 4'),
        ({**SCENE, 'start_poses': []}, 'start_poses'),
        ({**SCENE, 'start_poses': [[4, 0, -1, 0]]}, 'leave at least'),
        (changed(kind='cone'), 'choose one of box'),
        (changed(kind=None), 'kind: expected text'),
        (changed(position=[1, 2]), 'position: expected a list of length 3'),
        (changed(position='here'), 'position: expected a list, got text'),
        (changed(size=[1, 1, 0]), 'positive'),
        (changed(size=[1, 1, float('nan')]), 'size[2]: expected a number'),
        (changed(kind='sphere', size=[1, 2, 3]), 'round'),
        (changed(size=[1, 1, 1e9]), 'size[2]: expected a number <= 10000'),
        (changed(color=[0, 0, 300]), 'color[2]: expected a number <= 255'),
        (changed(orientation=[0, 0, 0, 0]), 'no rotation'),
        (changed(yaw='left'), 'yaw: expected a number, got text'),
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
    with pytest.raises(FileNotFoundError, match=r"map\.pgm' does not exist; keep"):
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


def aliases(depth: int) -> str:
    """Return lines of which each names nine times the value of the one before."""
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    for n in range(depth):
        lines.append(f'a{n + 1}: &a{n + 1} [{", ".join([f"*a{n}"] * 9)}]')
    return '\n'.join(lines)


@pytest.mark.parametrize(
    ('entry', 'complaint'),
    [
        ('{kind: box, name: *a8, position: [0, 0, 0], size: [1, 1, 1]}', 'name: expected'),
        ('{kind: *a8, position: [0, 0, 0], size: [1, 1, 1]}', 'kind: expected'),
        ('{kind: box, position: *a8, size: [1, 1, 1]}', 'position: expected'),
        ('{kind: box, position: [0, 0, 0], size: [*a8, 1, 1]}', 'size[0]: expected'),
        ('{kind: box, position: [0, 0, 0], size: [1, 1, 1], *a8: 1}', 'a key is a list'),
        ('*a8', 'expected'),
        ('*b', 'no value above is named'),
        ('{<<: *a8}', '<< takes a mapping'),
        ('!!python/object:os.system {}', 'is no type that is read'),
        ('!!set {a, b}', 'is no type that is read'),
        ('[' * 50 + ']' * 50, 'nested'),
    ],
)
def test_nested_aliases_cost_no_more_than_their_lines(
    tmp_path: Path, entry: str, complaint: str
) -> None:
    text = f'{aliases(8)}\nprimitives:\n  - {entry}\n'
    with pytest.raises(ValueError) as error:
        make_world(write(tmp_path, text))
    said = str(error.value)
    assert complaint in said or 'unknown key' in said
    assert len(said) < 500
    assert '\n' not in said


@pytest.mark.parametrize('key', ['image', 'resolution', 'origin', 'mode', 'negate', 'free_thresh'])
def test_nested_aliases_in_a_map_cost_no_more_than_their_lines(tmp_path: Path, key: str) -> None:
    write_map(tmp_path, a_room())
    content = yaml.safe_dump({name: value for name, value in MAP.items() if name != key})
    with pytest.raises(ValueError, match=rf'{key}: expected') as error:
        make_world(write(tmp_path, f'{aliases(8)}\n{content}{key}: *a8\n'))
    assert len(str(error.value)) < 500


def test_an_alias_and_a_merge_stand_for_what_they_name(tmp_path: Path) -> None:
    text = """
primitives:
  - &wall {kind: box, name: one, position: [5, 0, -1], size: &size [1, 2, 2], color: [1, 2, 3]}
  - {<<: *wall, name: two, position: [-5, 0, -1]}
  - {kind: box, name: 3, position: [0, 5, -1], size: *size}
"""
    world = make_world(write(tmp_path, text))
    assert [p.name for p in world.primitives] == ['one', 'two', '3']
    assert world.primitives[1].color == (1, 2, 3)
    assert world.primitives[1].position == (-5, 0, -1)
    assert world.primitives[2].size == (1, 2, 2)


def test_twenty_thousand_boxes_are_read_and_one_more_is_not(tmp_path: Path) -> None:
    line = '  - {{kind: box, position: [{}, {}, -1], size: [0.2, 0.2, 2]}}\n'
    lines = [line.format(n % 141 * 10, n // 141 * 10) for n in range(20_000)]
    world = make_world(write(tmp_path, 'primitives:\n' + ''.join(lines)))
    assert len(world.primitives) == 20_000
    with pytest.raises(ValueError, match='length <= 20000'):
        make_world(write(tmp_path, f'primitives: [{"[], " * 20_001}]'))


def test_a_file_of_more_values_than_a_scene_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='more than 600000 values'):
        make_world(write(tmp_path, f'primitives: [{"[]," * 700_000}]'))
    with pytest.raises(ValueError, match='larger than 8 MiB'):
        make_world(write(tmp_path, '#' * (8 * 2**20 + 1)))


@pytest.mark.parametrize('what', ['pipe', 'folder', 'device', 'device behind a link'])
def test_only_regular_files_are_read(tmp_path: Path, what: str) -> None:
    path = tmp_path / 'world.yaml'
    if what == 'pipe':
        os.mkfifo(path)
    elif what == 'folder':
        path.mkdir()
    else:
        path.symlink_to('/dev/zero')
    with pytest.raises(ValueError, match=r'world\.yaml is no regular file; give a scene'):
        make_world(path)
    (tmp_path / 'map.pgm').symlink_to('/dev/zero')
    with pytest.raises(ValueError, match=r'map\.pgm is no regular file; keep'):
        make_world(write(tmp_path, MAP, 'map.yaml'))


def png_of(width: int, height: int) -> bytes:
    """Return the beginning of a PNG that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))
        )

    head = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(2**20))
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', head) + chunk(b'IDAT', rows)


@pytest.mark.parametrize('size', [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (0, 5)])
def test_an_image_that_claims_too_many_pixels_is_not_decoded(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / 'map.pgm').write_bytes(png_of(*size))
    with pytest.raises(ValueError, match=r'map\.pgm cannot be read: .+'):
        make_world(write(tmp_path, MAP))


def test_noise_makes_too_many_boxes_and_is_given_up_early(tmp_path: Path) -> None:
    noise = (np.random.default_rng(0).random((1500, 1500)) < 0.5).astype(np.uint8) * 254
    with pytest.raises(ValueError, match='more than 20000 boxes'):
        make_world(write_map(tmp_path, noise))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_mutation_of_a_map_does_worse_than_one_clear_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    file = data.draw(st.sampled_from(['map.pgm', 'map.png', 'map.bmp']))
    write_map(tmp_path, a_room()[:40, :40], file)
    image = bytearray((tmp_path / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        image[data.draw(st.integers(0, min(len(image), 300) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(1, len(image)))
    (tmp_path / file).write_bytes(image[:end])
    try:
        make_world(tmp_path / 'world.yaml')
    except ValueError as error:
        assert str(tmp_path) in str(error)
        assert '\n' not in str(error)


any_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_value_in_a_scene_does_worse_than_one_clear_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    entry = dict(SCENE['primitives'][1])
    keys = ['kind', 'name', 'position', 'orientation', 'yaw', 'size', 'color', 'other']
    entry[data.draw(st.sampled_from(keys))] = data.draw(any_value)
    content = {**SCENE, 'primitives': [SCENE['primitives'][0], entry]}
    if data.draw(st.booleans()):
        content[data.draw(st.sampled_from([*content, 'name']))] = data.draw(any_value)
    try:
        make_world(write(tmp_path, content))
    except ValueError as error:
        assert str(tmp_path) in str(error)
        assert '\n' not in str(error)
        assert len(str(error)) < 1000
