"""Means that a lucky run does not move, with honest intervals (Agarwal et al. 2021)."""

from collections.abc import Callable, Sequence

import numpy as np

from rapid_nav.offline.reporting.kinds import Interval


def interquartile_mean(values: np.ndarray) -> float:
    """Return the mean of the middle half of values (any shape), the edges taken in part."""
    ordered = np.sort(np.asarray(values, np.float64).ravel())
    weight = np.clip(
        np.minimum(
            np.arange(1, len(ordered) + 1) - len(ordered) / 4,
            3 * len(ordered) / 4 - np.arange(len(ordered)),
        ),
        0,
        1,
    )
    return float(ordered @ weight / weight.sum())


def stratified_bootstrap(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], float] = interquartile_mean,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """
    Return the 95 % percentile bootstrap interval of a statistic of values (tasks, seeds).

    Seeds are drawn anew within each task, tasks are not: the interval is about other seeds on
    these tasks.
    """
    rng = np.random.default_rng(seed)
    tasks, seeds = values.shape
    drawn = rng.integers(seeds, size=(draws, tasks, seeds))
    return _ci95([statistic(values[np.arange(tasks)[:, None], row]) for row in drawn])


def bootstrap_ci95(values: np.ndarray, seed: int = 0, draws: int = 2000) -> Interval:
    """Return the 95 % percentile bootstrap interval of the mean of values (N,)."""
    return _ci95(values[_drawn(values, seed, draws)].mean(axis=1))


def paired_ratio_ci95(
    values: np.ndarray, beside: np.ndarray, seed: int = 0, draws: int = 2000
) -> Interval:
    """
    Return the 95 % percentile bootstrap interval of mean(values) / mean(beside), both (N,).

    Pairs are drawn, not values: what both owe to an easy world counts for neither.
    """
    drawn = _drawn(values, seed, draws)
    return _ci95(values[drawn].mean(axis=1) / np.maximum(beside[drawn].mean(axis=1), 1e-9))


def _drawn(values: np.ndarray, seed: int, draws: int) -> np.ndarray:
    """Return the indices (draws, N) of bootstrap samples of values (N,)."""
    return np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))


def _ci95(statistics: Sequence[float] | np.ndarray) -> Interval:
    low, high = np.percentile(statistics, [2.5, 97.5])
    return float(low), float(high)
