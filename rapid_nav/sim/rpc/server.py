"""rpclib's side of msgpack-rpc: connections, dispatch, answers in the order they are ready."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
import contextlib
from dataclasses import dataclass
import errno
import logging
import threading
from typing import Any, NamedTuple

from rapid_nav.sim.rpc.arguments import Method
from rapid_nav.sim.rpc.msgpack_codec import decode, encode, Malformed, Requests

MAX_CONNECTIONS = 64
MAX_OPEN_REQUESTS = 32  # a connection's next request waits until one of these is answered
_READ_BYTES = 64 * 2**10
_SMALL_BYTES = 4 * 2**10  # a longer request is decoded by a thread
_LONGEST_TEXT = 500  # characters of an error
_RENDERERS = 2  # threads
_REQUEST, _RESPONSE, _NOTIFICATION = 0, 1, 2

log = logging.getLogger(__name__)


class PortInUse(OSError):
    """Another process listens there."""


@dataclass(frozen=True)
class Limits:
    """How long clients may keep the server waiting, and how much it keeps for them."""

    unfinished: float = 10.0  # [s] from the first byte of a request to its last
    unread: float = 10.0  # [s] to take an answer, beside the time that `rate` gives
    rate: float = 1e6  # [bytes/s]
    answers: int = 256 * 2**20  # [bytes] of large answers that are not taken yet, in all


@dataclass(frozen=True)
class Deferred:
    """What a method returns whose answer takes time: a thread works it out and encodes it."""

    work: Callable[[], Any]
    size: int  # [bytes] that the answer may have


class RpcServer:
    """
    Answers methods on a port, from an event loop in a thread of its own.

    A method runs on the loop, so it must be quick; one that takes time returns a Deferred or a
    Future, and meanwhile others are answered, also on the same connection.

    In all the server keeps less than 600 MiB for its clients: 64 connections with a request of
    1 MiB and 0.2 MiB of buffers each, one large request of 40 MiB at a time that is decoded, and
    large answers of 256 MiB, beside what two threads need to render.
    """

    def __init__(
        self, methods: Mapping[str, Method], host: str, port: int, limits: Limits = Limits()
    ) -> None:
        self.methods, self._host, self.port, self.limits = methods, host, port, limits
        self.loop = asyncio.new_event_loop()
        self.decoder = ThreadPoolExecutor(1, 'decode')
        self.renderers = ThreadPoolExecutor(_RENDERERS, 'render')
        self.budget = _Budget(limits.answers)
        self._thread = threading.Thread(target=self._run, name='rpc', daemon=True)
        self._connections: dict[asyncio.Task[None], _Connection] = {}
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
        """Close every connection and return when the port is free."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()
        self.decoder.shutdown(cancel_futures=True)
        self.renderers.shutdown(cancel_futures=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            if self._listener:
                self._listener.close()
            for connection in self._connections:
                connection.cancel()
            connections = asyncio.gather(*self._connections, return_exceptions=True)
            self.loop.run_until_complete(connections)
            self.loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._connections) >= MAX_CONNECTIONS and not self._make_room():
                log.warning('refused a connection: there are %d already', MAX_CONNECTIONS)
                return
            connection = self._connections[task] = _Connection(self, reader, writer)
            await connection.serve()
        except Malformed as error:
            log.warning('closed a connection: %s', error)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.pop(task, None)
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def _make_room(self) -> bool:
        """Close a connection that has not yet asked for anything whole, if there is one."""
        silent = {task: c.began for task, c in self._connections.items() if c.began is not None}
        if not silent:
            return False
        task = min(silent, key=lambda task: silent[task])
        log.warning('closed a connection that has sent no whole request, for a new one')
        del self._connections[task]
        task.cancel()
        return True


class _Budget:
    """Bytes that may be taken by several and are given back, first come, first served."""

    def __init__(self, size: int) -> None:
        self._free = self._size = size
        self._turn, self._given_back = asyncio.Lock(), asyncio.Event()

    @contextlib.asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Hold bytes once they are free; ValueError if there are never that many."""
        if size > self._size:
            raise ValueError(
                f'the answer may have {size >> 20} MiB; at most {self._size >> 20} MiB are sent'
            )
        async with self._turn:
            while self._free < size:
                self._given_back.clear()
                await self._given_back.wait()
            self._free -= size
        try:
            yield
        finally:
            self._free += size
            self._given_back.set()


class _Call(NamedTuple):
    """A request, checked."""

    msgid: int | None
    name: str
    num_args: int
    method: Method | None
    args: list[Any]
    error: str | None


class _Connection:
    """One client."""

    def __init__(
        self, server: RpcServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server, self._reader, self._writer = server, reader, writer
        self._slots = asyncio.Semaphore(MAX_OPEN_REQUESTS)
        self._reading_answers, self._rendering = asyncio.Lock(), asyncio.Lock()
        self._open: set[asyncio.Task[None]] = set()
        self._requests = Requests()
        # When [s; the loop's clock] it began a request that is not whole yet, or connected if it
        # has not asked anything; None while it owes nothing.
        self.began: float | None = server.loop.time()

    async def serve(self) -> None:
        """Answer until the client hangs up; raise Malformed if it cannot be understood."""
        try:
            while data := await self._read():
                if not self._requests.unfinished:
                    self.began = self._server.loop.time()
                self._requests.add(data)
                for message in self._requests.whole():
                    self.began = None
                    # A client that does not read its answers is not read either.
                    await self._slots.acquire()
                    await self._taken()
                    await self._begin(message)
                    if self._requests.unfinished:
                        await asyncio.sleep(0)  # others have their turn
                if self._requests.unfinished and self.began is None:
                    self.began = self._server.loop.time()
        finally:
            for task in self._open:
                task.cancel()

    async def _read(self) -> bytes:
        if not self._requests.unfinished or self.began is None:
            return await self._reader.read(_READ_BYTES)
        timeout = self._server.limits.unfinished
        left = self.began + timeout - self._server.loop.time()
        try:
            return await asyncio.wait_for(self._reader.read(_READ_BYTES), max(left, 0.0))
        except asyncio.TimeoutError:
            raise Malformed(f'a request was not whole after {timeout:g} s') from None

    async def _taken(self, size: int = 0) -> None:
        """Wait until the client has taken most of what was written; hang up if it does not."""
        if self._writer.is_closing():
            raise ConnectionAbortedError
        if self._writer.transport.get_write_buffer_size() <= _READ_BYTES:
            return  # what drain would say too, more cheaply
        limits = self._server.limits
        async with self._reading_answers:
            try:
                await asyncio.wait_for(self._writer.drain(), limits.unread + size / limits.rate)
            except asyncio.TimeoutError:
                log.warning('closed a connection that does not read its answers')
                self._writer.transport.abort()
                raise ConnectionAbortedError from None

    async def _begin(self, message: bytes) -> None:
        """Start to answer a request; methods begin in the order in which they were asked."""
        if len(message) <= _SMALL_BYTES:
            call = self._check(message)
        else:
            call = await self._server.loop.run_in_executor(
                self._server.decoder, self._check, message
            )
        msgid, name, count, method, args, error = call
        result = None
        if method is not None and error is None:
            try:
                result = method.run(*args)
            except Exception as failure:
                error = _threw(name, count, failure)
        if isinstance(result, Deferred):
            self._go_on(self._render(msgid, name, count, result))
        elif isinstance(result, Future):
            self._go_on(self._wait(msgid, name, count, result))
        else:
            self._finish(msgid, name, count, error, result)

    def _go_on(self, waiting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(waiting)
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def _check(self, message: bytes) -> _Call:
        msgid, name, args = _parts(decode(message))
        count = len(args)
        method, error = self._server.methods.get(name), None
        if method is None:
            error = (
                f"rpclib: server could not find function '{name:.{_LONGEST_TEXT}}' "
                f'with argument count {count}.'
            )
        elif count != len(method.takes):
            error = (
                f"rpclib: client error C0002: Function '{name}' was called with an invalid number "
                f'of arguments. Expected: {len(method.takes)}, got: {count}'
            )
        else:
            try:
                args = [take(arg) for take, arg in zip(method.takes, args, strict=True)]
            except Exception as failure:
                error = _threw(name, count, failure)
        return _Call(msgid, name, count, method, [] if error else args, error)

    async def _wait(self, msgid: int | None, name: str, count: int, result: Future[Any]) -> None:
        error, answer = None, None
        try:
            answer = await asyncio.wrap_future(result)
        except Exception as failure:
            error = _threw(name, count, failure)
        self._finish(msgid, name, count, error, answer)

    async def _render(self, msgid: int | None, name: str, count: int, result: Deferred) -> None:
        """Have an answer made when the last one is taken, so that each client keeps but one."""

        def encoded() -> bytes:
            return encode([_RESPONSE, msgid, None, result.work()])

        server = self._server
        async with self._rendering:
            if self._writer.is_closing():
                self._slots.release()
                return
            try:
                async with server.budget.take(result.size):
                    data = await server.loop.run_in_executor(server.renderers, encoded)
                    self._send(msgid, data)
                    del data
                    with contextlib.suppress(ConnectionError):
                        await self._taken(result.size)
                return
            except Exception as failure:
                error = _threw(name, count, failure)
        self._finish(msgid, name, count, error, None)

    def _finish(
        self, msgid: int | None, name: str, count: int, error: str | None, result: Any
    ) -> None:
        try:
            answer = encode([_RESPONSE, msgid, error, result])
        except Exception as failure:
            answer = encode([_RESPONSE, msgid, _threw(name, count, failure), None])
        self._send(msgid, answer)

    def _send(self, msgid: int | None, answer: bytes) -> None:
        self._slots.release()
        if msgid is not None and not self._writer.is_closing():
            self._writer.write(answer)


def _threw(name: str, count: int, error: Exception) -> str:
    if not isinstance(error, ValueError | RuntimeError | LookupError):
        log.error('%s failed', name, exc_info=error)
    what = error.args[0] if isinstance(error, LookupError) and error.args else error
    return (
        f"rpclib: function '{name}' (called with {count} arg(s)) threw an exception. "
        f'The exception contained this information: {what!s:.{_LONGEST_TEXT}}.'
    )


def _parts(message: Any) -> tuple[int | None, str, list[Any]]:
    """Return id (None for a notification), method and arguments, or raise Malformed."""
    match message:
        case [0, int(msgid), str(name), [*args]] if 0 <= msgid < 2**32:
            return msgid, name, args
        case [2, str(name), [*args]]:
            return None, name, args
    raise Malformed(f'{type(message).__name__} that is neither request nor notification')
