"""rpclib's side of msgpack-rpc: connections, dispatch, answers in the order they are ready."""

import asyncio
from collections.abc import Awaitable, Mapping
import contextlib
import errno
import logging
import threading
from typing import Any

from rapid_nav.sim.rpc.arguments import Method
from rapid_nav.sim.rpc.msgpack_codec import encode, Malformed, Requests

MAX_CONNECTIONS = 64
MAX_OPEN_REQUESTS = 32  # a connection's next request waits until one of so many is answered
_READ_BYTES = 64 * 2**10
_REQUEST, _RESPONSE, _NOTIFICATION = 0, 1, 2

log = logging.getLogger(__name__)


class PortInUse(OSError):
    """Somebody else listens there."""


class RpcServer:
    """
    Answers methods on a port, from an event loop in a thread of its own.

    A method runs on the loop, so it must be quick; one that takes time returns an awaitable,
    and meanwhile others are answered, also on the same connection.
    """

    def __init__(self, methods: Mapping[str, Method], host: str, port: int) -> None:
        self._methods, self._host, self.port = methods, host, port
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name='rpc', daemon=True)
        self._connections: set[asyncio.Task] = set()
        self._listener: asyncio.Server | None = None

    def start(self) -> None:
        """Listen; `port` tells where. Raises PortInUse naming port and remedy."""
        try:
            self._listener = self.loop.run_until_complete(
                asyncio.start_server(self._serve, self._host, self.port)
            )
        except OSError as error:
            self.loop.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    error.errno,
                    f'Port {self.port} of {self._host} is in use (by another simulator?); '
                    f'stop that one or choose another port',
                ) from error
            raise
        self.port = self._listener.sockets[0].getsockname()[1]
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everybody and return when the port is free."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            if self._listener:
                self._listener.close()
            for connection in self._connections:
                connection.cancel()
            everybody = asyncio.gather(*self._connections, return_exceptions=True)
            self.loop.run_until_complete(everybody)
            self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= MAX_CONNECTIONS:
                await _Connection(self._methods, reader, writer).serve()
            else:
                log.warning('refused a connection: there are %d already', MAX_CONNECTIONS)
        except Malformed as error:
            log.warning('closed a connection: %s', error)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(task)
            with contextlib.suppress(Exception):
                writer.transport.abort()


class _Connection:
    """One client."""

    def __init__(
        self,
        methods: Mapping[str, Method],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._methods, self._reader, self._writer = methods, reader, writer
        self._slots = asyncio.Semaphore(MAX_OPEN_REQUESTS)
        self._open: set[asyncio.Task] = set()

    async def serve(self) -> None:
        requests = Requests()
        try:
            while data := await self._reader.read(_READ_BYTES):
                for message in requests.feed(data):
                    # A client that asks but does not read is not asked for its next wish.
                    await self._slots.acquire()
                    await self._writer.drain()
                    self._begin(message)
        finally:
            for task in self._open:
                task.cancel()

    def _begin(self, message: Any) -> None:
        """Start to answer a request; methods begin in the order in which they were asked."""
        msgid, name, args = _parts(message)
        try:
            result = self._call(name, args)
        except _Refused as refusal:
            self._finish(msgid, str(refusal), None)
            return
        except Exception as error:
            self._finish(msgid, _threw(name, args, error), None)
            return
        if isinstance(result, Awaitable):
            task = asyncio.ensure_future(self._wait(msgid, name, args, result))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        else:
            self._finish(msgid, None, result)

    def _call(self, name: str, args: list[Any]) -> Any:
        method = self._methods.get(name)
        if method is None:
            raise _Refused(
                f"rpclib: server could not find function '{name}' with argument count {len(args)}."
            )
        if len(args) != len(method.takes):
            raise _Refused(
                f"rpclib: client error C0002: Function '{name}' was called with an invalid number "
                f'of arguments. Expected: {len(method.takes)}, got: {len(args)}'
            )
        pairs = zip(method.takes, args, strict=True)
        return method.run(*(convert(arg) for convert, arg in pairs))

    async def _wait(
        self, msgid: int | None, name: str, args: list[Any], result: Awaitable[Any]
    ) -> None:
        error, answer = None, None
        try:
            answer = await result
        except Exception as failure:
            error = _threw(name, args, failure)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()  # answers wait for a slow reader one by one
        self._finish(msgid, error, answer)

    def _finish(self, msgid: int | None, error: str | None, result: Any) -> None:
        self._slots.release()
        if msgid is None or self._writer.is_closing():
            return
        if isinstance(result, Encoded):
            self._writer.write(encode([_RESPONSE, msgid, error, None])[:-1])
            self._writer.write(result.data)
        else:
            self._writer.write(encode([_RESPONSE, msgid, error, result]))


class Encoded:
    """A result that is msgpack already, because a thread wrote it off the event loop."""

    def __init__(self, result: Any) -> None:
        self.data = encode(result)


class _Refused(Exception):
    """The answer is this error text as it stands."""


def _threw(name: str, args: list[Any], error: Exception) -> str:
    if not isinstance(error, ValueError | RuntimeError | LookupError):
        log.error('%s failed', name, exc_info=error)
    what = error.args[0] if isinstance(error, LookupError) and error.args else error
    return (
        f"rpclib: function '{name}' (called with {len(args)} arg(s)) threw an exception. "
        f'The exception contained this information: {what}.'
    )


def _parts(message: Any) -> tuple[int | None, str, list[Any]]:
    """Return id (None for a notification), method and arguments, or raise Malformed."""
    match message:
        case [0, int(msgid), str(name), [*args]] if 0 <= msgid < 2**32:
            return msgid, name, args
        case [2, str(name), [*args]]:
            return None, name, args
    raise Malformed(f'{type(message).__name__} that is neither request nor notification')
