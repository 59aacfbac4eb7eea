"""`rapid-nav draw`: a flight from above, coloured by exit level, and what the camera saw."""

from collections.abc import Iterator
from dataclasses import dataclass
import io
import logging
from pathlib import Path
from typing import Any, TYPE_CHECKING

import numpy as np
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.drone.seeds import TEST
from rapid_nav.drone.task import FlightTask
from rapid_nav.exit_colors import exit_color
from rapid_nav.geometry import rotation_matrices
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.evaluation.baselines import early_exit_policy
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint
from rapid_nav.sim.render.camera import depth_and_color
from rapid_nav.sim.render.views import make_views
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import make_world, World

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)
VIEWS = 4  # moments of the flight that are shown
_PIXELS = (256, 144)
_OVERHEAD = 2.0  # [m] what hangs higher is drawn fainter


@dataclass(frozen=True)
class DrawConfig:
    """What `rapid-nav draw` takes."""

    checkpoint: Path = setting(shipped_checkpoint(), 'Policy that flies.')
    point: str = setting('balanced', "Operating point, or 'full'.")
    threshold: float = setting(
        -1.0,
        'Confidence from which on an exit answers; below 0, that of the operating point.',
        low=-1.0,
        high=2.0,
    )
    world: str = setting('rooms', 'Generator of the world, or a scene or map_server YAML file.')
    seed: int = setting(TEST.start, 'Seed of the world.', low=0)
    cap_m: float = setting(100.0, 'Distance after which the flight ends.', unit='m', low=1.0)
    out: Path = setting(
        Path('flight.png'), 'File of the picture; with the suffix .gif the picture moves.'
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Track:
    """T decisions of one flight, and how it ended."""

    position: np.ndarray  # (T, 3) [m; NED]
    orientation: np.ndarray  # (T, 4) w, x, y, z
    level: np.ndarray  # (T,)
    cost: np.ndarray  # (L,) operations of each exit, as shares of the last one's
    distance: float  # [m]
    collided: bool

    @property
    def num_levels(self) -> int:
        """The number of exits, the full network included."""
        return len(self.cost)


def main(config: DrawConfig) -> int:
    """Fly and draw."""
    torch.set_num_threads(1)
    policy = checkpoint.load(config.checkpoint)
    levels = policy.network.num_levels
    thresholds = (
        (config.threshold,) * (levels - 1)
        if config.threshold >= 0
        else policy.thresholds(config.point)
    )
    task = FlightTask.from_dict(policy.task)
    world = make_world(config.world, config.seed)
    track = fly(policy, task, world, thresholds, config.cap_m)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    if config.out.suffix == '.gif':
        from rapid_nav.offline.reporting.flight_film import save_film

        save_film(world, track, task, config.out)
    else:
        save(picture(world, track, task), config.out)
    log.info('%s: %.1f m in %d decisions', config.out, track.distance, len(track.level))
    return 0


def fly(
    policy: Checkpoint, task: FlightTask, world: World, thresholds: tuple[float, ...], cap_m: float
) -> Track:
    """Fly once from the world's first start pose."""
    env = DroneVectorEnv(task, [world], 1, cap_m=cap_m, starts=iter([(0, 0)] * 2))
    choose = early_exit_policy(policy.network, thresholds)
    rng = np.random.default_rng(0)
    macs = policy.network.config.macs
    observation, info = env.reset()
    places, turns, levels = [], [], []
    over = False
    while not over:
        action, level = choose(observation, rng)
        places.append(env.state.position[0].copy())
        turns.append(env.state.orientation[0].copy())
        levels.append(int(level[0]))
        observation, _, terminated, truncated, info = env.step(action)
        over = bool(terminated[0] or truncated[0])
    return Track(
        np.array(places),
        np.array(turns),
        np.array(levels),
        np.array(macs) / macs[-1],
        float(min(info['distance_m'][0], cap_m)),
        bool(info['collided'][0]),
    )


def picture(world: World, track: Track, task: FlightTask) -> 'Figure':
    """Return the figure: the world from above on the left, the views on the right."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(9.6, 5.9), layout='constrained')
    grid = figure.add_gridspec(VIEWS, 3, width_ratios=(2.6, 1, 1))
    moments = np.linspace(0, len(track.level) - 1, VIEWS + 2).astype(int)[1:-1]
    above(figure.add_subplot(grid[:, 0]), world, track, moments)
    views = camera_views(world, track, task, moments)
    for row, (moment, color, depth) in enumerate(views):
        level = track.level[moment]
        seen = figure.add_subplot(grid[row, 1])
        seen.imshow(color)
        seen.set_ylabel(str(row + 1), rotation=0, fontsize=10, labelpad=8, va='center')
        seen.set_title(
            f'exit {level}',
            fontsize=8,
            color=exit_color(level, track.num_levels),
            fontweight='bold',
            pad=2,
        )
        far = figure.add_subplot(grid[row, 2])
        far.imshow(np.minimum(depth, 15.0), cmap='viridis', vmin=0.0, vmax=15.0)
        far.set_title('depth, 0 to 15 m' if row == 0 else '', fontsize=8, pad=2)
        for axes in (seen, far):
            axes.set(xticks=[], yticks=[])
    pyplot.close(figure)
    return figure


def camera_views(
    world: World, track: Track, task: FlightTask, moments: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield moment, colours (H, W, 3) and depth (H, W) [m] of what the camera saw."""
    views = make_views(
        world.arrays,
        np.zeros(len(moments), np.int64),
        track.position[moments],
        track.orientation[moments],
        *_PIXELS,
        float(np.radians(task.fov)),
    )
    depths, pictures = depth_and_color(views)
    yield from zip(map(int, moments), pictures, depths, strict=True)


def above(axes: 'Axes', world: World, track: Track, moments: np.ndarray) -> None:
    """Draw the world from above and the path in it."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Patch

    floor(axes, world, track)
    path = track.position[:, [1, 0]]
    colors = [exit_color(level, track.num_levels) for level in track.level]
    axes.add_collection(
        LineCollection(
            list(np.stack([path[:-1], path[1:]], axis=1)), colors=colors[:-1], lw=2.2, zorder=5
        )
    )
    axes.plot(*path[0], 'o', color='black', ms=6, zorder=6)
    axes.plot(*path[-1], 'X' if track.collided else 's', color='black', ms=8, zorder=6)
    for number, moment in enumerate(moments):
        axes.annotate(
            str(number + 1),
            path[moment],
            xytext=(6, 6),
            zorder=7,
            fontsize=9,
            textcoords='offset points',
            bbox={'boxstyle': 'circle', 'fc': 'white'},
        )
    shares = np.bincount(track.level, minlength=track.num_levels) / len(track.level)
    axes.figure.legend(
        handles=[
            Patch(color=exit_color(level, track.num_levels), label=f'exit {level}: {share:.0%}')
            for level, share in enumerate(shares)
        ],
        fontsize=8,
        loc='outside lower left',
        ncols=track.num_levels,
        frameon=False,
    )
    end = 'a collision' if track.collided else 'the cap'
    axes.set_title(f'{world.name} {world.seed}: {track.distance:.0f} m, to {end}', fontsize=10)


def floor(axes: 'Axes', world: World, track: Track) -> None:
    """Draw the world around a flight from above, east to the right and north up."""
    for primitive in sorted(world.primitives, key=lambda p: -p.position[2]):
        if primitive.kind != 'plane':
            axes.add_patch(outline(primitive))
    path = track.position[:, [1, 0]]
    low, high = path.min(axis=0), path.max(axis=0)
    middle, half = (low + high) / 2, (high - low).max() / 2 + 4.0  # a square with a margin
    axes.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
        aspect='equal',
        xlabel='east [m]',
        ylabel='north [m]',
    )


def outline(primitive: Primitive) -> Any:
    """Return what a primitive covers of the floor."""
    from matplotlib.patches import Polygon

    half = np.array(primitive.size) / 2
    if primitive.kind == 'box':
        signs = np.stack(np.meshgrid(*[(-1, 1)] * 3), axis=-1).reshape(-1, 3)
        points = signs * half
    else:
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(24)], axis=1) * half[0]
        up = np.array([0.0, 0.0, half[2] if primitive.kind == 'cylinder' else 0.0])
        points = np.concatenate([ring + up, ring - up])
    turned = points @ rotation_matrices(primitive.orientation).T
    corners = (turned + primitive.position)[:, [1, 0]]
    lowest = -(turned[:, 2].max() + primitive.position[2])  # [m] above the ground
    color = np.array(primitive.color) / 255
    return Polygon(
        hull(corners), fc=color, ec=color * 0.6, lw=0.5, alpha=0.35 if lowest > _OVERHEAD else 1.0
    )


def hull(points: np.ndarray) -> np.ndarray:
    """Return the convex hull of points (N, 2), counter-clockwise (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points.round(6)))

    def half(places: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        chain: list[tuple[float, ...]] = []
        for x, y in places:
            while len(chain) > 1 and (
                (chain[-1][0] - chain[-2][0]) * (y - chain[-2][1])
                <= (chain[-1][1] - chain[-2][1]) * (x - chain[-2][0])
            ):
                chain.pop()
            chain.append((x, y))
        return chain

    return np.array(half(ordered)[:-1] + half(ordered[::-1])[:-1])


def save(figure: 'Figure', path: Path) -> None:
    """Write a picture of few colours, which is a small file."""
    from PIL import Image

    kept = io.BytesIO()
    figure.savefig(kept, format='png', dpi=120)
    few = Image.open(kept).convert('RGB').quantize(256, kmeans=4, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
