"""AirSim's msgpack: cutting requests out of a stream safely, and writing answers."""

from collections.abc import Iterator
import os
import struct
from typing import Any

import msgpack
from numba import njit
import numpy as np

MAX_REQUEST_BYTES = 2**20  # a moveOnPath of 20,000 points
MAX_ELEMENTS = 150_000  # of one request; a Python object each, of at most 240 bytes
_MARK = os.urandom(16)  # stands in an answer for what msgpack cannot write itself
_MARK_TYPE = 1
_FLOAT = np.dtype([('tag', 'u1'), ('value', '>f4')])
_FLOAT_TAG, _DOUBLE_TAG, _ARRAY16_TAG, _ARRAY32_TAG = 0xCA, 0xCB, 0xDC, 0xDD


class Malformed(ValueError):
    """What came is no msgpack-rpc; the connection cannot go on."""


class Double:
    """A number that AirSim declares as double; every other float travels as float32."""

    def __init__(self, value: float) -> None:
        self.value = value


def _forms() -> np.ndarray:
    """
    Return the form of a value (256, 4) int64 by its first byte, as msgpack's specification has it.

    The columns are the bytes of its length field, the bytes of a payload without such a field, the
    payload's bytes for each unit of length, and the elements for each unit of length. A payload
    of -1 is none that msgpack knows.
    """
    forms = np.zeros((256, 4), np.int64)
    forms[0xC1, 1] = -1
    for first, width in ((0xC4, 1), (0xC5, 2), (0xC6, 4), (0xD9, 1), (0xDA, 2), (0xDB, 4)):
        forms[first] = width, 0, 1, 0  # bin, str
    for first, width in ((0xC7, 1), (0xC8, 2), (0xC9, 4)):
        forms[first] = width, 1, 1, 0  # ext, which has a byte for its type
    for first, size in zip(range(0xCA, 0xD4), (4, 8, 1, 2, 4, 8, 1, 2, 4, 8), strict=True):
        forms[first, 1] = size  # float, uint, int
    forms[0xD4:0xD9, 1] = 2, 3, 5, 9, 17  # fixext
    forms[0xDC], forms[0xDD] = (2, 0, 0, 1), (4, 0, 0, 1)  # array
    forms[0xDE], forms[0xDF] = (2, 0, 0, 2), (4, 0, 0, 2)  # map
    forms[0xA0:0xC0, 1] = np.arange(32)  # fixstr
    return forms


_FORMS = _forms()


@njit(cache=True, nogil=True)
def _skip(
    data: np.ndarray, forms: np.ndarray, at: int, wanted: int, count: int
) -> tuple[int, int, int]:
    """
    Go on with a message in data (n,) uint8 as far as it is there.

    `at` is where its next value begins, which may lie beyond the data, `wanted` the number of
    values still to come, `count` the number of those that it has said it has. Return the three
    again; the message is whole when no more are wanted, and none at all when `wanted` is -1.
    """
    while wanted > 0 and at < data.size:
        first = data[at]
        width, size, per_byte, per_element = forms[first]
        if size < 0:
            return at, -1, count
        if at + 1 + width > data.size:
            break
        length = 0
        for k in range(width):
            length = length * 256 + data[at + 1 + k]
        elements = length * per_element
        if 0x80 <= first < 0x90:  # fixmap
            elements = 2 * (first - 0x80)
        elif 0x90 <= first < 0xA0:  # fixarray
            elements = first - 0x90
        at += 1 + width + size + length * per_byte
        wanted += elements - 1
        count += elements
        if at > MAX_REQUEST_BYTES or count > MAX_ELEMENTS:
            break
    return at, wanted, count


class Requests:
    """
    Cuts a stream into requests without building any of their values.

    A header that claims a billion elements costs no more than the bytes that really came.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._progress = (0, 1, 0)  # of _skip, in the message that begins the data

    @property
    def unfinished(self) -> bool:
        """Whether a part of a message has come."""
        return bool(self._data)

    def add(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        self._data += data

    def whole(self) -> Iterator[bytes]:
        """Yield the messages that are whole now; raise Malformed if there can be no more."""
        while self._data:
            values = np.frombuffer(self._data, np.uint8)
            self._progress = length, wanted, count = _skip(values, _FORMS, *self._progress)
            del values  # a bytearray that is looked at cannot shrink
            if wanted < 0:
                raise Malformed('no msgpack')
            if length > MAX_REQUEST_BYTES:
                raise Malformed(f'a message of more than {MAX_REQUEST_BYTES} bytes')
            if count > MAX_ELEMENTS:
                raise Malformed(f'a message of more than {MAX_ELEMENTS} elements')
            if wanted or length > len(self._data):
                return
            message = bytes(self._data[:length])
            del self._data[:length]
            self._progress = (0, 1, 0)
            yield message


def decode(message: bytes) -> Any:
    """Return the value of a message that Requests found whole, or raise Malformed."""
    try:
        return msgpack.unpackb(message, strict_map_key=False)
    except Exception as error:  # msgpack has half a dozen kinds
        raise Malformed(f'no msgpack: {error!r:.80}') from error


def encode(message: Any) -> bytes:
    """Return a message as msgpack: floats as float32, float32 arrays (n,) as lists of them."""
    spliced: list[bytes] = []

    def splice(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            spliced.append(_float_list(value))
        elif isinstance(value, Double):
            spliced.append(struct.pack('>Bd', _DOUBLE_TAG, value.value))
        elif isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        else:
            raise TypeError(f'an answer holds {type(value).__name__}, which has no msgpack form')
        return msgpack.ExtType(_MARK_TYPE, _MARK)

    packed: bytes = msgpack.packb(message, default=splice, use_single_float=True)
    if not spliced:
        return packed
    # packb asked for the replacements in the order of their marks.
    pieces = packed.split(msgpack.packb(msgpack.ExtType(_MARK_TYPE, _MARK)))
    woven = [part for pair in zip(pieces, spliced, strict=False) for part in pair]
    return b''.join([*woven, pieces[-1]])


def _float_list(values: np.ndarray) -> bytes:
    flat = np.empty(values.size, _FLOAT)
    flat['tag'] = _FLOAT_TAG
    flat['value'] = values.reshape(-1)
    if values.size < 2**16:
        return struct.pack('>BH', _ARRAY16_TAG, values.size) + flat.tobytes()
    return struct.pack('>BI', _ARRAY32_TAG, values.size) + flat.tobytes()
