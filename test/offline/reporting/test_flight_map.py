"""The picture of a flight: the path as it was flown, the world as it stands."""

from pathlib import Path

import numpy as np
from PIL import Image
import pytest
import torch

from rapid_nav.agent.checkpoint import Checkpoint, save
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.task import FlightTask
from rapid_nav.exit_colors import exit_color
from rapid_nav.geometry import from_euler
from rapid_nav.offline.reporting.flight_map import DrawConfig, fly, hull, main, outline
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import make_world


@pytest.fixture(scope='module')
def policy() -> Checkpoint:
    """Return a policy that knows nothing."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    task = FlightTask()
    network = EarlyExitNetwork(network_for(task))
    return Checkpoint(network, task.to_dict(), {'balanced': (0.5,)})


@pytest.mark.parametrize('world', ['rooms', 'forest'])
def test_a_flight_is_drawn_small_enough_for_a_readme(
    world: str, policy: Checkpoint, tmp_path: Path
) -> None:
    save(tmp_path / 'policy.safetensors', policy)
    out = tmp_path / 'pictures' / 'flight.png'
    assert (
        main(
            DrawConfig(checkpoint=tmp_path / 'policy.safetensors', world=world, cap_m=5.0, out=out)
        )
        == 0
    )
    assert out.read_bytes().startswith(b'\x89PNG') and 5_000 < out.stat().st_size < 200_000


def test_a_gif_moves_and_lights_the_exit_that_answers(policy: Checkpoint, tmp_path: Path) -> None:
    save(tmp_path / 'policy.safetensors', policy)
    out = tmp_path / 'flight.gif'
    for threshold, taken in ((0.0, 0), (1.5, 1)):
        main(
            DrawConfig(
                checkpoint=tmp_path / 'policy.safetensors', threshold=threshold, cap_m=2.0, out=out
            )
        )
        with Image.open(out) as film:
            assert film.n_frames > 3 and film.info['loop'] == 0
            lit = np.array(film.convert('RGB')).reshape(-1, 3).astype(float) / 255
        # The box of an exit, of some 16,000 pixels, has its colour while the exit answers.
        areas = [(np.abs(lit - exit_color(level, 2)).max(axis=1) < 0.05).sum() for level in (0, 1)]
        assert areas[taken] > 8000 > areas[1 - taken]
    assert out.stat().st_size < 1_000_000


def test_the_track_is_the_flight(policy: Checkpoint) -> None:
    world = make_world('pillars', 10_003)
    track = fly(policy, FlightTask(), world, (0.0, 0.0), 4.0)
    assert np.allclose(track.position[0], world.start_poses[0, :3])
    assert len(track.position) == len(track.orientation) == len(track.level)
    assert set(track.level) == {0}  # every first exit is sure enough
    flown = np.linalg.norm(np.diff(track.position[:, :2], axis=0), axis=1).sum()
    assert track.distance == pytest.approx(flown, abs=0.3)


def test_a_box_covers_its_turned_rectangle() -> None:
    turned = Primitive(
        'box',
        'wall_0',
        (5.0, 2.0, -1.0),
        from_euler(yaw=np.pi / 2),
        (4.0, 2.0, 2.0),
        (100, 100, 100),
    )
    corners = outline(turned).get_xy()  # east, north
    assert corners.min(axis=0) == pytest.approx([0.0, 4.0])
    assert corners.max(axis=0) == pytest.approx([4.0, 6.0])


@pytest.mark.parametrize(('height', 'alpha'), [(1.0, 1.0), (2.5, 0.35)])
def test_what_hangs_overhead_is_fainter(height: float, alpha: float) -> None:
    ball = Primitive(
        'sphere',
        'lamp_0',
        (0.0, 0.0, -height),
        (1.0, 0.0, 0.0, 0.0),
        (0.4, 0.4, 0.4),
        (200, 200, 100),
    )
    assert outline(ball).get_alpha() == alpha


def test_the_hull_of_points_leaves_out_what_is_inside() -> None:
    corners = np.array([(0, 0), (2, 0), (2, 2), (0, 2), (1, 1), (1, 0), (0, 0)], float)
    assert sorted(map(tuple, hull(corners))) == [(0, 0), (0, 2), (2, 0), (2, 2)]


def test_an_unknown_point_is_named(policy: Checkpoint, tmp_path: Path) -> None:
    save(tmp_path / 'policy.safetensors', policy)
    with pytest.raises(ValueError, match='balanced'):
        main(DrawConfig(checkpoint=tmp_path / 'policy.safetensors', point='thrifty'))
