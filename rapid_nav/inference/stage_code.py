"""A first stage written in LLVM's language, layer by layer, loop by loop."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from rapid_nav.inference.stage_room import Filters, Layer, Room, SUMS, WIDTH

FLOAT, INDEX = ir.FloatType(), ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, WIDTH)
ZEROS = ir.Constant(VECTOR, None)
UNROLLED = 4
# A product and its sum may be rounded once, as one instruction does.
FUSED = ('contract',)

Body = Callable[[ir.Value, Sequence[ir.Value]], Sequence[ir.Value]]
"""What a loop does, from its index and its sums to its next sums."""


def write(room: Room) -> str:
    """Return the function 'run' of an observation's address and a filled room's."""
    module = ir.Module()
    function = ir.Function(
        module, ir.FunctionType(ir.VoidType(), (ir.PointerType(), ir.PointerType())), 'run'
    )
    for argument in function.args:
        argument.add_attribute('noalias')
    builder = ir.IRBuilder(function.append_basic_block())
    observation, memory = function.args
    for number, layer in enumerate(room.layers):
        _Layer(builder, layer, memory if number else observation, memory).write()
    builder.ret_void()
    return str(module)


class _Layer:
    """
    A layer while it is written.

    A few filters are summed in registers for a few pixels of a row at a time.
    """

    def __init__(
        self, builder: ir.IRBuilder, layer: Layer, source: ir.Value, memory: ir.Value
    ) -> None:
        self.builder, self.layer = builder, layer
        self.source, self.memory = source, memory  # where it reads, and all else is

    def write(self) -> None:
        """Write it."""
        for part in self.layer.parts:
            self._filters(part)

    def _filters(self, part: Filters) -> None:
        layer, out = self.layer, self.layer.out
        columns = out.shape[2]
        side_by_side = max(1, min(WIDTH, SUMS // part.vectors, columns))
        groups, rest = divmod(columns, side_by_side)

        def row(y: ir.Value, _: Sequence[ir.Value]) -> Sequence[ir.Value]:
            rows = self._rows_inside(y)
            corner = self._at(
                (y, layer.stride * layer.source.row),
                layer.source.first - layer.padding * (layer.source.row + layer.source.pixel),
            )
            target = self._at((y, out.row), out.first + part.first)

            def pixels(count: int, before: int) -> Body:
                def some(group: ir.Value, _: Sequence[ir.Value]) -> Sequence[ir.Value]:
                    x = self._at((group, count), before)
                    sums = self._sum(
                        part, count, rows, self._at((x, layer.stride * layer.source.pixel), corner)
                    )
                    self._store(part, sums, self._at((x, out.pixel), target))
                    return []

                return some

            self._loop(0, groups, [], pixels(side_by_side, 0))
            if rest:
                self._loop(0, 1, [], pixels(rest, groups * side_by_side))
            return []

        self._loop(0, out.shape[1], [], row)

    def _rows_inside(self, y: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Write which rows of a kernel are not in the margin of zeros."""
        layer, builder = self.layer, self.builder
        if not layer.padding:
            return _index(0), _index(layer.kernel)
        top = builder.mul(y, _index(layer.stride))
        above = builder.sub(_index(layer.padding), top)
        below = builder.sub(_index(layer.padding + layer.source.shape[1]), top)
        return (
            builder.select(builder.icmp_signed('>', above, _index(0)), above, _index(0)),
            builder.select(
                builder.icmp_signed('<', below, _index(layer.kernel)), below, _index(layer.kernel)
            ),
        )

    def _sum(
        self, part: Filters, count: int, rows: tuple[ir.Value, ir.Value], start: ir.Value
    ) -> Sequence[ir.Value]:
        """Write the sums of some filters for so many pixels beside each other."""
        layer, source = self.layer, self.layer.source
        run = layer.kernel * source.pixel  # inputs that lie one after another
        step = UNROLLED if run % UNROLLED == 0 else 1

        def plane(p: ir.Value, sums: Sequence[ir.Value]) -> Sequence[ir.Value]:
            inputs = self._at((p, source.shape[1] * source.row), start)
            factors = self._at((p, layer.kernel * run * part.wide), part.weight)

            def line(y: ir.Value, sums: Sequence[ir.Value]) -> Sequence[ir.Value]:
                here = self._at((y, source.row), inputs)
                there = self._at((y, run * part.wide), factors)

                def steps(index: ir.Value, sums: Sequence[ir.Value]) -> Sequence[ir.Value]:
                    for offset in range(step):
                        i = self._at((index, step), offset)
                        sums = self._products(
                            part,
                            count,
                            sums,
                            self._at((i, 1), here),
                            self._at((i, part.wide), there),
                        )
                    return sums

                return self._loop(0, run // step, sums, steps)

            return self._loop(*rows, sums, line)

        biases = [
            self._load(self.memory, part.bias + WIDTH * index, VECTOR)
            for index in range(part.vectors)
        ]
        return self._loop(0, source.planes, biases * count, plane)

    def _products(
        self, part: Filters, count: int, sums: Sequence[ir.Value], x: ir.Value, w: ir.Value
    ) -> Sequence[ir.Value]:
        """Write the sums with one more product in each."""
        builder, across = self.builder, self.layer.stride * self.layer.source.pixel
        weights = [
            self._load(self.memory, self._at((w, 1), WIDTH * index), VECTOR)
            for index in range(part.vectors)
        ]
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), None)
        results = []
        for pixel in range(count):
            value = self._load(self.source, self._at((x, 1), pixel * across), FLOAT)
            one = builder.insert_element(
                ir.Constant(VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
            )
            spread = builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), zeros)
            results += [
                builder.fadd(before, builder.fmul(spread, weight, flags=FUSED), flags=FUSED)
                for before, weight in zip(
                    sums[pixel * part.vectors : (pixel + 1) * part.vectors], weights, strict=True
                )
            ]
        return results

    def _store(self, part: Filters, sums: Sequence[ir.Value], target: ir.Value) -> None:
        for position, value in enumerate(sums):
            pixel, index = divmod(position, part.vectors)
            if self.layer.relu:
                value = self.builder.select(
                    self.builder.fcmp_ordered('<', value, ZEROS), ZEROS, value
                )
            place = self._at((target, 1), pixel * self.layer.out.pixel + WIDTH * index)
            self.builder.store(value, self._address(self.memory, place), align=4 * WIDTH)

    def _loop(
        self, begin: Any, end: Any, sums: Sequence[ir.Value], body: Body
    ) -> Sequence[ir.Value]:
        """Write a loop that runs at least once over vectors that it sums; return the sums."""
        builder = self.builder
        before, head = builder.block, builder.append_basic_block()
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(INDEX)
        index.add_incoming(_index(begin), before)
        inside = [builder.phi(VECTOR) for _ in sums]
        results = body(index, inside)
        tail, after = builder.block, builder.append_basic_block()
        following = builder.add(index, _index(1), flags=('nsw',))
        index.add_incoming(following, tail)
        for phi, first, result in zip(inside, sums, results, strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(result, tail)
        builder.cbranch(builder.icmp_signed('<', following, _index(end)), head, after)
        builder.position_at_end(after)
        return results

    def _at(self, product: tuple[ir.Value, int], offset: Any) -> ir.Value:
        """Write an index: a multiple of one, and an offset."""
        index, factor = product
        scaled = self.builder.mul(index, _index(factor), flags=('nsw',))
        return self.builder.add(scaled, _index(offset), flags=('nsw',))

    def _load(self, base: ir.Value, index: Any, kind: ir.Type) -> ir.Value:
        """Write the reading of a number or a vector of them."""
        return self.builder.load(
            self._address(base, index), align=4 if kind is FLOAT else 4 * WIDTH, typ=kind
        )

    def _address(self, base: ir.Value, index: Any) -> ir.Value:
        return self.builder.gep(base, [_index(index)], source_etype=FLOAT)


def _index(value: Any) -> ir.Value:
    """Return a number as LLVM's, or what is LLVM's already."""
    return ir.Constant(INDEX, value) if isinstance(value, int) else value
