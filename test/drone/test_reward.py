"""The reward: PEDRA's numbers, and a crash costs what it should."""

import numpy as np
import pytest

from rapid_nav.drone.reward import clearance, pedra, reward, RewardConfig


def test_pedras_clearance_is_the_mean_of_the_nearest_twentieth_of_its_window():
    depth = np.full((144, 256), 4.9)  # mean scaled depth 0.25: n = 4.17, a window 34 x 61
    assert clearance(depth, 19.6) == pytest.approx(0.25)
    depth[60:70, 120:130] = 1.0  # 100 pixels of 2074, of which the nearest 104 count
    expected = (100 * 1.0 + 4 * 4.9) / 104 / 19.6
    assert clearance(depth, 19.6) == pytest.approx(expected, rel=0.02)


def test_what_is_outside_the_window_does_not_count_and_infinity_is_clipped():
    depth = np.full((36, 64), np.inf)
    assert clearance(depth, 19.6) == 1.0
    depth[0, :] = depth[-1, :] = 0.1
    assert clearance(depth, 19.6) == 1.0


def test_pedra_ends_a_flight_below_1_37_m_and_pays_the_clearance_above():
    depth = np.stack([np.full((36, 64), 1.3), np.full((36, 64), 1.5), np.full((36, 64), 5.0)])
    value, terminal = reward(pedra(), depth, np.array([False, False, True]), np.zeros(3, int))
    assert terminal.tolist() == [True, False, True]
    np.testing.assert_allclose(value, [-1.0, 1.5 / 19.6, -1.0], rtol=1e-6)


def test_new_ground_pays_and_a_crash_takes_all():
    config = RewardConfig()
    depth = np.full((2, 36, 64), 1.96)
    value, terminal = reward(config, depth, np.array([False, True]), np.array([1, 1]))
    assert terminal.tolist() == [False, True]
    np.testing.assert_allclose(
        value, [config.clearance * 0.1 + config.new_ground, config.crash], rtol=1e-6
    )
