"""The promise of calibrated thresholds, kept as often as it says where the truth is known."""

import numpy as np
import pytest

from rapid_nav.agent.risk_control import (
    betting,
    binomial_cdf,
    cautious_first,
    excess_p_value,
    fixed_sequence,
    hoeffding_bentkus,
    units_needed,
)
from rapid_nav.inference.exit_rule import NEVER

RISK, CONFIDENCE = 0.1, 0.9
CAUTIOUS_FIRST = (0.99, *(round(0.95 - 0.05 * i, 2) for i in range(20)))


def losses_by(losses, sure, threshold):
    """Return the mean loss (U,) of flights (U, T, L) at one threshold for both branches."""
    sure = np.concatenate([sure >= threshold, np.ones((*sure.shape[:2], 1), bool)], axis=2)
    level = sure.argmax(axis=2, keepdims=True)
    return np.take_along_axis(losses, level, axis=2)[:, :, 0].mean(axis=1)


def draw_flights(rng, units, decisions=30):
    """Draw flights whose decisions hang together: a hard flight is hard throughout."""
    hardness = rng.beta(2, 5, size=(units, 1, 1))
    sure = np.clip(1.0 - hardness + 0.3 * rng.normal(size=(units, decisions, 2)), 0.0, 1.0)
    # What leaving loses follows the doubt, but the confidence is too bold about it.
    wrong = rng.random((units, decisions, 2)) < 0.8 * (1.0 - sure) ** 1.5
    losses = np.concatenate([wrong, np.zeros((units, decisions, 1))], axis=2).astype(float)
    return losses, sure


def test_the_promise_is_kept_as_often_as_it_says():
    rng = np.random.default_rng(0)
    losses, sure = draw_flights(rng, 20_000)
    truth = {one: losses_by(losses, sure, one).mean() for one in CAUTIOUS_FIRST}
    assert min(truth.values()) < RISK < max(truth.values())
    draws, broken, bold = 400, 0, 0
    for _ in range(draws):
        flights = draw_flights(rng, 100)
        found = fixed_sequence(
            [(one, one) for one in CAUTIOUS_FIRST],
            lambda thresholds, flights=flights: losses_by(*flights, thresholds[0]),
            RISK,
            CONFIDENCE,
        )
        chosen = found.thresholds[0]
        broken += chosen != NEVER and truth[chosen] > RISK
        bold += chosen < 0.9
    # 0.1 of the draws may break it, give or take what chance does to 400 of them.
    assert broken / draws <= 1 - CONFIDENCE + 2 * np.sqrt(CONFIDENCE * (1 - CONFIDENCE) / draws)
    assert bold / draws > 0.9  # and it is no promise bought by never leaving


@pytest.mark.parametrize('test', [hoeffding_bentkus, betting, excess_p_value])
@pytest.mark.parametrize(
    'draw',
    [
        lambda rng: (rng.random(200) < 0.1).astype(float),
        lambda rng: rng.beta(1, 9, 200),
        # Not drawn alike: half the flights are in easy worlds.
        lambda rng: (rng.random(200) < np.tile([0.02, 0.18], 100)).astype(float),
    ],
    ids=['coins', 'shares', 'kinds of worlds'],
)
def test_small_p_values_are_as_rare_as_they_say_at_the_very_risk(test, draw):
    rng = np.random.default_rng(1)
    p_values = np.array([test(draw(rng), 0.1) for _ in range(2000)])
    for level in (0.01, 0.05, 0.1, 0.3):
        assert (p_values <= level).mean() <= level + 0.01


def test_losses_that_hardly_differ_are_accepted_with_fewer_flights():
    alike = np.full(250, 0.029)
    assert betting(alike, 0.05) < 0.02 < hoeffding_bentkus(alike, 0.05)
    assert excess_p_value(alike, 0.05) < 0.05


def test_a_sequence_lets_ever_more_decisions_leave():
    sure = np.random.default_rng(0).beta([5, 8], [2, 1], size=(5000, 2))
    sequence = cautious_first(sure, (0.1, 0.5, 1.0))
    leaving = [(sure >= thresholds).mean(axis=0) for thresholds in sequence]
    np.testing.assert_allclose(leaving, [[0.1, 0.1], [0.5, 0.5], [1.0, 1.0]], atol=0.01)


def test_more_flights_or_smaller_losses_make_a_smaller_p_value():
    assert p_value(0.02, 200) < p_value(0.02, 100)
    assert p_value(0.01, 100) < p_value(0.02, 100)
    assert p_value(0.06, 100) > 0.5


def p_value(loss, flights):
    return excess_p_value(np.full(flights, loss), 0.05)


def test_the_binomial_distribution_adds_up():
    assert binomial_cdf(3, 10, 0.2) == pytest.approx(0.8791261, abs=1e-6)
    assert binomial_cdf(10, 10, 0.2) == pytest.approx(1.0)


def test_nothing_bolder_is_tried_after_the_first_refusal():
    asked = []

    def losses_at(thresholds):
        asked.append(thresholds[0])
        return np.full(300, {0.9: 0.01, 0.8: 0.2, 0.7: 0.0}[thresholds[0]])

    found = fixed_sequence([(0.9,), (0.8,), (0.7,)], losses_at, 0.05, 0.95)
    assert (found.thresholds, found.tried, asked) == ((0.9,), 2, [0.9, 0.8])


def test_the_full_network_stands_when_nothing_is_accepted():
    found = fixed_sequence([(0.9, 0.9)], lambda _: np.full(100, 0.5), 0.05, 0.95)
    assert found.thresholds == (NEVER, NEVER)


def test_too_few_flights_are_refused_with_the_number_it_takes():
    assert units_needed(0.05, 0.95) == 72
    assert excess_p_value(np.zeros(72), 0.05) <= 0.05 < excess_p_value(np.zeros(71), 0.05)
    with pytest.raises(ValueError, match=r'71 units.*at least 72'):
        fixed_sequence([(0.9,)], lambda _: np.zeros(71), 0.05, 0.95)


@pytest.mark.parametrize('risk, confidence', [(0.0, 0.9), (0.1, 1.0), (-1, 0.9), (0.1, 2)])
def test_impossible_promises_are_named(risk, confidence):
    with pytest.raises(ValueError, match='strictly between 0 and 1'):
        fixed_sequence([(0.9,)], lambda _: np.zeros(100), risk, confidence)


def test_losses_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r'\[0, 1\]'):
        excess_p_value(np.array([0.0, 1.5]), 0.1)
