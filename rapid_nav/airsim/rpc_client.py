"""
A client of AirSim's msgpack-rpc: one socket, one reader thread.

It may be called from many threads, has real time-outs, connects again by itself after a server
came back, and reads AirSim's `vector<float>` straight into numpy. Scripts that use the airsim
package may `install` it in place of msgpack-rpc-python, whose tornado 4.5 stops at Python 3.11.
"""

import builtins
import contextlib
import itertools
import socket
import sys
import threading
import types
from typing import Any

import msgpack
import numpy as np

_MAX_ANSWER_BYTES = 256 * 2**20  # an 8K depth image is 166 MB
_FLOATS = np.dtype([('tag', 'u1'), ('value', '>f4')])  # as msgpack writes a float32
_FLOAT_TAG = 0xCA
_LONG_ARRAY = 64  # elements from which on floats become a numpy array
_LONG_MESSAGE = 2048  # bytes; a shorter one holds no long array


class RPCError(Exception):
    """The server answered with an error."""


class TimeoutError(RPCError, builtins.TimeoutError):  # noqa: A001  (the stock module's name)
    """The server did not answer in time."""


class TransportError(RPCError, ConnectionError):
    """There is no connection, or it broke before the answer came."""


class ProtocolError(TransportError):
    """What came from the server is no msgpack-rpc."""


class Address:
    """Address of a server."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port


class Future:
    """An answer to come."""

    def __init__(self, connection: '_Connection', msgid: int, timeout: float | None) -> None:
        self._connection, self._msgid, self._timeout = connection, msgid, timeout
        self._done = threading.Event()
        self.result: Any = None
        self.error: Any = None

    def settle(self, error: Any = None, result: Any = None) -> None:
        """Set the answer and wake those who wait; only the first one counts."""
        if not self._done.is_set():
            self.error, self.result = error, result
            self._done.set()

    def done(self) -> bool:
        """Return whether the answer, or the failure, is there."""
        return self._done.is_set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the answer, at most `timeout` [s] or else what the client was made with."""
        timeout = self._timeout if timeout is None else timeout
        if not self._done.wait(timeout):
            self._connection.pending.pop(self._msgid, None)
            self.settle(error=TimeoutError(f'Request timed out after {timeout:g} s'))

    def get(self, timeout: float | None = None) -> Any:
        """Return the answer, or raise what the server, or the connection, says went wrong."""
        self.join(timeout)
        if self.error is None:
            return self.result
        raise self.error if isinstance(self.error, RPCError) else RPCError(self.error)


class Client:
    """Calls of one server. Connects at the first call, and at the first one after a break."""

    def __init__(
        self, address: Address, timeout: float | None = 10, **_stock_options: Any
    ) -> None:
        self._address = address
        self._timeout = timeout or None
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def call(self, method: str, *args: Any) -> Any:
        """Call, wait, and return the answer."""
        return self.call_async(method, *args).get()

    def call_async(self, method: str, *args: Any) -> Future:
        """Send a request and return its Future."""
        msgid = next(self._ids) % 2**30
        data = _pack([0, msgid, method, args])
        connection = self._connected()
        future = connection.pending[msgid] = Future(connection, msgid, self._timeout)
        connection.send(data)
        return future

    def notify(self, method: str, *args: Any) -> None:
        """Send a request that gets no answer."""
        self._connected().send(_pack([2, method, args]))

    def close(self) -> None:
        """Close the connection; the next call connects again."""
        with self._lock:
            if self._connection:
                self._connection.close(TransportError('The connection was closed here'))

    __del__ = close

    def _connected(self) -> '_Connection':
        with self._lock:
            if self._connection is None or self._connection.closed:
                self._connection = _Connection(self._address, self._timeout)
            return self._connection


class _Connection:
    """One socket with its reader thread and the calls that wait for answers."""

    def __init__(self, address: Address, timeout: float | None) -> None:
        where = (address.host, address.port)
        try:
            self._socket = socket.create_connection(where, timeout)
        except OSError as error:
            raise TransportError(f'No connection to {where[0]}:{where[1]}: {error}') from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sending = threading.Lock()
        self.pending: dict[int, Future] = {}
        self.closed = False
        threading.Thread(target=self._read, name='airsim answers', daemon=True).start()

    def send(self, data: bytes) -> None:
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError as error:
            # Part of the request may be on its way, so nothing can follow it.
            self.close(TransportError(f'The connection broke while sending: {error}'))
        except BaseException:  # KeyboardInterrupt: the same, and the clean-up needs a new one
            self.close(TransportError('Sending was interrupted'))
            raise
        if self.closed:
            self._fail(TransportError('The server closed the connection'))

    def close(self, reason: RPCError) -> None:
        self.closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._fail(reason)

    def _fail(self, reason: RPCError) -> None:
        for msgid in list(self.pending):
            if future := self.pending.pop(msgid, None):
                future.settle(error=reason)

    def _read(self) -> None:
        reason: RPCError = TransportError('The server closed the connection')
        messages = _Messages()
        try:
            while not self.closed:
                # Time-outs are those of the calls; a silent server is no fault.
                with contextlib.suppress(socket.timeout):
                    data = self._socket.recv(1 << 20)
                    if not data:
                        break
                    for kind, msgid, error, result in messages.feed(data):
                        if kind == 1 and (future := self.pending.pop(msgid, None)):
                            future.settle(error, result)
        except OSError as error:
            reason = TransportError(f'The connection broke: {error}')
        except Exception as error:
            reason = ProtocolError(f'What came from the server is no msgpack-rpc: {error!r}')
        self.close(reason)


def _pack(message: list[Any]) -> bytes:
    packed: bytes = msgpack.packb(message, default=_plain)
    return packed


def _plain(value: Any) -> Any:
    """Return airsim's classes as their fields, numpy's numbers and arrays as Python's."""
    return value.to_msgpack() if hasattr(value, 'to_msgpack') else value.tolist()


class _Messages:
    """Cuts the stream into messages and decodes each when it is whole."""

    def __init__(self) -> None:
        self._scanner = msgpack.Unpacker(max_buffer_size=_MAX_ANSWER_BYTES)
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
        strict_map_key=False, unicode_errors='replace', max_buffer_size=_MAX_ANSWER_BYTES
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


def install() -> None:
    """Be the module `msgpackrpc` for every import of airsim that follows."""
    here = sys.modules[__name__]
    for name, members in (
        ('error', (RPCError, TimeoutError, TransportError)),
        ('future', (Future,)),
        ('client', (Client,)),
        ('address', (Address,)),
    ):
        module = types.ModuleType(f'msgpackrpc.{name}')
        vars(module).update({member.__name__: member for member in members})
        setattr(here, name, module)
        sys.modules[module.__name__] = module
    sys.modules['msgpackrpc'] = here
