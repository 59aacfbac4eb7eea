"""The transport: many threads, real time-outs, a server that comes and goes."""

import threading
import time

from fake_simulator import FakeSimulator, SILENCE
import msgpack
import numpy as np
import pytest

from rapid_nav.airsim import rpc_client
from rapid_nav.airsim.rpc_client import Address, Client, decode


@pytest.fixture
def simulator():
    with FakeSimulator(
        echo=lambda value: value,
        silence=SILENCE,
        floats=lambda n: [0.5] * n,
        slow=lambda s: time.sleep(s) or s,
    ) as running:
        yield running


@pytest.fixture
def client(simulator):
    talking = Client(Address('127.0.0.1', simulator.port), timeout=60)
    yield talking
    talking.close()


def test_a_call_returns_what_the_server_answers(client):
    value = {'a': [1, 2.5, 'x', b'y', None]}
    assert client.call('echo', value) == value


def test_numpy_numbers_and_arrays_can_be_arguments(client):
    assert client.call('echo', np.float32(0.5)) == 0.5
    assert client.call('echo', np.arange(3)) == [0, 1, 2]


def test_an_error_answer_raises_with_its_text(client):
    with pytest.raises(rpc_client.RPCError, match='could not find function'):
        client.call('nothing')


def test_many_threads_get_their_own_answers(client):
    wrong = []

    def ask(number):
        for i in range(50):
            if client.call('echo', [number, i]) != [number, i]:
                wrong.append((number, i))

    threads = [threading.Thread(target=ask, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_silence_is_a_timeout_in_time(client):
    future = client.call_async('silence')
    with pytest.raises(TimeoutError):
        future.get(0.2)
    assert client.call('echo', 1) == 1


def test_a_broken_connection_fails_the_waiting_and_the_next_call_connects_again(client, simulator):
    waiting = client.call_async('silence')
    client.call('echo', 1)
    simulator.hang_up()
    with pytest.raises(ConnectionError):
        waiting.get()
    assert client.call('echo', 2) == 2


def test_a_server_that_comes_back_is_found_again(client, simulator):
    assert client.call('echo', 1) == 1
    simulator.__exit__()
    time.sleep(0.05)
    with pytest.raises(ConnectionError):
        client.call('echo', 2)
    with FakeSimulator(port=simulator.port, echo=lambda value: value):
        assert client.call('echo', 3) == 3


def test_long_float_lists_become_numpy_and_short_ones_stay_lists(client):
    long = client.call('floats', 1000)
    assert long.dtype == np.float32
    np.testing.assert_array_equal(long, np.full(1000, 0.5, np.float32))
    assert client.call('floats', 1) == [0.5]
    assert client.call('floats', 0) == []


@pytest.mark.parametrize(
    'value',
    [
        {
            'a': [0.25] * 5000,
            'b': {'c': [1.5] * 70000, 'd': 'x'},
            'e': [{'f': 2}, {'g': [0.5] * 99}],
        },
        [1] * 5000,
        [0.5] * 5000 + [1],
        ['x' * 5000, [0.5] * 100],
        {'image_data_float': [], 'image_data_uint8': b'\xdd\0\0\0\x10\xca' * 1000},
        [[1.0, 2.0]] * 1000,
    ],
)
def test_big_answers_decode_as_msgpack_does(value):
    message = msgpack.packb([1, 2, None, value], use_single_float=True)
    assert plain(decode(message)) == msgpack.unpackb(message)


def plain(value):
    """Return a value with arrays as lists."""
    if isinstance(value, dict):
        return {key: plain(element) for key, element in value.items()}
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def test_what_is_no_msgpack_rpc_fails_the_call_and_not_the_process(client, simulator):
    client.call('echo', 1)
    waiting = client.call_async('silence')
    simulator.connections[0].sendall(b'\xc1' * 10)
    with pytest.raises(ConnectionError):
        waiting.get()
    assert client.call('echo', 2) == 2
