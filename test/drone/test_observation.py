"""From depth to observation: nearest first, shapes kept, bad images refused."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.drone.observation import BadDepth, History, nearness, ObservationConfig, shrink
from rapid_nav.drone.rgb import BadRgb

CONFIG = ObservationConfig()


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 40),
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
)
def test_shrinking_keeps_the_nearest_and_invents_nothing(rows, columns, height, width, seed):
    depth = np.random.default_rng(seed).exponential(5.0, (rows, columns))
    small = shrink(depth, height, width)
    assert small.shape == (height, width)
    assert np.isin(small, depth).all()
    if rows >= height and columns >= width:
        assert small.min() == depth.min()


def test_nearness_falls_with_depth_and_is_zero_at_infinity():
    depth = np.array([0.0, 0.5, 2.0, 10.0, 100.0, np.inf])
    seen = nearness(depth, half_depth=2.0)
    assert seen.dtype == np.uint8
    assert seen[0] == 255 and seen[2] == 128 and seen[-1] == 0
    assert (np.diff(seen.astype(int)) < 0).all()


def test_the_first_image_stands_in_for_those_before_it_and_the_newest_is_last():
    history = History(CONFIG)
    first = history.push(np.full((144, 256), 2.0))
    assert first.shape == (1, 3, 36, 64) and first.dtype == np.float32
    np.testing.assert_array_equal(first, np.full_like(first, 128 / 255))
    second = history.push(np.full((144, 256), np.inf, np.float32))
    assert [float(frame.max()) for frame in second[0]] == pytest.approx([128 / 255, 128 / 255, 0])


@pytest.mark.parametrize(
    ('depth', 'why'),
    [
        (np.zeros((144, 256)), 'all zero'),
        (np.zeros((0, 0)), 'empty'),
        (np.zeros((1, 1)), 'empty'),
        (np.where(np.eye(36, 64) > 0, np.nan, 3.0), '36 of 2304 pixels are NaN'),
    ],
)
def test_an_image_that_must_not_be_flown_by_is_refused_and_forgotten(depth, why):
    history = History(CONFIG)
    history.push(np.full((36, 64), 2.0))
    with pytest.raises(BadDepth, match=why):
        history.push(depth)
    assert (history.push(np.full((36, 64), 2.0)) == np.float32(128 / 255)).all()


def test_an_observation_is_written_where_it_is_wanted():
    depth = np.random.default_rng(0).uniform(0.5, 30.0, (72, 128)).astype(np.float32)
    made, wanted = History(ObservationConfig()), History(ObservationConfig())
    out = np.full((1, *ObservationConfig().shape), np.nan, np.float32)
    assert wanted.push(depth, out) is out
    np.testing.assert_array_equal(out, made.push(depth))


def test_a_colour_image_is_seen_small_its_channels_first():
    config = ObservationConfig(kind='rgb', width=103, height=103, history=2)
    history = History(config)
    history.push(np.full((180, 320, 3), (255, 0, 51), np.uint8))
    seen = history.push(np.full((180, 320, 3), (0, 102, 255), np.uint8))
    assert seen.shape == (1, 6, 103, 103) == (1, *config.shape)
    assert seen[0, :, 5, 7].tolist() == pytest.approx([1.0, 0.0, 0.2, 0.0, 0.4, 1.0])
    with pytest.raises(BadRgb, match='all black'):
        history.push(np.zeros((180, 320, 3), np.uint8))
