"""Names beside the points of a picture, where nothing else is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math
from typing import Any, TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FAR = (12, 20, 30, 42, 56, 72)  # [points] that a name may be from its point, the nearest first
_WAYS = 16  # directions that are tried
_LEADER = 22  # [points] from which on a line leads from the point to its name
_MARGIN = 3.0  # [px] around what is drawn

Box = tuple[float, float, float, float]  # left, bottom, right, top [px]


@dataclass(frozen=True)
class Point:
    """What is named: where it is, how far its error bar reaches, and in which colour."""

    name: str
    x: float
    y: float
    low: float
    high: float
    color: str


def name_points(
    axes: 'Axes', points: Sequence[Point], lines: Sequence[Sequence[tuple[float, float]]] = ()
) -> None:
    """Name points, clear of their error bars, of lines (N, 2), of the legend and each other."""
    figure: Any = axes.figure
    figure.draw_without_rendering()  # limits and layout are known only then
    taken = [_bar(axes, point) for point in points]
    taken += [box for line in lines for box in _along(axes, line)]
    if legend := axes.get_legend():
        taken.append(_box(legend.get_window_extent()))
    inside = _box(axes.get_window_extent())
    scale = figure.dpi / 72
    for point in points:
        text = axes.annotate(
            point.name,
            (point.x, point.y),
            (0, 0),
            textcoords='offset points',
            fontsize=8,
            color=point.color,
            ha='center',
            va='center',
        )
        here = _box(text.get_window_extent())

        def cost(offset: tuple[float, float], here: Box = here) -> tuple[float, float]:
            there = _moved(here, scale * offset[0], scale * offset[1])
            outside = _area(there) - _overlap(there, inside)
            return (outside + sum(_overlap(there, box) for box in taken), math.hypot(*offset))

        best = min(_offsets(), key=cost)
        text.set_position(best)
        taken.append(_moved(here, scale * best[0], scale * best[1]))
        if math.hypot(*best) > _LEADER:
            axes.annotate(
                '',
                (point.x, point.y),
                best,
                textcoords='offset points',
                arrowprops={'arrowstyle': '-', 'color': point.color, 'lw': 0.5, 'shrinkA': 6},
            )


def _offsets() -> Iterator[tuple[float, float]]:
    """Yield where a name's middle may lie from its point [points]; it is wider than high."""
    for far in _FAR:
        for way in range(_WAYS):
            angle = 2 * math.pi * way / _WAYS
            yield 1.8 * far * math.cos(angle), far * math.sin(angle)


def _bar(axes: 'Axes', point: Point) -> Box:
    (x, low), (_, high) = axes.transData.transform([(point.x, point.low), (point.x, point.high)])
    return x - 2 * _MARGIN, low - _MARGIN, x + 2 * _MARGIN, high + _MARGIN


def _along(axes: 'Axes', line: Sequence[tuple[float, float]]) -> Iterator[Box]:
    corners = axes.transData.transform(line)
    for start, end in pairwise(corners):
        for x, y in np.linspace(start, end, max(2, int(np.hypot(*(end - start)) / _MARGIN))):
            yield x - _MARGIN, y - _MARGIN, x + _MARGIN, y + _MARGIN


def _box(extent: Any) -> Box:
    return extent.x0, extent.y0, extent.x1, extent.y1


def _moved(box: Box, right: float, up: float) -> Box:
    return box[0] + right, box[1] + up, box[2] + right, box[3] + up


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _overlap(one: Box, other: Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)
