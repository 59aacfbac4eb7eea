"""What one client does to the simulator holds nobody else up, and costs no more than is stated."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
import contextlib
import ctypes
import logging
from pathlib import Path
import resource
import socket
import threading
import time
from typing import Any

import msgpack
import numpy as np
import pytest

from rapid_nav.airsim.drone import connect, RPCError
from rapid_nav.sim.rpc.arguments import Method, text
from rapid_nav.sim.rpc.server import Deferred, Limits, MAX_CONNECTIONS, RpcServer
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import World

PATIENCE = 60  # [s] for what takes milliseconds on a machine that is not busy
WAITS_LONG = Limits()
STATED = 600 * 2**20  # [bytes] that all clients together may cost


class Client:
    """A connection that is written to and read from by hand."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(('127.0.0.1', port), PATIENCE)
        self._answers = msgpack.Unpacker()

    def __enter__(self) -> 'Client':
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()

    def ask(self, method: str, *args: Any, msgid: int = 1) -> None:
        self.socket.sendall(msgpack.packb([0, msgid, method, list(args)]))

    def answer(self) -> list[Any]:
        """Return the next answer: 1, message id, error, result."""
        while True:
            for answer in self._answers:
                return answer
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError('the server hung up')
            self._answers.feed(data)

    def call(self, method: str, *args: Any) -> Any:
        """Return the result of a method, or raise RPCError."""
        self.ask(method, *args)
        _, _, error, result = self.answer()
        if error is not None:
            raise RPCError(error)
        return result

    def hung_up(self) -> bool:
        """Wait for the server to close the connection; False if it does not."""
        with contextlib.suppress(ConnectionError):
            while self.socket.recv(65536):
                pass
        return True


def serve(limits: Limits = WAITS_LONG, **methods: Callable[..., Any]) -> contextlib.closing:
    """Serve functions without arguments, beside ping and echo."""
    table = {name: Method((), function) for name, function in methods.items()}
    table |= {'ping': Method((), lambda: True), 'echo': Method((text,), lambda word: word)}
    server = RpcServer(table, '127.0.0.1', 0, limits)
    server.close = server.stop
    server.start()
    return contextlib.closing(server)


def resident() -> int:
    """Return how big the process is [bytes], without what malloc only keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()


def test_a_pattern_that_backtracks_for_ever_is_matched_at_once(module_server: Server) -> None:
    with Client(module_server.port) as client:
        assert client.call('simListSceneObjects', '((.*)*)*!') == []
        assert client.call('simSetSegmentationObjectID', '((.*)*)*!', 3, True) is False
        assert client.call('simListSceneObjects', '(.*)*(.*)*[0-9]')
        assert client.call('simListSceneObjects', '.*')


@pytest.mark.parametrize('pattern', ['(', 'x' * 300, '(x{100}){100}', r'(a)\1', '\xff('])
def test_what_is_no_pattern_of_ours_is_an_error(module_server: Server, pattern: str) -> None:
    with Client(module_server.port) as client:
        for call in (['simListSceneObjects'], ['simSetSegmentationObjectID', 3, True]):
            with pytest.raises(RPCError, match='pattern|regular expression'):
                client.call(call[0], pattern, *call[1:])


def test_segmentation_ignores_case_and_lists_of_objects_do_not(module_server: Server) -> None:
    with Client(module_server.port) as client:
        assert client.call('simListSceneObjects', 'WALL_.*') == []
        assert client.call('simSetSegmentationObjectID', 'WALL_.*', 77, True) is True
        assert client.call('simGetSegmentationObjectID', 'wall_0') == 77
        assert client.call('simSetSegmentationObjectID', 'WALL_0', 5, False) is False


@pytest.mark.parametrize(
    ('method', 'args'),
    [
        ('simGetImages', ([{}] * 100_000, '', False)),
        ('moveOnPath', ([{}] * 100_000, 1.0, 1.0, 0, {}, -1.0, 1.0, '')),
        ('simGetImages', ([{}] * 17, '', False)),
        ('moveOnPath', ([{}] * 20_001, 1.0, 1.0, 0, {}, -1.0, 1.0, '')),
    ],
)
def test_a_list_is_counted_before_it_is_converted(
    module_server: Server, method: str, args: tuple[Any, ...]
) -> None:
    with Client(module_server.port) as client:
        with pytest.raises(RPCError, match=r'elements in a list; at most'):
            client.call(method, *args)
        assert client.call('ping') is True


@pytest.mark.parametrize('method', ['simGetImages', 'moveOnPath', 'simPlotPoints', 'nothing'])
@pytest.mark.parametrize('siblings', [[{}] * 900_000, [[{}] * 900] * 900], ids=['flat', 'nested'])
def test_a_request_of_a_million_elements_ends_its_connection(
    module_server: Server, method: str, siblings: list[Any]
) -> None:
    with Client(module_server.port) as client:
        with contextlib.suppress(ConnectionError):
            client.ask(method, siblings, '', False)
        assert client.hung_up()


def test_twelve_connections_of_the_worst_requests_cost_no_more_than_stated(
    module_server: Server,
) -> None:
    path = [[{}] * 20_000] * 7
    before = resident()
    peak = 0
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(module_server.port)) for _ in range(12)]
        for client in clients:
            for _ in range(3):
                client.ask('moveOnPath', path, 1.0, 1.0, 0, {}, -1.0, 1.0, '')
        for _ in range(3):
            for client in clients:
                assert 'bad_cast' in client.answer()[2]
                peak = max(peak, resident())
    assert peak - before < STATED


def test_a_ping_is_answered_while_the_worst_requests_are_still_in_work(
    module_server: Server,
) -> None:
    point = {'x_val': 1.0, 'y_val': 2.0, 'z_val': -3.0}
    path = [point] * 20_000, float('nan'), 1.0, 0, {}, -1.0, 1.0, ''
    with Client(module_server.port) as greedy, Client(module_server.port) as polite:
        asked = threading.Thread(
            target=lambda: [greedy.ask('moveOnPath', *path, msgid=n) for n in range(12)]
        )
        asked.start()
        pinged = 0
        while greedy.answer()[1] < 11:
            polite.call('ping')
            pinged += 1
        asked.join()
    assert pinged >= 11  # one at least between each two of the others


def test_a_client_that_sends_many_small_requests_at_once_lets_others_in_between() -> None:
    order: list[str] = []
    release = threading.Event()

    def slow() -> None:
        order.append('slow')
        release.wait(0.001)

    with (
        serve(slow=slow, quick=lambda: order.append('quick')) as server,
        Client(server.port) as greedy,
        Client(server.port) as polite,
    ):
        polite.call('ping')
        greedy.socket.sendall(msgpack.packb([0, 1, 'slow', []]) * 3000)
        greedy.answer()
        polite.call('quick')
        assert order.index('quick') < 2999


def test_half_sent_requests_do_not_shut_new_clients_out() -> None:
    with serve() as server, contextlib.ExitStack() as stack:
        known = stack.enter_context(Client(server.port))
        assert known.call('ping')
        for _ in range(MAX_CONNECTIONS - 1):
            stack.enter_context(Client(server.port)).socket.sendall(b'\x94\x00\x01\xa4pi')
        for _ in range(5):
            assert stack.enter_context(Client(server.port)).call('ping')
        assert known.call('ping')


def test_more_clients_than_places_are_refused_and_the_rest_served() -> None:
    with serve() as server, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server.port)) for _ in range(MAX_CONNECTIONS)]
        for client in clients:
            assert client.call('ping')
        assert stack.enter_context(Client(server.port)).hung_up()
        clients.pop().__exit__()
        assert clients[0].call('ping')
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionError):
                assert stack.enter_context(Client(server.port)).call('ping')
                break


def test_a_request_that_never_gets_whole_is_hung_up_on() -> None:
    with serve(Limits(unfinished=0.3)) as server, Client(server.port) as client:
        assert client.call('ping')
        client.socket.sendall(b'\x94\x00\x01\xa4pi')
        assert client.hung_up()
    with serve(Limits(unfinished=0.3)) as server, Client(server.port) as patient:
        time.sleep(0.5)  # nothing asked yet: nothing owed
        assert patient.call('ping')
        time.sleep(0.5)
        assert patient.call('ping')


def test_a_byte_now_and_then_does_not_keep_a_request_open() -> None:
    with (
        serve(Limits(unfinished=0.5)) as server,
        Client(server.port) as client,
        pytest.raises(ConnectionError),
    ):
        for byte in b'\xdd\x00\x01\x00\x00' + b'\xc0' * 10_000:
            client.socket.sendall(bytes([byte]))
            time.sleep(0.05)


def test_a_client_that_does_not_read_is_hung_up_on_and_its_memory_given_back() -> None:
    big = bytes(20 * 2**20)
    limits = Limits(unread=0.3, rate=1e9, answers=30 * 2**20)
    with (
        serve(limits, big=lambda: Deferred(lambda: big, len(big))) as server,
        Client(server.port) as deaf,
        Client(server.port) as other,
    ):
        for _ in range(3):
            deaf.ask('big')
        assert other.call('big') == big  # there is room for one at a time
        assert deaf.hung_up()


def test_an_answer_larger_than_all_that_may_be_sent_is_an_error() -> None:
    limits = Limits(answers=2**20)
    with (
        serve(limits, big=lambda: Deferred(lambda: b'', 2**21)) as server,
        Client(server.port) as client,
    ):
        with pytest.raises(RPCError, match='at most 1 MiB'):
            client.call('big')
        assert client.call('ping')


@pytest.mark.parametrize(
    'result', [2**70, object(), np.zeros(2, np.complex128)], ids=['big', 'object', 'complex']
)
def test_an_answer_that_cannot_be_encoded_is_an_error_and_the_connection_stays(
    result: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    later: Future[object] = Future()
    later.set_result(result)
    methods = {
        'now': lambda: result,
        'later': lambda: later,
        'rendered': lambda: Deferred(lambda: result, 10),
    }
    with serve(**methods) as server, Client(server.port) as client:
        for name in methods:
            with pytest.raises(RPCError, match='threw an exception'):
                client.call(name)
        assert client.call('echo', 'still here') == 'still here'


def test_an_error_repeats_no_more_than_a_line_of_what_was_sent(module_server: Server) -> None:
    with Client(module_server.port) as client:
        long = 'x' * 500_000
        for call in (('getMultirotorState', long), (long,), ('simGetImage', long, 0, '', False)):
            with pytest.raises(RPCError) as error:
                client.call(*call)
            assert len(str(error.value)) < 1500


TOUCHES_NOTHING = {
    'ping',
    'getServerVersion',
    'getMinRequiredClientVersion',
    'getSettingsString',
    'rapidLoadWorld',  # makes the world first
    'simTestLineOfSightBetweenPoints',
}
ARGUMENTS: dict[str, list[Any]] = {
    'simGetImages': [[{}], '', False],
    'moveOnPath': [[{}], 1.0, 1.0, 0, {}, -1.0, 1.0, ''],
    'moveToGPS': [47.641468, -122.140165, 122.0, 1.0, 1.0, 0, {}, -1.0, 1.0, ''],
    'simContinueForTime': [0.0],
    'simContinueForFrames': [0],
    'simSetObjectPose': ['ground', {}, True],
    'simSetObjectScale': ['ground', {'x_val': 100.0, 'y_val': 100.0, 'z_val': 0.1}],
    'simSetSegmentationObjectID': ['ground', 3, False],
    'simIsPaused': [],
    'listVehicles': [],
    'reset': [],
}
MOTIONS = ('takeoff', 'land', 'goHome', 'move', 'rotate', 'hover')


@pytest.fixture(scope='module')
def meadow_server() -> Iterator[Server]:
    ground = Primitive('plane', 'ground', (0, 0, 0), (1, 0, 0, 0), (100, 100, 0.1), (90, 120, 60))
    world = World('meadow', 0, (ground,), np.array([[0.0, 0.0, -1.0, 0.0]]))
    with Server(world, port=0, paused=True) as server:
        yield server


def test_no_method_looks_at_a_vehicle_or_the_world_without_the_lock(meadow_server: Server) -> None:
    values = {'text': '', 'boolean': False, 'integer': 0, 'number': 1.0, 'length': 1.0}
    asked = dict(ARGUMENTS)
    for name, method in meadow_server.methods.items():
        kinds = [take.__name__ for take in method.takes]
        if name not in TOUCHES_NOTHING and kinds and 'anything' not in kinds:
            asked.setdefault(name, [values.get(kind, {}) for kind in kinds])
    assert len(asked) > 50
    for name, args in asked.items():
        with Client(meadow_server.port) as client:
            with meadow_server.engine.lock:
                client.ask(name, *args)
                client.socket.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    pytest.fail(f'{name} answered {client.answer()}')
            client.socket.settimeout(PATIENCE)
            if not name.startswith(MOTIONS):
                client.answer()


def test_a_motion_that_fails_after_its_client_left_does_not_end_the_physics(
    meadow_server: Server,
) -> None:
    def failing() -> Any:
        yield 0.01
        raise ValueError('no')

    engine = meadow_server.engine
    ended = engine.begin(engine.vehicle(''), failing())
    assert ended.cancel()
    engine.run(10).result(PATIENCE)
    engine.run(10).result(PATIENCE)
    told = engine.begin(engine.vehicle(''), failing())
    engine.run(10).result(PATIENCE)
    with pytest.raises(ValueError, match='no'):
        told.result(PATIENCE)


@pytest.mark.parametrize(
    ('part', 'value'),
    [
        ('angular_velocity', 100.0),
        ('linear_velocity', 5000.0),
        ('linear_acceleration', 1e5),
        ('angular_acceleration', 1e5),
        ('linear_velocity', float('inf')),
        ('position', 1e7),
    ],
)
def test_a_motion_that_cannot_be_integrated_is_refused(
    meadow_server: Server, part: str, value: float
) -> None:
    with Client(meadow_server.port) as client:
        before = client.call('simGetGroundTruthKinematics', '')
        wrong = {part: {'x_val': value, 'y_val': 0.0, 'z_val': 0.0}}
        with pytest.raises(RPCError, match='at most|outside'):
            client.call('simSetKinematics', wrong, True, '')
        assert client.call('simGetGroundTruthKinematics', '') == before


def test_a_motion_at_the_limit_stays_finite_and_within_it(meadow_server: Server) -> None:
    limits = {'linear_velocity': 500, 'angular_velocity': 50, 'linear_acceleration': 1e4}
    limits['angular_acceleration'] = 1e3
    rng = np.random.default_rng(0)
    with Client(meadow_server.port) as client:
        for _ in range(10):
            state = {}
            for key, most in limits.items():
                x, y, z = rng.normal(size=3) / 4 * most / 3
                state[key] = {'x_val': x, 'y_val': y, 'z_val': z}
            state['position'] = {'x_val': 0.0, 'y_val': 0.0, 'z_val': -900.0}
            client.call('simSetKinematics', state, True, '')
            client.call('simContinueForTime', 5.0)
            now = client.call('simGetGroundTruthKinematics', '')
            numbers = np.array([list(part.values()) for part in now.values() if len(part) == 3])
            assert np.isfinite(numbers).all()
            assert np.linalg.norm(list(now['angular_velocity'].values())) < 51
        client.call('reset')


def test_a_vehicle_whose_state_is_not_finite_is_reset_and_says_so(
    meadow_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    drone = connect(port=meadow_server.port)
    assert drone.take_off()
    engine = meadow_server.engine
    with Client(meadow_server.port) as client:
        client.ask('moveToPosition', 50.0, 0.0, -5.0, 1.0, 99.0, 0, {}, -1.0, 1.0, '')
        drone.step(0.3)
        with engine.lock:
            engine.state.velocity[0, 1] = np.nan
        drone.step(0.1)
        assert 'SimpleFlight was no longer finite; it was reset' in client.answer()[2]
    assert 'SimpleFlight is no longer finite' in caplog.text
    sense = drone.sense()
    assert sense.landed
    assert np.isfinite(sense.position).all()
    assert drone.take_off()
    drone.close()
