"""Where a compiled stage keeps its numbers: one piece of memory, laid out once for all weights."""

from __future__ import annotations

from collections.abc import Mapping
import math
from typing import NamedTuple

import numpy as np

from rapid_nav.agent.config import NetworkConfig

WIDTH = 8  # floats a vector; LLVM makes two of one where registers are shorter
SUMS = 12  # vectors that are summed at once; 4 of 16 registers are left for factors
LINE = 16  # floats a cache line


class Place(NamedTuple):
    """Where the numbers of a layer lie, in floats: an image (H, W, C), or planes of (H, W)."""

    first: int  # that of the image, inside its margin of zeros
    shape: tuple[int, int, int]  # (C, H, W)
    planes: int  # 1 where the channels of a pixel lie side by side, else C
    row: int  # from a row to the next

    @property
    def pixel(self) -> int:
        """Floats from a pixel to the next."""
        return self.shape[0] // self.planes


class Filters(NamedTuple):
    """Some filters of a layer, few enough for one pixel's sums of them to be in registers."""

    weight: int  # where their weights lie, (inputs, wide)
    bias: int  # (wide,)
    first: int  # of them among all
    wide: int  # their number

    @property
    def vectors(self) -> int:
        """Their number in vectors."""
        return self.wide // WIDTH


class Layer(NamedTuple):
    """A convolution, which a dense layer is on an image of one pixel."""

    name: str  # among the layers of graphs.build
    shape: tuple[int, int, int, int]  # of its weight (out, in, k, k), dense ones (out, C, H, W)
    source: Place
    out: Place
    kernel: int
    stride: int
    padding: int
    relu: bool
    parts: tuple[Filters, ...]

    @property
    def inputs(self) -> int:
        """Floats that a sum is of."""
        return self.source.planes * self.kernel**2 * self.source.pixel


class Room:
    """
    The memory of a first stage: for each layer its weights, its biases and what it says.

    ``layers`` are in the order in which they run; the first reads the observation, which lies
    elsewhere. ``answer`` is where the last says Q-values and confidence (A + 1,).
    """

    def __init__(self, config: NetworkConfig) -> None:
        stage = config.stages[0]
        self.size = 0  # in floats
        self.layers: list[Layer] = []
        channels, height, width = config.input_shape
        place = Place(0, config.input_shape, channels, width)
        for index, conv in enumerate(stage.convs):
            shape = (conv.channels, conv.size(place.shape[1]), conv.size(place.shape[2]))
            margin = stage.convs[index + 1].padding if index + 1 < len(stage.convs) else 0
            place = self._layer(
                f'conv{index}',
                place,
                shape,
                (place.shape[0], conv.kernel, conv.kernel),
                conv.kernel,
                conv.stride,
                conv.padding,
                margin=margin,
            )
        channels, height, width = place.shape
        flat = Place(place.first, (channels * height * width, 1, 1), 1, 0)
        hidden = self._layer('dense', flat, (stage.width, 1, 1), place.shape)
        said = config.num_actions + 1
        answer = self._layer('answer', hidden, (said, 1, 1), (stage.width, 1, 1), relu=False)
        self.answer = slice(answer.first, answer.first + said)

    def filled(self, layers: Mapping[str, np.ndarray]) -> np.ndarray:
        """
        Return it (size,) float32 with these layers' weights and biases in place, else zeros.

        KeyError or ValueError if they are not those of this stage.
        """
        room = np.zeros(self.size + LINE, np.float32)
        start = -(room.ctypes.data // 4) % LINE  # of a cache line
        room = room[start : start + self.size]
        for layer in self.layers:
            order = (1, 2, 3, 0) if layer.source.planes > 1 else (2, 3, 1, 0)
            given = layers[f'{layer.name}.weight'].reshape(layer.shape)
            weight = given.transpose(order).reshape(-1, layer.shape[0])  # (inputs, out)
            bias = layers[f'{layer.name}.bias'].reshape(layer.shape[0])
            beyond = layer.out.shape[0] - layer.shape[0]
            weight = np.pad(weight, ((0, layer.inputs - len(weight)), (0, beyond)))
            bias = np.pad(bias, (0, beyond))
            for part in layer.parts:
                some = slice(part.first, part.first + part.wide)
                room[part.weight : part.weight + layer.inputs * part.wide] = weight[
                    :, some
                ].ravel()
                room[part.bias : part.bias + part.wide] = bias[some]
        return room

    def _layer(
        self,
        name: str,
        source: Place,
        shape: tuple[int, int, int],
        weight: tuple[int, int, int],
        kernel: int = 1,
        stride: int = 1,
        padding: int = 0,
        margin: int = 0,
        relu: bool = True,
    ) -> Place:
        """Make room for a layer that says an image of a shape (C, H, W); return the image's."""
        filters, height, width = shape
        wide = _padded(filters)
        row = (width + 2 * margin) * wide
        first = self._take((height + 2 * margin) * row) + margin * (row + wide)
        out = Place(first, (wide, height, width), 1, row)
        layer = Layer(name, (filters, *weight), source, out, kernel, stride, padding, relu, ())
        most = WIDTH * (SUMS if width == 1 else SUMS // 3)
        step = _padded(math.ceil(wide / math.ceil(wide / most)))
        self.layers.append(
            layer._replace(
                parts=tuple(
                    Filters(self._take(layer.inputs * some), self._take(some), begin, some)
                    for begin in range(0, wide, step)
                    for some in [min(step, wide - begin)]
                )
            )
        )
        return out

    def _take(self, size: int) -> int:
        """Return where so many floats have their place, at the start of a cache line."""
        start = self.size
        self.size += math.ceil(size / LINE) * LINE
        return start


def _padded(count: int) -> int:
    return math.ceil(count / WIDTH) * WIDTH
