"""The viewer: it hears a flight and keeps it, whatever comes, and keeps up."""

from pathlib import Path
import time
from typing import Any
from urllib.request import urlopen

from geometry_msgs.msg import Point, TwistStamped
from listener import wait_until
from nav_msgs.msg import Odometry
import numpy as np
import pytest
import rclpy
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.scene_markers import world_markers
from rapid_nav.ports import free_port

try:
    from rapid_nav.nodes.viewer import Viewer
    from rapid_nav.nodes.viz import rerun_convert
    from rapid_nav.nodes.viz.rerun_server import RerunServer
except ModuleNotFoundError as missing:
    pytest.skip(f'{missing.name}: see requirements/view.txt', allow_module_level=True)

WORLD = [
    {
        'kind': kind,
        'name': f'{name}_0',
        'position': np.ones(3),
        'size': np.ones(3),
        'orientation': np.array([0.0, 0.0, 0.0, 1.0]),
        'color': (200, 100, 50),
    }
    for kind, name in (
        ('box', 'wall'),
        ('cylinder', 'post'),
        ('sphere', 'ball'),
        ('plane', 'ceiling'),
    )
]


@pytest.fixture
def viewer(tmp_path: Path, domain: int) -> Any:
    """Return a viewer that keeps what it is shown in flight.rrd."""
    rclpy.init(
        args=['--ros-args', '-p', 'browser:=false', '-p', f'save:={tmp_path}/kept/flight.rrd'],
        domain_id=domain,
    )
    node = Viewer()
    yield node
    node.destroy_node()
    rclpy.try_shutdown()


def line() -> MarkerArray:
    """Return a path of four points, the colour changing before the third."""
    colors = [ColorRGBA(r=float(n > 1), g=0.5, b=0.0, a=1.0) for n in range(4)]
    points = [Point(x=float(n)) for n in range(4)]
    return MarkerArray(markers=[Marker(type=Marker.LINE_STRIP, points=points, colors=colors)])


def show_flight(viewer: Viewer, frames: int) -> None:
    """Show a flight of `frames` frames at 20 Hz, without the middleware between."""
    viewer.on_scene(world_markers(WORLD))
    depth = np.full((144, 256), 3.0, np.float32)
    depth[:9] = np.inf
    picture = np.random.default_rng(0).integers(0, 255, (144, 256, 3), np.uint8)
    for frame in range(frames):
        stamp = 10**9 + frame * 50_000_000
        seen = conversions.header(stamp, conversions.CAMERA_OPTICAL)
        viewer.on_odometry(Odometry(header=conversions.header(stamp, conversions.ODOM)))
        viewer.on_outcome(
            Outcome(
                header=seen,
                clearance=2.0,
                terminal=frame == frames - 1,
                collision=True,
                collided_with='wall_0',
            )
        )
        viewer.on_depth(conversions.image(depth, stamp))
        viewer.on_image(conversions.image(picture, stamp))
        viewer.on_command(conversions.command(BodyVelocity(1.0, 0.0, 0.0, 0.0), stamp))
        viewer.on_exit_level(ExitLevel(header=seen, level=1, num_levels=3, confidence=0.8))
    viewer.on_trail(line())


def listeners(port: int) -> list[str]:
    """Return the addresses at which somebody on this machine listens on a port."""
    found = []
    for table in ('tcp', 'tcp6'):
        for row in Path('/proc/net', table).read_text().splitlines()[1:]:
            address, number = row.split()[1].split(':')
            if row.split()[3] == '0A' and int(number, 16) == port:
                found.append(address)
    return found


def test_the_page_is_served_to_this_machine_alone_and_no_longer_than_wanted() -> None:
    port = free_port()
    page = RerunServer('127.0.0.1', port, data_port=1)
    try:
        wait_until(lambda: listeners(port))
        assert listeners(port) == ['0100007F']
        with urlopen(page.address) as answer:
            assert b'<canvas' in answer.read()
    finally:
        page.close()
    wait_until(lambda: not listeners(port))


def test_a_flight_is_kept_in_the_file(viewer: Viewer, tmp_path: Path) -> None:
    show_flight(viewer, 5)
    viewer.destroy_node()
    kept = (tmp_path / 'kept' / 'flight.rrd').read_bytes()
    assert kept.startswith(b'RRF')
    for path in (
        b'world/scene/wall',
        b'world/trail',
        b'camera/depth',
        b'exit/confidence',
        b'operations',
        b'clearance',
        b'latency/whole',
        b'flight time',
        b'events',
    ):
        assert path in kept, path


@pytest.mark.figures
def test_twice_twenty_hertz_leave_half_the_time_of_a_core(viewer: Viewer) -> None:
    show_flight(viewer, 5)
    began = time.thread_time()
    show_flight(viewer, 40)
    assert (time.thread_time() - began) / 40 < 0.0125


def test_nothing_to_show_to_is_a_mistake(domain: int) -> None:
    rclpy.init(args=['--ros-args', '-p', 'browser:=false'], domain_id=domain)
    try:
        with pytest.raises(ValueError, match='nothing to do'):
            Viewer()
    finally:
        rclpy.try_shutdown()


def test_a_path_is_cut_where_its_colour_changes() -> None:
    strips = rerun_convert.trail(line().markers[0]).strips.as_arrow_array().to_pylist()
    assert [len(strip) for strip in strips] == [3, 2]
    assert strips[0][-1] == strips[1][0] == [2.0, 0.0, 0.0]


def test_things_are_drawn_in_their_shape_and_by_their_kind() -> None:
    drawn = {
        path: type(shapes).__name__ for path, shapes in rerun_convert.scene(world_markers(WORLD))
    }
    assert drawn == {
        'wall': 'Boxes3D',
        'post/round': 'Cylinders3D',
        'ball/ball': 'Ellipsoids3D',
        'ceiling': 'Boxes3D',
    }


def test_what_no_ray_hits_is_as_far_as_can_be() -> None:
    image = rerun_convert.depth_image(np.array([[np.inf, 1.5, np.nan]], np.float32))
    kept = np.array(image.buffer.as_arrow_array().to_pylist()[0], np.uint8)
    assert kept.view(np.uint16).tolist() == [65535, 1500, 0]


def test_a_command_to_stand_still_can_be_shown() -> None:
    still = TwistStamped()
    assert rerun_convert.arrow(conversions.body_velocity(still)) is not None
