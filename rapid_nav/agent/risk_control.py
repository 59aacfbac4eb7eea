"""
Thresholds with a promise: the expected loss is at most `risk`, with probability `confidence`.

Learn then Test (Angelopoulos, Bates, Candes, Jordan, Lei 2021, arXiv 2110.01052): thresholds are
accepted when "their expected loss exceeds the risk" can be rejected. They are tried one after
another, the most cautious first, up to the first that is not accepted (fixed-sequence testing),
so all the accepted ones hold together. The sequence must not be made from the losses.

A unit is what is drawn independently: a flight, never a decision, since the decisions of one
flight depend on each other. A unit's loss is its decisions' mean, and the promise is about the
mean over new units that are drawn like these.
"""

from collections.abc import Callable, Iterable, Sequence
import math
from typing import NamedTuple

import numpy as np

from rapid_nav.inference.exit_rule import NEVER

SHARES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the decisions that leave at each exit, along a sequence of `cautious_first`."""


class Calibrated(NamedTuple):
    """The least cautious thresholds that are accepted, and the evidence for them."""

    thresholds: tuple[float, ...]
    loss: float  # measured mean over the units
    p_value: float
    units: int
    tried: int  # thresholds that were tested


def cautious_first(
    confidences: np.ndarray, shares: Sequence[float] = SHARES
) -> list[tuple[float, ...]]:
    """
    Return a sequence of thresholds that lets these shares of decisions leave at each branch.

    ``confidences`` (T, L - 1) must come from other units than those that are calibrated on.
    """
    return [
        tuple(map(float, np.quantile(confidences, 1.0 - share, axis=0)))
        if share < 1.0
        else (0.0,) * confidences.shape[1]
        for share in shares
    ]


def fixed_sequence(
    sequence: Iterable[tuple[float, ...]],
    losses_at: Callable[[tuple[float, ...]], np.ndarray],
    risk: float,
    confidence: float,
) -> Calibrated:
    """
    Accept thresholds from the most cautious on; the last accepted is returned.

    ``losses_at`` gives the units' losses (U,) in [0, 1] under thresholds, and is asked only
    while all before were accepted. If none is, the full network stands: it loses nothing.
    """
    check_level('risk', risk)
    check_level('confidence', confidence)
    accepted, tried = None, 0
    for thresholds in sequence:
        losses = np.asarray(losses_at(thresholds), np.float64)
        tried += 1
        enough = units_needed(risk, confidence)
        if len(losses) < enough:
            raise ValueError(
                f'{len(losses)} units can promise nothing for a risk of {risk} with confidence '
                f'{confidence}; give at least {enough}, and several times that to leave early'
            )
        p_value = excess_p_value(losses, risk)
        if p_value > 1.0 - confidence:
            break
        accepted = Calibrated(thresholds, float(losses.mean()), p_value, len(losses), tried)
    if accepted is None:
        return Calibrated((NEVER,) * len(thresholds), 0.0, 0.0, len(losses), tried)
    return accepted._replace(tried=tried)


def excess_p_value(losses: np.ndarray, risk: float) -> float:
    """
    Return a p-value for "the expected loss is above risk" from independent losses (U,) in [0, 1].

    They need not be drawn alike: flights may be shared evenly among kinds of worlds. The better
    of two tests, at twice its p-value: one is sharp for losses of 0 and 1, the other for losses
    that hardly differ.
    """
    if losses.ndim != 1 or not np.all((losses >= 0.0) & (losses <= 1.0)):
        raise ValueError('losses are (U,) in [0, 1]; scale or clip them')
    return min(1.0, 2.0 * min(hoeffding_bentkus(losses, risk), betting(losses, risk)))


def hoeffding_bentkus(losses: np.ndarray, risk: float) -> float:
    """Return the p-value of Bates et al. 2021 (arXiv 2101.02703), from the mean alone."""
    units, mean = len(losses), float(losses.mean())
    hoeffding = math.exp(-units * _divergence(min(mean, risk), risk))
    bentkus = math.e * binomial_cdf(math.ceil(round(units * mean, 9)), units, risk)
    return min(1.0, hoeffding, bentkus)


def betting(losses: np.ndarray, risk: float) -> float:
    """
    Return the p-value of a gambler who bets on each loss being below the risk.

    Waudby-Smith and Ramdas 2024 (arXiv 2010.09686), with a fixed mixture of constant bets. If the
    mean loss is above the risk, a constant bet gains nothing on average (the product of 1 + bet *
    (risk - loss) over independent losses is greatest in expectation when all are drawn alike), so
    a capital above 1 / p is as rare as p.
    """
    halvings = np.arange(10)
    bets, weights = 0.5**halvings / (1.0 - risk), 0.5 ** (halvings + 1.0)
    with np.errstate(divide='ignore'):  # the highest bet loses everything on a loss of 1
        capital = np.log(np.maximum(1.0 + bets[:, None] * (risk - losses), 0.0)).sum(axis=1)
    most = capital.max()
    return min(1.0, math.exp(-most) / float(weights @ np.exp(capital - most)))


def units_needed(risk: float, confidence: float) -> int:
    """Return the number of units that a promise takes even if none of them has a loss."""
    return math.ceil(math.log((1.0 - confidence) / 2.0) / math.log(1.0 - risk))


def binomial_cdf(successes: int, trials: int, chance: float) -> float:
    """Return the probability of at most this number of successes."""
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(chance)
        + (trials - k) * math.log1p(-chance)
        for k in range(min(successes, trials) + 1)
    ]
    return min(1.0, math.fsum(map(math.exp, logs)))


def check_level(name: str, value: float) -> None:
    """Raise ValueError unless the value is a probability strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise ValueError(f'{name} is {value}; it must lie strictly between 0 and 1')


def _divergence(mean: float, risk: float) -> float:
    """Return the Kullback-Leibler divergence of two coins."""
    heads = mean * math.log(mean / risk) if mean > 0.0 else 0.0
    return heads + (1.0 - mean) * math.log((1.0 - mean) / (1.0 - risk))
