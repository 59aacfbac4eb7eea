"""msgpack-rpc answers: whole messages out of a stream, long float lists as numpy arrays."""

import contextlib
from typing import Any

import msgpack
import numpy as np

MAX_ANSWER_BYTES = 256 * 2**20  # an 8K depth image is 166 MB
_FLOATS = np.dtype([('tag', 'u1'), ('value', '>f4')])  # as msgpack writes a float32
_FLOAT_TAG = 0xCA
_LONG_ARRAY = 64  # elements from which on floats become a numpy array
_LONG_MESSAGE = 2048  # bytes; a shorter one holds no long array


class Messages:
    """Cuts the stream into messages and decodes each when it is whole."""

    def __init__(self) -> None:
        self._scanner = msgpack.Unpacker(max_buffer_size=MAX_ANSWER_BYTES)
        self._data = bytearray()
        self._start = 0  # of self._data in the stream

    def feed(self, data: bytes) -> list[Any]:
        """Take what came and return the messages that are whole now."""
        self._scanner.feed(data)
        self._data += data
        whole = []
        with contextlib.suppress(msgpack.OutOfData):
            while True:
                self._scanner.skip()
                length = self._scanner.tell() - self._start
                whole.append(decode(bytes(self._data[:length])))
                del self._data[:length]
                self._start += length
        return whole


def decode(message: bytes) -> Any:
    """Return one message as Python objects; long arrays of float32 as numpy arrays (n,)."""
    if len(message) < _LONG_MESSAGE:
        return msgpack.unpackb(message, strict_map_key=False, unicode_errors='replace')
    unpacker = msgpack.Unpacker(
        strict_map_key=False, unicode_errors='replace', max_buffer_size=MAX_ANSWER_BYTES
    )
    unpacker.feed(message)
    unpacker.read_array_header()
    return [*(unpacker.unpack() for _ in range(3)), _decode_value(unpacker, message)]


def _decode_value(unpacker: msgpack.Unpacker, message: bytes) -> Any:
    at = unpacker.tell()
    head = message[at]
    if 0x80 <= head <= 0x8F or head in (0xDE, 0xDF):
        entries = range(unpacker.read_map_header())
        return {unpacker.unpack(): _decode_value(unpacker, message) for _ in entries}
    if not (0x90 <= head <= 0x9F or head in (0xDC, 0xDD)):
        return unpacker.unpack()
    wide = {0xDC: 2, 0xDD: 4}.get(head, 0)
    count = int.from_bytes(message[at + 1 : at + 1 + wide], 'big') if wide else head & 0x0F
    first = at + 1 + wide
    if count >= _LONG_ARRAY and len(message) >= first + count * _FLOATS.itemsize:
        floats = np.frombuffer(message, _FLOATS, count, first)
        if (floats['tag'] == _FLOAT_TAG).all():
            unpacker.read_bytes(first - at + floats.nbytes)
            return floats['value'].astype(np.float32)
    if count and (0x80 <= message[first] <= 0x9F or 0xDC <= message[first] <= 0xDF):
        return [_decode_value(unpacker, message) for _ in range(unpacker.read_array_header())]
    return unpacker.unpack()
