"""What a serialised ONNX model may hold, checked before ONNX Runtime sees it, without `onnx`."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

OPERATORS = {'Concat', 'Conv', 'Flatten', 'Gemm', 'Identity', 'MaxPool', 'Relu', 'Reshape'}
"""Those that an exported stage is made of, now or by an earlier version."""
MOST_OF_AN_ATTRIBUTE = 4096  # a stride, a margin or the side of a kernel

# Protobuf's wire types, and the numbers of ONNX's fields (onnx.proto) that a stage uses. What is
# not named here, as functions, subgraphs or tensors in other files, is refused.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MODEL = {1, 2, 3, 4, 5, 6, 7, 8, 14}
_GRAPH = {1, 2, 5, 10, 11, 12, 13}
_NODE = {1, 2, 3, 4, 5, 6, 7}
_ATTRIBUTE = {1, 2, 3, 4, 7, 8, 9, 13, 20}
_OUTSIDE = {13, 14}  # external_data and data_location
_TENSOR = {1, 2, 4, 5, 7, 8, 9, 12} | _OUTSIDE
_FLOAT = 1  # of TensorProto.DataType


class _Field(NamedTuple):
    number: int
    wire: int
    value: int
    content: memoryview  # of a field of bytes


def check_stage(model: bytes) -> None:
    """
    Raise ValueError unless this is a stage as `onnx_export.build` makes it.

    It has no operators but those that a stage is made of, all its data inside, and finite
    weights.
    """
    for of_model in _fields(memoryview(model), _MODEL):
        if of_model.number == 7:
            for of_graph in _fields(of_model.content, _GRAPH):
                if of_graph.number == 1:
                    _check_node(of_graph.content)
                elif of_graph.number == 5:
                    _check_tensor(of_graph.content)


def _check_node(node: memoryview) -> None:
    for field in _fields(node, _NODE):
        if field.number == 4 and (kind := bytes(field.content).decode()) not in OPERATORS:
            raise ValueError(f'a stage has no operator {kind[:40]!r}')
        if field.number == 5:
            for number in _integers(field.content):
                if number > MOST_OF_AN_ATTRIBUTE:
                    raise ValueError(f'an attribute of a layer is {number}')


def _integers(attribute: memoryview) -> Iterator[int]:
    for field in _fields(attribute, _ATTRIBUTE):
        if field.number in (3, 8):
            yield from [field.value] if field.wire == _VARINT else _varints(field.content)


def _check_tensor(tensor: memoryview) -> None:
    fields = list(_fields(tensor, _TENSOR))
    if any(field.number in _OUTSIDE for field in fields):
        raise ValueError('a weight lies outside of the file')
    if any(field.number == 2 and field.value == _FLOAT for field in fields):
        for field in fields:
            values = field.content if field.number in (4, 9) else b''
            if not np.isfinite(np.frombuffer(values, '<f4')).all():
                raise ValueError('a weight is NaN or infinite; train it again')


def _fields(message: memoryview, known: set[int]) -> Iterator[_Field]:
    """Yield the fields of a message; ValueError if one is not known, or it is not whole."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if number not in known:
            raise ValueError(f'it has a field {number} that no stage has')
        value, content = 0, message[:0]
        if wire == _VARINT:
            value, place = _varint(message, place)
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
        elif wire == _BYTES:
            length, place = _varint(message, place)
            content, place = message[place : place + length], place + length
        else:
            raise ValueError('a stage is no ONNX model')
        if place > len(message):
            raise ValueError('a stage is cut off')
        yield _Field(number, wire, value, content)


def _varints(packed: memoryview) -> Iterator[int]:
    place = 0
    while place < len(packed):
        value, place = _varint(packed, place)
        yield value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError('a stage is cut off')
        value |= (message[place] & 0x7F) << shift
        place += 1
        if not message[place - 1] & 0x80:
            return value, place
    raise ValueError('a stage is no ONNX model')
