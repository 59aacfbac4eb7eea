"""From our messages to Rerun's archetypes: the world, the drone, the images, the curves."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from nav_msgs.msg import Odometry
import numpy as np
import rerun as rr
import rerun.blueprint as rrb
from sensor_msgs.msg import Image
from visualization_msgs.msg import Marker, MarkerArray

from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.exit_colors import BLUE, CRIMSON, exit_color, ORANGE
from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.lib import conversions

TIMELINE = 'flight time'
FAR = 20.0  # [m] the depth image's darkest
_REACH = 1.2  # [m] length of the arrow
_AXIS = 0.6  # [m]
_JPEG_QUALITY = 80
_TRAIL_RADIUS = 0.05  # [m]

# path: name and unit, colour
CURVES = {
    'exit/level': ('exit level', CRIMSON),
    'exit/confidence': ('confidence', BLUE),
    'exit/threshold': ('threshold', (0.6, 0.6, 0.6)),
    'operations': ("operations [% of the full network's]", ORANGE),
    'clearance': ('clearance [m]', BLUE),
    'latency/whole': ('image to command [ms]', ORANGE),
    'latency/network': ('network [ms]', BLUE),
}


def blueprint() -> rrb.Blueprint:
    """Return the layout of the window."""
    confidence = ['exit/confidence', 'exit/threshold']
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(
                rrb.Spatial3DView(
                    origin='world',
                    name='flight',
                    contents=['$origin/**', '- $origin/scene/ceiling/**'],
                    eye_controls=rrb.EyeControls3D(
                        kind=rrb.Eye3DKind.Orbital,
                        position=(-6.0, 0.0, 14.0),
                        look_target=(0.0, 0.0, 0.0),
                        tracking_entity='world/drone',
                    ),
                ),
                rrb.Horizontal(
                    rrb.Spatial2DView(origin='camera/depth', name='depth [m]'),
                    rrb.Spatial2DView(origin='camera/image', name='camera'),
                ),
                row_shares=[3, 2],
            ),
            rrb.Vertical(
                _plot('exit level', ['exit/level']),
                _plot('confidence', confidence, (0.0, 1.05)),
                _plot('operations [%]', ['operations'], (0.0, 105.0)),
                _plot('clearance [m]', ['clearance']),
                _plot('latency [ms]', ['latency/whole', 'latency/network']),
            ),
            column_shares=[3, 2],
        ),
        rrb.TimePanel(state='collapsed', timeline=TIMELINE, play_state='following'),
        rrb.SelectionPanel(state='hidden'),
        rrb.BlueprintPanel(state='hidden'),
    )


def _plot(
    name: str, paths: list[str], between: tuple[float, float] | None = None
) -> rrb.TimeSeriesView:
    return rrb.TimeSeriesView(
        origin='/',
        contents=paths,
        name=name,
        axis_y=rrb.ScalarAxis(range=between) if between else None,
        plot_legend=rrb.PlotLegend(visible=len(paths) > 1),
    )


def styles() -> Iterator[tuple[str, Any]]:
    """Yield what is static: the axes, and the curves' names and colours."""
    yield 'world', rr.ViewCoordinates.RIGHT_HAND_Z_UP
    yield (
        'world/drone/axes',
        rr.Arrows3D(
            vectors=_AXIS * np.eye(3),
            colors=[(230, 60, 60), (60, 200, 60), (70, 110, 255)],
            radii=0.02,
        ),
    )
    for path, (name, color) in CURVES.items():
        yield path, rr.SeriesLines(colors=[_bytes(color)], names=name, widths=1.5)


def scene(message: MarkerArray) -> Iterator[tuple[str, Any]]:
    """Yield an entity path and its shapes for each kind of marker."""
    groups: dict[tuple[str, int], list[Marker]] = defaultdict(list)
    for marker in message.markers:
        if marker.action == Marker.ADD:
            groups[marker.ns, marker.type].append(marker)
    for (name, kind), markers in groups.items():
        part = rr.escape_entity_path_part(name)
        size = np.array([(m.scale.x, m.scale.y, m.scale.z) for m in markers])
        pose: dict[str, Any] = {
            'centers': [_xyz(m.pose.position) for m in markers],
            'quaternions': [_xyzw(m.pose.orientation) for m in markers],
            'colors': [_bytes((m.color.r, m.color.g, m.color.b)) for m in markers],
            'fill_mode': rr.components.FillMode.Solid,
        }
        if kind == Marker.CUBE:
            yield part, rr.Boxes3D(half_sizes=size / 2, **pose)
        elif kind == Marker.CYLINDER:
            yield f'{part}/round', rr.Cylinders3D(lengths=size[:, 2], radii=size[:, 0] / 2, **pose)
        elif kind == Marker.SPHERE:
            yield f'{part}/ball', rr.Ellipsoids3D(half_sizes=size / 2, **pose)


def trail(line: Marker) -> rr.LineStrips3D:
    """Return the flown path, cut where its colour changes; BadMessage if it is none."""
    if not line.points or len(line.colors) != len(line.points):
        raise conversions.BadMessage(
            f'a path of {len(line.points)} points with {len(line.colors)} colours'
        )
    points = [_xyz(point) for point in line.points]
    colors = [_bytes((c.r, c.g, c.b)) for c in line.colors]
    starts = [0, *(i for i in range(1, len(points)) if colors[i] != colors[i - 1])]
    ends = [*(start + 1 for start in starts[1:]), len(points)]
    return rr.LineStrips3D(
        [points[start:end] for start, end in zip(starts, ends, strict=True)],
        colors=[colors[start] for start in starts],
        radii=_TRAIL_RADIUS,
    )


def drone_pose(message: Odometry) -> rr.Transform3D:
    """Return the drone's pose; BadMessage if it is not finite."""
    return rr.Transform3D(
        translation=conversions.position(message),
        quaternion=rr.Quaternion(xyzw=conversions.orientation(message)),
    )


def arrow(velocity: BodyVelocity) -> rr.Arrows3D:
    """Return the commanded direction, in the body's frame."""
    along = np.array([velocity.forward, velocity.left, velocity.up])
    length = max(float(np.linalg.norm(along)), 1e-6)
    return rr.Arrows3D.from_fields(vectors=[_REACH * along / length], radii=0.03)


def exit_style(message: ExitLevel) -> rr.Arrows3D:
    """Return the arrow's colour and label."""
    return rr.Arrows3D.from_fields(
        colors=[_bytes(exit_color(message.level, message.num_levels))],
        labels=[
            f'exit {message.level} of {message.num_levels - 1}, '
            f'confidence {message.confidence:.2f}, '
            f'{100 * message.macs_ratio:.0f} % of the operations'
        ],
        show_labels=True,
    )


def curve_points(message: ExitLevel) -> Iterator[tuple[str, float]]:
    """Yield the curves' next points."""
    yield 'exit/level', message.level
    yield 'exit/confidence', message.confidence
    yield 'exit/threshold', message.threshold
    yield 'operations', 100 * message.macs_ratio
    yield 'latency/whole', 1e3 * message.latency
    yield 'latency/network', 1e3 * message.inference_time


def depth_image(metres: np.ndarray) -> rr.DepthImage:
    """Return depth (H, W) [m] as whole millimetres; what is not seen is far."""
    seen = np.nan_to_num(metres, nan=0.0, posinf=65.535, neginf=0.0)
    return rr.DepthImage(
        (np.clip(seen, 0.0, 65.535) * 1000).astype(np.uint16),
        meter=1000.0,
        colormap='viridis',
        depth_range=(0.0, FAR * 1000),
    )


def color_image(message: Image) -> Any:
    """Return a colour image, compressed; BadMessage if it is none."""
    return rr.Image(conversions.color_image(message)).compress(jpeg_quality=_JPEG_QUALITY)


def _xyz(p: Any) -> tuple[float, float, float]:
    return p.x, p.y, p.z


def _xyzw(q: Any) -> tuple[float, float, float, float]:
    return q.x, q.y, q.z, q.w


def _bytes(color: tuple[float, float, float]) -> tuple[int, int, int]:
    if not np.isfinite(color).all():
        raise conversions.BadMessage(f'the colour {color} is not finite')
    red, green, blue = (round(255 * min(max(channel, 0.0), 1.0)) for channel in color)
    return red, green, blue
