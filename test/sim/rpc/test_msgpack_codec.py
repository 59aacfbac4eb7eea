"""Cutting requests out of whatever comes, and writing answers as AirSim does."""

import contextlib
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
import msgpack
import numpy as np
import pytest

from rapid_nav.sim.rpc.msgpack_codec import (
    decode,
    Double,
    encode,
    Malformed,
    MAX_ELEMENTS,
    MAX_REQUEST_BYTES,
    Requests,
)

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def feed(requests: Requests, data: bytes) -> list[object]:
    """Return the messages that are whole with these bytes."""
    requests.add(data)
    return list(map(decode, requests.whole()))


@given(st.lists(values, max_size=5), st.integers(1, 50))
def test_messages_come_out_whole_however_the_stream_was_cut(messages, size):
    stream = b''.join(map(msgpack.packb, messages))
    requests, found = Requests(), []
    for at in range(0, len(stream), size):
        found += feed(requests, stream[at : at + size])
    assert repr(found) == repr(messages)  # repr, as NaN is not equal to itself


@given(st.binary(max_size=400))
def test_random_bytes_are_messages_or_malformed_and_nothing_else(data):
    with contextlib.suppress(Malformed):
        feed(Requests(), data)


@pytest.mark.parametrize(
    'head',
    [
        b'\xdd\xff\xff\xff\xff',  # an array of 4 billion
        b'\xdf\xff\xff\xff\xff',  # a map
        b'\xc6\xff\xff\xff\xff',  # bytes
        b'\xdb\xff\xff\xff\xff',  # a string
        b'\xdd\x00\x10\x00\x00'
        * 300,  # a million elements, of which the first is as long, and so on
        b'\x91' * 100_000,  # deep
    ],
)
def test_a_huge_claim_costs_no_more_than_the_bytes_that_came(head):
    requests = Requests()
    tracemalloc.start()
    try:
        feed(requests, head)
        for _ in range(20):
            feed(requests, b'\xc0' * 1000)
    except Malformed:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_REQUEST_BYTES


def test_a_message_that_never_ends_is_cut_off():
    requests = Requests()
    with pytest.raises(Malformed):
        for _ in range(MAX_REQUEST_BYTES // 1000 + 2):
            feed(requests, b'\xc6\xff\xff\xff\xff' + b'x' * 995)


@pytest.mark.parametrize('siblings', [[{}] * MAX_ELEMENTS, [[{}] * 400] * 400, {'a': [0] * 10**6}])
def test_a_message_of_too_many_elements_is_refused_wherever_they_are(siblings):
    with pytest.raises(Malformed, match='elements'):
        feed(Requests(), msgpack.packb([0, 1, 'moveOnPath', [siblings]]))


@given(values)
def test_a_message_is_whole_exactly_where_msgpack_ends_it(value):
    message = msgpack.packb(value)
    requests = Requests()
    assert feed(requests, message[:-1]) == []
    assert requests.unfinished == (len(message) > 1)
    assert len(feed(requests, message[-1:] + b'\xcc')) == 1
    assert requests.unfinished


def test_float_arrays_travel_as_lists_of_float32():
    depth = np.array([1.5, np.inf, -0.25], np.float32)
    sent = encode([1, 7, None, {'before': 1, 'depth': depth, 'after': [depth, 'x']}])
    plain = msgpack.packb(
        [1, 7, None, {'before': 1, 'depth': depth.tolist(), 'after': [depth.tolist(), 'x']}],
        use_single_float=True,
    )
    assert msgpack.unpackb(sent) == msgpack.unpackb(plain)


@pytest.mark.parametrize('count', [0, 1, 65535, 65536])
def test_float_arrays_of_every_length_are_read_back(count):
    values = np.arange(count, dtype=np.float32)
    assert msgpack.unpackb(encode(values)) == values.tolist()


def test_other_floats_are_float32_and_doubles_keep_all_their_digits():
    assert len(encode(1.1)) == 5
    assert msgpack.unpackb(encode([Double(47.641468), 1])) == [47.641468, 1]
