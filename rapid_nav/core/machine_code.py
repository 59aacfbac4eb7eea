"""
The first stage as machine code for the processor it runs on, for the decisions that end there.

ONNX Runtime takes 2 us for a call and 0.6 us for each node, and its kernels, made for larger
networks, keep half of a processor's multipliers waiting: 13 us for 265,000 operations, where 6
are enough. LLVM, which Numba brings along, compiles the stage in a tenth of a second. Without
it, or for a stage that does not fit, ONNX Runtime does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import ctypes
import functools
import logging
from typing import NamedTuple

import numpy as np

from rapid_nav.core.config import NetworkConfig

log = logging.getLogger(__name__)

WIDTH = 8  # floats a vector; LLVM makes two of one where registers are shorter
VECTOR = f'<{WIDTH} x float>'
SUMS = 12  # vectors that are summed at once; 4 of 16 registers are left for factors
UNROLLED = 4
LINE = 16  # floats a cache line


class Compiled(NamedTuple):
    """A stage that reads an observation where it lies and writes its answer where it stays."""

    run: Callable[[], None]
    answer: np.ndarray  # (A + 1,) as that of graphs.build
    kept: tuple[object, ...]  # the code and all that its addresses mean


def fits(config: NetworkConfig) -> bool:
    """Return whether the first stage can be compiled: a branch that nothing but its exit reads."""
    if len(config.stages) < 2 or not config.reads_input(1):
        return False
    if config.cascade and len(config.stages) > 2:
        return False
    convs = config.stages[0].convs
    return bool(convs) and convs[0].padding == 0 and all(
        not conv.pool and conv.channels % WIDTH == 0 and conv.padding < conv.kernel
        for conv in convs)


def compiled(
    config: NetworkConfig, layers: Mapping[str, np.ndarray], observation: np.ndarray
) -> Compiled | None:
    """
    Compile the first stage for an observation (1, C, H, W) float32 that stays where it is.

    ``layers`` are those of graphs.build. None if there is no LLVM that compiles it.
    """
    if not layers:
        return None
    code = _Code()
    try:
        answer = _stage(code, config, layers)
        room = code.room()
    except (KeyError, ValueError) as error:  # a file that was put together by others
        log.warning('The first exit runs in ONNX Runtime; its layers are not whole: %s', error)
        return None
    try:
        engine, address = _load(code.text())
    except Exception as error:  # LLVM's errors, and those of a version that is another
        log.info('The first exit runs in ONNX Runtime: %s', error)
        return None
    # It is over before another thread could do anything: not worth letting go of the GIL.
    run = functools.partial(
        ctypes.PYFUNCTYPE(None)(address), ctypes.c_void_p(observation.ctypes.data),
        ctypes.c_void_p(room.ctypes.data))
    return Compiled(run, room[answer], (engine, room, observation))


@functools.lru_cache(maxsize=8)
def _load(text: str) -> tuple[object, int]:
    """
    Compile LLVM's language for this processor; return what keeps it, and where 'run' is.

    The code is the same for all weights: a policy that is exchanged in flight needs no compiler.
    """
    from llvmlite import binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(text)
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=3, cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten())
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine, engine.get_function_address('run')


class _Place(NamedTuple):
    """Where the numbers of a layer lie, in floats: an image (H, W, C), or planes of (H, W)."""

    base: str  # what 'first' counts from
    first: int  # that of the image, inside its margin of zeros
    shape: tuple[int, int, int]  # (C, H, W)
    planes: int  # 1 where the channels of a pixel lie side by side, else C
    row: int  # from a row to the next

    @property
    def pixel(self) -> int:
        """Floats from a pixel to the next."""
        return self.shape[0] // self.planes


def _stage(
    code: _Code, config: NetworkConfig, layers: Mapping[str, np.ndarray]
) -> slice:
    """Write the layers one after another; return where in the room the answer (A + 1,) is."""
    channels, height, width = config.input_shape
    place = _Place('%observation', 0, config.input_shape, channels, width)
    convs = config.stages[0].convs
    for index, conv in enumerate(convs):
        shape = (conv.channels, conv.size(place.shape[1]), conv.size(place.shape[2]))
        following = convs[index + 1].padding if index + 1 < len(convs) else 0
        out = code.image(shape, following)
        weight = layers[f'conv{index}.weight']  # (out, in, k, k)
        order = (1, 2, 3, 0) if place.planes > 1 else (2, 3, 1, 0)
        code.layer(place, out, weight.transpose(order), layers[f'conv{index}.bias'],
                   conv.kernel, conv.stride, conv.padding, relu=True)
        place = out
    channels, height, width = place.shape
    dense = layers['dense.weight']
    flat = _Place(place.base, place.first, (channels * height * width, 1, 1), 1, 0)
    hidden = code.image((_padded(len(dense)), 1, 1))
    code.layer(flat, hidden, dense.reshape(-1, channels, height, width).transpose(2, 3, 1, 0),
               layers['dense.bias'], 1, 1, 0, relu=True)
    weight = layers['answer.weight']
    answer = code.image((_padded(len(weight)), 1, 1))
    if weight.shape != (config.num_actions + 1, len(dense)):
        raise ValueError(f'answer.weight is {weight.shape}, behind {len(dense)} units')
    rest = hidden.shape[0] - weight.shape[1]
    code.layer(hidden, answer, np.pad(weight.T, ((0, rest), (0, 0))), layers['answer.bias'],
               1, 1, 0, relu=False)
    return slice(answer.first, answer.first + len(weight))


def _padded(count: int) -> int:
    return -(-count // WIDTH) * WIDTH


def _aligned(size: int) -> np.ndarray:
    """Return zeros (size,) float32 at the start of a cache line."""
    room = np.zeros(size + LINE, np.float32)
    start = -(room.ctypes.data // 4) % LINE
    return room[start:start + size]


class _Code:
    """
    A function, while it is written in LLVM's language.

    It reads an observation, and has a room for its weights and for all that it writes.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names = 0
        self.size = 0  # of the room, in floats
        self.constants: list[tuple[int, np.ndarray]] = []  # and where they lie there

    def text(self) -> str:
        """Return the function 'run'."""
        return '\n'.join([
            'define void @run(ptr noalias %observation, ptr noalias %room) {', 'entry:',
            *self.lines, 'ret void', '}', ''])

    def room(self) -> np.ndarray:
        """Return a room with the constants in their places, and else zeros."""
        room = _aligned(self.size)
        for start, constant in self.constants:
            room[start:start + constant.size] = constant.ravel()
        return room

    def take(self, size: int) -> int:
        """Return where so many floats have their place, at the start of a cache line."""
        start = self.size
        self.size += -(-size // LINE) * LINE
        return start

    def keep(self, constant: np.ndarray) -> int:
        """Return where a constant lies, one dimension after another."""
        start = self.take(constant.size)
        self.constants.append((start, constant))
        return start

    def image(self, shape: tuple[int, int, int], margin: int = 0) -> _Place:
        """Return a place for channels side by side, in the midst of zeros that stay."""
        channels, height, width = shape
        row = (width + 2 * margin) * channels
        start = self.take((height + 2 * margin) * row)
        return _Place('%room', start + margin * (row + channels), shape, 1, row)

    def name(self) -> str:
        """Return a new name."""
        self.names += 1
        return f'n{self.names}'

    def let(self, expression: str) -> str:
        """Write the assignment of an expression; return its name."""
        name = f'%{self.name()}'
        self.lines.append(f'{name} = {expression}')
        return name

    def sum(self, *terms: object) -> str:
        """Write a sum of indices."""
        total = str(terms[0])
        for term in terms[1:]:
            if term != 0:
                total = self.let(f'add nsw i64 {total}, {term}')
        return total

    def times(self, index: str, factor: int) -> str:
        """Write a multiple of an index."""
        return self.let(f'mul nsw i64 {index}, {factor}')

    def at(self, base: str, index: object) -> str:
        """Write the address of an element."""
        return self.let(f'getelementptr float, ptr {base}, i64 {index}')

    def loop(
        self, begin: object, end: object, sums: list[str],
        body: Callable[[str, list[str]], list[str]],
    ) -> list[str]:
        """Write a loop that runs at least once over vectors that it sums; return their names."""
        before, head, tail, after = (self.name() for _ in range(4))
        self.lines += [f'br label %{before}', f'{before}:', f'br label %{head}', f'{head}:']
        index, following = f'%{self.name()}', f'%{self.name()}'
        self.lines.append(
            f'{index} = phi i64 [ {begin}, %{before} ], [ {following}, %{tail} ]')
        inside, outside = ([f'%{self.name()}' for _ in sums] for _ in range(2))
        self.lines += [
            f'{new} = phi {VECTOR} [ {old}, %{before} ], [ {result}, %{tail} ]'
            for new, old, result in zip(inside, sums, outside, strict=True)]
        results = body(index, inside)
        self.lines += [f'br label %{tail}', f'{tail}:']
        self.lines += [f'{name} = bitcast {VECTOR} {result} to {VECTOR}'
                       for name, result in zip(outside, results, strict=True)]
        self.lines.append(f'{following} = add nsw i64 {index}, 1')
        again = self.let(f'icmp slt i64 {following}, {end}')
        self.lines += [f'br i1 {again}, label %{head}, label %{after}', f'{after}:']
        return outside

    def layer(
        self, source: _Place, out: _Place, weight: np.ndarray, bias: np.ndarray, kernel: int,
        stride: int, padding: int, relu: bool,
    ) -> None:
        """
        Write a convolution; weight (..., out) has its inputs in the order that they lie in.

        A few filters are summed in registers for a few pixels of a row at a time.
        """
        wide, filters = out.shape[0], weight.shape[-1]
        inputs = source.planes * kernel * kernel * source.pixel
        weight = np.pad(weight.reshape(inputs, filters), ((0, 0), (0, wide - filters)))
        bias = np.pad(bias.reshape(filters), (0, wide - filters))
        most = SUMS if out.shape[2] == 1 else SUMS // 3
        parts = -(-wide // (WIDTH * most))
        step = _padded(-(-wide // parts))
        for first in range(0, wide, step):
            some = slice(first, first + step)
            part = _Filters(
                self.keep(weight[:, some]), self.keep(bias[some]), first, len(bias[some]))
            self._filters(source, out, part, kernel, stride, padding, relu)

    def _filters(
        self, source: _Place, out: _Place, part: _Filters, kernel: int, stride: int,
        padding: int, relu: bool,
    ) -> None:
        height, columns = source.shape[1], out.shape[2]
        side_by_side = max(1, min(WIDTH, SUMS // part.vectors, columns))

        def row(y: str, _: list[str]) -> list[str]:
            begin, end = (0, kernel) if not padding else self._inside(
                y, kernel, stride, padding, height)
            corner = self.sum(
                self.times(y, stride * source.row), source.first - padding * (
                    source.row + source.pixel))
            target = self.sum(self.times(y, out.row), out.first + part.first)

            def pixels(count: int, before: int) -> Callable[[str, list[str]], list[str]]:
                def some(group: str, _: list[str]) -> list[str]:
                    x = self.sum(self.times(group, count), before)
                    sums = [self.load('%room', part.bias + WIDTH * index, VECTOR)
                            for index in range(part.vectors)] * count
                    sums = self._sum(
                        source, part, kernel, stride, count, sums, begin, end,
                        self.sum(corner, self.times(x, stride * source.pixel)))
                    self._store(out, part, sums, relu, self.sum(
                        target, self.times(x, out.pixel)))
                    return []

                return some

            groups, rest = divmod(columns, side_by_side)
            self.loop(0, groups, [], pixels(side_by_side, 0))
            if rest:
                self.loop(0, 1, [], pixels(rest, groups * side_by_side))
            return []

        self.loop(0, out.shape[1], [], row)

    def _inside(
        self, y: str, kernel: int, stride: int, padding: int, height: int
    ) -> tuple[str, str]:
        """Write which rows of a kernel are not in the margin of zeros."""
        top = self.times(y, stride)
        above = self.let(f'sub nsw i64 {padding}, {top}')
        below = self.let(f'sub nsw i64 {padding + height}, {top}')
        some_above = self.let(f'icmp sgt i64 {above}, 0')
        some_below = self.let(f'icmp slt i64 {below}, {kernel}')
        return (self.let(f'select i1 {some_above}, i64 {above}, i64 0'),
                self.let(f'select i1 {some_below}, i64 {below}, i64 {kernel}'))

    def _sum(
        self, source: _Place, part: _Filters, kernel: int, stride: int, count: int,
        sums: list[str], begin: object, end: object, start: str,
    ) -> list[str]:
        """Write the products of some filters with some pixels beside each other."""
        run = kernel * source.pixel  # inputs that lie one after another
        step = UNROLLED if run % UNROLLED == 0 else 1

        def plane(p: str, sums: list[str]) -> list[str]:
            inputs = self.sum(start, self.times(p, source.shape[1] * source.row))
            factors = self.sum(self.times(p, kernel * run * part.wide), part.weight)

            def line(y: str, sums: list[str]) -> list[str]:
                here = self.sum(inputs, self.times(y, source.row))
                there = self.sum(factors, self.times(y, run * part.wide))

                def steps(index: str, sums: list[str]) -> list[str]:
                    for offset in range(step):
                        i = self.sum(self.times(index, step), offset)
                        x, w = self.sum(here, i), self.sum(there, self.times(i, part.wide))
                        sums = self._products(source, part, stride, count, sums, x, w)
                    return sums

                return self.loop(0, run // step, sums, steps)

            return self.loop(begin, end, sums, line)

        return self.loop(0, source.planes, sums, plane)

    def _products(
        self, source: _Place, part: _Filters, stride: int, count: int, sums: list[str],
        x: str, w: str,
    ) -> list[str]:
        weights = [self.load('%room', self.sum(w, WIDTH * index), VECTOR)
                   for index in range(part.vectors)]
        results = []
        for pixel in range(count):
            value = self.load(
                source.base, self.sum(x, pixel * stride * source.pixel), 'float')
            one = self.let(f'insertelement {VECTOR} poison, float {value}, i32 0')
            spread = self.let(f'shufflevector {VECTOR} {one}, {VECTOR} poison, '
                              f'<{WIDTH} x i32> zeroinitializer')
            for index, weight in enumerate(weights):
                product = self.let(f'fmul contract {VECTOR} {spread}, {weight}')
                before = sums[pixel * part.vectors + index]
                results.append(self.let(f'fadd contract {VECTOR} {before}, {product}'))
        return results

    def _store(
        self, out: _Place, part: _Filters, sums: list[str], relu: bool, target: str
    ) -> None:
        for position, value in enumerate(sums):
            pixel, index = divmod(position, part.vectors)
            if relu:
                negative = self.let(f'fcmp olt {VECTOR} {value}, zeroinitializer')
                value = self.let(f'select <{WIDTH} x i1> {negative}, {VECTOR} zeroinitializer, '
                                 f'{VECTOR} {value}')
            place = self.at(out.base, self.sum(target, pixel * out.pixel + WIDTH * index))
            self.lines.append(f'store {VECTOR} {value}, ptr {place}, align 32')

    def load(self, base: str, index: object, kind: str) -> str:
        """Write the reading of a number or a vector of them."""
        align = 4 if kind == 'float' else 4 * WIDTH
        return self.let(f'load {kind}, ptr {self.at(base, index)}, align {align}')


class _Filters(NamedTuple):
    """Some filters of a layer, few enough for one pixel's sums of them to be in registers."""

    weight: int  # where their weights lie, (inputs, wide)
    bias: int  # (wide,)
    first: int  # of them among all
    wide: int  # their number

    @property
    def vectors(self) -> int:
        """Their number in vectors."""
        return self.wide // WIDTH
