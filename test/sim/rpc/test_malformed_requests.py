"""Whatever comes over the wire, the simulator stays up, answers, and does not grow."""

import contextlib
import ctypes
import logging
from pathlib import Path
import random
import resource
import socket
import struct

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import msgpack
import pytest

from rapid_nav.airsim.drone import connect
from rapid_nav.sim.server import Server

ROUNDS, REQUESTS_A_ROUND = 100, 100
GROWTH_ALLOWED = 150 * 2**20  # bytes


def resident() -> int:
    """Return how big the process is [bytes], without what malloc only keeps for later."""
    ctypes.CDLL(None).malloc_trim(0)
    return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()


def value(rng: random.Random, depth: int = 0):
    """Return a value that an argument may be given by mistake or out of malice."""
    kinds = [
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.choice([0, -1, 1, 2**63, -(2**63), 2**64 - 1, rng.randint(-9, 9)]),
        lambda: rng.choice([0.0, -1.5, 1e300, float('nan'), float('inf'), rng.gauss(0, 5)]),
        lambda: rng.choice(['', 'SimpleFlight', '0', '(((', 'x' * 5000, '.*', '\0']),
        lambda: rng.randbytes(rng.randint(0, 50)),
        lambda: [value(rng, depth + 1) for _ in range(rng.randint(0, 4))],
        lambda: {
            rng.choice(
                [
                    'x_val',
                    'w_val',
                    'position',
                    'orientation',
                    'camera_name',
                    'is_rate',
                    'image_type',
                    'latitude',
                    'a',
                ]
            ): value(rng, depth + 1)
            for _ in range(rng.randint(0, 4))
        },
    ]
    return rng.choice(kinds if depth < 4 else kinds[:6])()


def wrong_call(rng: random.Random, counts: dict[str, int]) -> bytes:
    """Return a request in proper form whose method, count or types are made up."""
    name = rng.choice([*counts, 'nothing', ''])
    count = counts.get(name, 3) if rng.random() < 0.8 else rng.randint(0, 10)
    args = [value(rng) for _ in range(count)]
    return msgpack.packb([0, rng.randint(0, 2**32 - 1), name, args])


def no_request(rng: random.Random) -> bytes:
    """Return msgpack, or nearly, that is no request at all."""
    huge = struct.pack('>BI', rng.choice([0xDB, 0xC6, 0xDD, 0xDF]), rng.getrandbits(32))
    whole = msgpack.packb([0, 1, 'getMultirotorState', ['']])
    return rng.choice(
        [
            rng.randbytes(rng.randint(1, 200)),
            huge + rng.randbytes(rng.randint(0, 100)),
            whole[: rng.randint(1, len(whole) - 1)],
            msgpack.packb(value(rng)),
            msgpack.packb(
                [rng.choice([0, 1, 2, 3, None, 'x']), value(rng), value(rng), value(rng)]
            ),
            b'\x91' * rng.randint(1, 3000),
            huge * rng.randint(1, 300),
        ]
    )


@pytest.fixture(scope='module')
def counts(module_server: Server) -> dict[str, int]:
    """How many arguments each method takes; long runs of the clock are no fault, but too long."""
    methods = module_server.methods
    return {name: len(m.takes) for name, m in methods.items() if name != 'simContinueForTime'}


@pytest.fixture(scope='module')
def at_first(module_server: Server) -> int:
    """How big the process is [bytes] once everything was used."""
    drone = connect(port=module_server.port)
    for _ in range(3):
        drone.sense()
    drone.close()
    return resident()


@settings(
    max_examples=ROUNDS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**32))
def test_ten_thousand_malformed_requests_leave_it_answering(
    module_server: Server, counts: dict[str, int], at_first: int, caplog, seed: int
) -> None:
    rng = random.Random(seed)
    for _ in range(REQUESTS_A_ROUND):
        with (
            contextlib.suppress(ConnectionError),
            socket.create_connection(('127.0.0.1', module_server.port), 5) as connection,
        ):
            wrong = no_request(rng) if rng.random() < 0.4 else wrong_call(rng, counts)
            connection.sendall(wrong)
            if rng.random() < 0.2:
                connection.settimeout(0.02)
                with contextlib.suppress(TimeoutError):
                    connection.recv(65536)
    drone = connect(port=module_server.port, timeout_s=120)
    assert drone.sense().depth.shape == (144, 256)
    drone.close()
    assert resident() - at_first < GROWTH_ALLOWED
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    caplog.clear()


def test_a_client_that_asks_and_never_reads_does_not_fill_the_memory(
    module_server: Server, at_first: int
) -> None:
    request = {'camera_name': '0', 'image_type': 1, 'pixels_as_float': True, 'compress': False}
    ask = msgpack.packb([0, 1, 'simGetImages', [[request] * 10, '', False]])
    with socket.create_connection(('127.0.0.1', module_server.port), 5) as greedy:
        greedy.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            for _ in range(2000):
                greedy.sendall(ask)  # 3.7 GB of answers
        drone = connect(port=module_server.port, timeout_s=120)
        assert drone.sense().depth.shape == (144, 256)
        drone.close()
        assert resident() - at_first < GROWTH_ALLOWED
