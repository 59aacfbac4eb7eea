"""AirSim's msgpack: cutting requests out of a stream safely, and writing answers."""

import contextlib
import os
import struct
from typing import Any

import msgpack
import numpy as np

MAX_REQUEST_BYTES = 2 * 2**20  # a moveOnPath of 40 000 points
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


class Requests:
    """
    Cuts a stream into requests.

    A message is skipped through first, which allocates nothing, and built only when all of it is
    there: a header that claims a billion elements costs no more than the bytes that really came.
    """

    def __init__(self) -> None:
        self._scanner = msgpack.Unpacker(max_buffer_size=MAX_REQUEST_BYTES)
        self._data = bytearray()
        self._start = 0  # of self._data in the stream

    def feed(self, data: bytes) -> list[Any]:
        """Return the messages that are whole now; raise Malformed if there can be no more."""
        whole = []
        try:
            self._scanner.feed(data)
            self._data += data
            with contextlib.suppress(msgpack.OutOfData):
                while True:
                    self._scanner.skip()
                    length = self._scanner.tell() - self._start
                    message = bytes(self._data[:length])
                    del self._data[:length]
                    self._start += length
                    whole.append(msgpack.unpackb(message, strict_map_key=False))
        except Exception as error:  # msgpack has half a dozen kinds
            raise Malformed(f'no msgpack-rpc: {error!r:.80}') from error
        return whole


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

    packed = msgpack.packb(message, default=splice, use_single_float=True)
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
