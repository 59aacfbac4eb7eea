"""`rapid-nav compare minatar`: ways of training exits, where a first exit is not enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.offline.evaluation.intervals import interquartile_mean, stratified_bootstrap
from rapid_nav.offline.experiments.play import (
    BESIDE,
    evaluate,
    Evaluated,
    play_curve,
    Played,
    THRESHOLDS,
)
from rapid_nav.offline.experiments.runs import ComparisonConfig, Lengths, MODES, PLAIN, Run, train
from rapid_nav.offline.reporting.kinds import ExitTrainingComparison, GameMean, Settings, Summary
from rapid_nav.offline.training.worker_pool import workers
from rapid_nav.options import check, setting

BUDGET = 0.34
"""The share of operations at which RAPID-RL keeps 0.88 of the score (arXiv 2109.08231)."""

KINDS = ('learned', *BESIDE)
"""What is compared with the plain network: a mode, and what stands beside each of its points."""

Results = Mapping[tuple[str, str, int], Evaluated]
"""What came of test episodes, by game, mode and seed."""

Curves = dict[tuple[str, str, int], list[Played]]
"""What came of validation episodes at each threshold, by game, mode and seed."""


@dataclass(frozen=True)
class CompareConfig(ComparisonConfig):
    """What `rapid-nav compare minatar` takes."""

    modes: tuple[str, ...] = setting(MODES, 'Ways of training exits.')
    seeds: int = setting(
        5,
        'Number of training runs of each kind and game; each is chosen for by the others.',
        low=2,
    )
    branch_steps: int = setting(
        100_000, 'Further steps of the branches; `joint` trains everything for the sum.', low=100
    )
    tuning_episodes: int = setting(30, 'Number of validation episodes at each threshold.', low=1)

    def __post_init__(self) -> None:
        check(self)
        if unknown := sorted(set(self.modes) - set(MODES)):
            raise ValueError(f'no mode {unknown[0]!r}; choose among {", ".join(MODES)}')

    @property
    def lengths(self) -> Lengths:
        """How long each run trains and plays."""
        return Lengths(self.steps, self.episodes, self.branch_steps, self.tuning_episodes)


def main(config: CompareConfig) -> int:
    """Make the runs that are missing, then compare; write and print the figures."""
    config.out.mkdir(parents=True, exist_ok=True)
    seeds_and_games = list(itertools.product(range(config.seeds), config.games))
    with workers(config.jobs) as pool:
        learned = [
            pool.submit(one_seed, config.out, game, config.modes, seed, config.lengths)
            for seed, game in seeds_and_games
        ]
        curves: Curves = {}
        for (seed, game), future in zip(seeds_and_games, learned, strict=True):
            curves |= {(game, mode, seed): curve for mode, curve in future.result().items()}
        asked = {
            (game, kind, seed): pool.submit(
                evaluate,
                Run(config.out, game, kind, seed),
                config.lengths,
                THRESHOLDS[chosen_by_others(config, curves, game, kind, seed)],
            )
            for seed, game in seeds_and_games
            for kind in (PLAIN, *config.modes)
        }
        report = compare(config, {key: future.result() for key, future in asked.items()})
    print(report.to_json())
    report.write(config.report)
    return 0


def one_seed(
    out: Path, game: str, modes: Sequence[str], seed: int, lengths: Lengths
) -> dict[str, list[Played]]:
    """Train a plain network and the modes on one game; return the modes' curves."""
    torch.set_num_threads(1)
    plain = Run(out, game, PLAIN, seed)
    train(plain, lengths)
    curves = {}
    for mode in modes:
        run = Run(out, game, mode, seed)
        train(run, lengths, None if mode == 'joint' else plain.network())
        curves[mode] = play_curve(run, lengths)
    return curves


def chosen_by_others(
    config: CompareConfig, curves: Curves, game: str, mode: str, seed: int
) -> int:
    """Return the threshold, by its index, that did best within the budget on the other seeds."""
    if mode == PLAIN:
        return -1
    return best_within_budget(
        [curves[game, mode, other] for other in range(config.seeds) if other != seed]
    )


def best_within_budget(curves: Sequence[Sequence[Played]]) -> int:
    """Return the index of the point with the best mean score of those within the budget."""
    cost = np.mean([[point.macs_ratio for point in curve] for curve in curves], axis=0)
    score = np.mean([[point.score for point in curve] for curve in curves], axis=0)
    return int(np.where(cost <= BUDGET, score, -np.inf).argmax())


def compare(config: CompareConfig, results: Results) -> ExitTrainingComparison:
    """
    Return, for each mode, the share of the plain network's score it keeps within the budget.

    Each is paired with the plain network of its own seed, which in `rapid` and `paper` is its
    full path; `joint` has a full path of its own, so what its exits cost is told beside it. A
    seed's threshold is the one that did best, within the budget, on the others.
    """

    def figures(kind: str, player: str = 'learned', figure: str = 'score') -> np.ndarray:
        """Return a figure of a player in all runs of a kind (G, S)."""
        return np.array(
            [
                [
                    getattr(results[game, kind, seed].players[player], figure)
                    for seed in range(config.seeds)
                ]
                for game in config.games
            ]
        )

    plain = figures(PLAIN)
    modes = {}
    for mode in config.modes:
        kept = {player: figures(mode, player) / plain.clip(min=1e-9) for player in KINDS}
        kept['macs_ratio'] = figures(mode, figure='macs_ratio')
        kept['gain over random'] = kept['learned'] - kept['random']
        kept['of its full path'] = kept['learned'] / kept['full path'].clip(min=1e-9)
        modes[mode] = {name: summary(config.games, values) for name, values in kept.items()}
    return ExitTrainingComparison(
        config=settings_of(config),
        budget=BUDGET,
        plain=dict(zip(config.games, plain.mean(axis=1).tolist(), strict=True)),
        modes=modes,
    )


def settings_of(config: Any) -> Settings:
    """Return a command's settings as a report keeps them."""
    return {
        name: [str(one) for one in value] if isinstance(value, tuple) else value
        for name, value in vars(config).items()
        if isinstance(value, (str, int, float, tuple))
    }


def summary(games: Sequence[str], values: np.ndarray) -> Summary:
    """Return the interquartile mean of values (G, S) with its interval, and each game's mean."""
    return Summary(
        interquartile_mean=interquartile_mean(values),
        ci95=stratified_bootstrap(values),
        by_game={
            game: GameMean(
                mean=float(values[g].mean()), ci95=stratified_bootstrap(values[g : g + 1], np.mean)
            )
            for g, game in enumerate(games)
        },
    )
