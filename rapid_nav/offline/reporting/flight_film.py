"""The moving picture of a flight: camera, map and path, and the exit that answers lighting up."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rapid_nav.drone.task import FlightTask
from rapid_nav.exit_colors import exit_color
from rapid_nav.offline.reporting.flight_map import camera_views, floor, Track
from rapid_nav.sim.worlds.world import World

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

_FRAMES = 120  # at most
_FRAME_MS = 100
_FAR = 15.0  # [m] depth that is drawn brightest
_DARK, _LABEL = '#e4e4e4', '#777777'  # an exit that did not answer


def save_film(world: World, track: Track, task: FlightTask, path: Path) -> None:
    """Write the flight as an animated GIF of at most _FRAMES frames."""
    first, *rest = _with_one_palette(list(frames(world, track, task)))
    hold = [_FRAME_MS] * len(rest) + [2000]  # the last frame stays for a while
    first.save(path, save_all=True, append_images=rest, duration=hold, loop=0, optimize=False)


def frames(world: World, track: Track, task: FlightTask) -> Iterator[Image.Image]:
    """Yield the frames, evenly spread over the flight."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.2), dpi=100)
    canvas = FigureCanvasAgg(figure)
    above = figure.add_axes((0.01, 0.02, 0.53, 0.96))
    floor(above, world, track)
    above.set(xticks=[], yticks=[], xlabel='', ylabel='')
    path = track.position[:, [1, 0]]  # east, north
    colors = np.array([exit_color(level, track.num_levels) for level in track.level])
    flown = LineCollection([], lw=2.2, zorder=5)
    above.add_collection(flown)
    drone = above.plot([], [], 'o', color='black', ms=8, zorder=6)[0]
    seen = figure.add_axes((0.57, 0.53, 0.41, 0.41))
    seen.set(xticks=[], yticks=[])
    seen.set_title('depth camera', fontsize=10, pad=4)
    shown = seen.imshow(np.zeros((1, 1)), cmap='viridis', vmin=0.0, vmax=_FAR, aspect='auto')
    lamps = _exits(figure, track)
    spent = figure.text(0.57, 0.035, '', fontsize=10)
    moments = np.linspace(0, len(path) - 1, min(_FRAMES, len(path))).astype(int)
    for moment, _, depth in camera_views(world, track, task, moments):
        flown.set_segments(list(np.stack([path[:moment], path[1 : moment + 1]], axis=1)))
        flown.set_color(list(colors[:moment]))
        drone.set_data([path[moment, 0]], [path[moment, 1]])
        shown.set_data(np.minimum(depth, _FAR))
        shown.set_extent((0.0, 1.0, 0.0, 1.0))
        for level, (lamp, label) in enumerate(lamps):
            lit = level == track.level[moment]
            lamp.set_facecolor(exit_color(level, track.num_levels) if lit else _DARK)
            label.set_color('white' if lit else _LABEL)
        share = float(track.cost[track.level[: moment + 1]].mean())
        spent.set_text(f'mean operations so far: {share:.2f}x')
        canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        yield Image.fromarray(pixels[..., :3])


def _exits(figure: 'Figure', track: Track) -> list[tuple['Rectangle', 'Text']]:
    """Draw a box for each exit and return them with their labels, to be lit and darkened."""
    from matplotlib.patches import Rectangle

    axes = figure.add_axes((0.57, 0.1, 0.41, 0.37))
    axes.set_axis_off()
    axes.set(xlim=(0, 1), ylim=(0, track.num_levels))
    boxes = []
    for level, cost in enumerate(track.cost):
        bottom = track.num_levels - 1 - level + 0.12
        box = Rectangle((0.0, bottom), 1.0, 0.76, fc=_DARK, ec='#555555', lw=0.8, clip_on=False)
        axes.add_patch(box)
        last = level == track.num_levels - 1
        label = axes.text(
            0.5,
            bottom + 0.38,
            f'exit {level}{", the full network" if last else ""}\n{cost:.2f}x operations',
            ha='center',
            va='center',
            fontsize=11,
            fontweight='bold',
        )
        boxes.append((box, label))
    return boxes


def _with_one_palette(pictures: list[Image.Image]) -> list[Image.Image]:
    """Return pictures of the same 128 colours: what stands still then costs a GIF nothing."""
    sample = pictures[:: max(1, len(pictures) // 8)]
    wide = Image.new('RGB', (sample[0].width, sample[0].height * len(sample)))
    for row, picture in enumerate(sample):
        wide.paste(picture, (0, row * picture.height))
    palette = wide.quantize(128, kmeans=2, dither=Image.Dither.NONE)
    return [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
