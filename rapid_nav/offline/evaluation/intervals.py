"""Means that a lucky run does not move, with honest intervals (Agarwal et al. 2021)."""

from collections.abc import Callable

import numpy as np


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
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """
    Return the percentile interval of a statistic of values (tasks, seeds).

    Seeds are drawn anew within each task, tasks are not: the interval is about other seeds on
    these tasks.
    """
    rng = np.random.default_rng(seed)
    tasks, seeds = values.shape
    drawn = rng.integers(seeds, size=(draws, tasks, seeds))
    results = [statistic(values[np.arange(tasks)[:, None], row]) for row in drawn]
    tail = (1 - level) / 2
    low, high = np.quantile(results, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_ci95(values: np.ndarray, seed: int = 0, draws: int = 2000) -> list[float]:
    """Return the 95 % percentile bootstrap interval of the mean of values (N,)."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(draws, len(values)))].mean(axis=1)
    return [float(bound) for bound in np.percentile(means, [2.5, 97.5])]


def paired_ratio_ci95(
    values: np.ndarray, beside: np.ndarray, seed: int = 0, draws: int = 2000
) -> list[float]:
    """
    Return the 95 % percentile bootstrap interval of mean(values) / mean(beside), both (N,).

    Pairs are drawn, not values: what both owe to an easy world counts for neither.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(values), size=(draws, len(values)))
    ratios = values[drawn].mean(axis=1) / np.maximum(beside[drawn].mean(axis=1), 1e-9)
    return [float(bound) for bound in np.percentile(ratios, [2.5, 97.5])]
