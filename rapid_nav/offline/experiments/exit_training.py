"""`rapid-nav compare minatar`: ways of training exits, where a first exit is not enough."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.offline.evaluation.intervals import interquartile_mean, stratified_bootstrap
from rapid_nav.offline.experiments.play import BESIDE, judge, play_curve, THRESHOLDS
from rapid_nav.offline.experiments.runs import Lengths, MODES, PLAIN, Run, train
from rapid_nav.offline.minatar.env import GAMES
from rapid_nav.offline.training.worker_pool import workers
from rapid_nav.options import check, setting

BUDGET = 0.34
"""The share of operations at which RAPID-RL keeps 0.88 of the score (arXiv 2109.08231)."""

KINDS = ('learned', *BESIDE)
"""What is compared with the plain network: a mode, and what stands beside each of its points."""

Judged = dict[tuple[str, str, int], dict[str, Any]]
"""What was judged, by game, mode and seed."""


@dataclass(frozen=True)
class CompareConfig:
    """What `rapid-nav compare minatar` takes."""

    out: Path = setting(
        Path('runs/minatar'), 'The runs are in this folder; those that it has are kept.'
    )
    games: tuple[str, ...] = setting(GAMES, 'These games are played.')
    modes: tuple[str, ...] = setting(MODES, 'These ways of training exits are compared.')
    seeds: int = setting(5, 'Each game and mode has so many trainings.', low=2, high=1000)
    steps: int = setting(
        500_000, 'The plain network trains for so many steps, all environments together.', low=100
    )
    branch_steps: int = setting(
        100_000,
        'The branches then train for so many; `joint` trains everything for both.',
        low=100,
    )
    tuning_episodes: int = setting(
        30, 'So many episodes are played at each threshold, to choose one.', low=1
    )
    episodes: int = setting(100, 'So many other episodes are played to judge a point.', low=1)
    jobs: int = setting(
        2, 'So many trainings run at the same time, a thread each.', low=1, high=256
    )
    report: Path | None = setting(None, 'The figures are written to this JSON file.')

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
    with workers(config.jobs) as pool:
        for future in [
            pool.submit(one_seed, config.out, game, config.modes, seed, config.lengths)
            for seed, game in itertools.product(range(config.seeds), config.games)
        ]:
            future.result()
        asked = {
            (game, kind, seed): pool.submit(
                judge,
                Run(config.out, game, kind, seed),
                config.lengths,
                THRESHOLDS[chosen_by_others(config, game, kind, seed)],
            )
            for seed, game, kind in itertools.product(
                range(config.seeds), config.games, (PLAIN, *config.modes)
            )
        }
        report = compare(config, {key: future.result() for key, future in asked.items()})
    print(json.dumps(report['modes'], indent=1))
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    return 0


def one_seed(out: Path, game: str, modes: Sequence[str], seed: int, lengths: Lengths) -> None:
    """Train a plain network and the modes on one game, and play their curves."""
    torch.set_num_threads(1)
    plain = Run(out, game, PLAIN, seed)
    train(plain, lengths)
    for mode in modes:
        run = Run(out, game, mode, seed)
        train(run, lengths, None if mode == 'joint' else plain.network())
        play_curve(run, lengths)


def chosen_by_others(config: CompareConfig, game: str, mode: str, seed: int) -> int:
    """Return the threshold, by its index, that did best within the budget on the other seeds."""
    return (
        -1
        if mode == PLAIN
        else best_within_budget(
            [
                Run(config.out, game, mode, other).curve()
                for other in range(config.seeds)
                if other != seed
            ]
        )
    )


def best_within_budget(curves: Sequence[Sequence[dict[str, Any]]]) -> int:
    """Return the index of the point with the best mean score of those within the budget."""
    cost = np.mean([[point['macs_ratio'] for point in curve] for curve in curves], axis=0)
    score = np.mean([[point['score'] for point in curve] for curve in curves], axis=0)
    return int(np.where(cost <= BUDGET, score, -np.inf).argmax())


def compare(config: CompareConfig, judged: Judged) -> dict[str, Any]:
    """
    Return, for each mode, the share of the plain network's score it keeps within the budget.

    Each is paired with the plain network of its own seed, which in `rapid` and `paper` is its
    full path; `joint` has a full path of its own, so what its exits cost is told beside it. A
    seed's threshold is the one that did best, within the budget, on the others.
    """
    report: dict[str, Any] = {
        'config': json.loads(json.dumps(asdict(config), default=str)),
        'budget': BUDGET,
        'plain': {game: _mean_score(config, judged, game) for game in config.games},
        'modes': {},
    }
    for mode in config.modes:
        kept = {
            kind: np.zeros((len(config.games), config.seeds)) for kind in (*KINDS, 'macs_ratio')
        }
        for (g, game), seed in itertools.product(enumerate(config.games), range(config.seeds)):
            run, plain = judged[game, mode, seed], judged[game, PLAIN, seed]['learned']['score']
            for kind in KINDS:
                kept[kind][g, seed] = run[kind]['score'] / max(plain, 1e-9)
            kept['macs_ratio'][g, seed] = run['learned']['macs_ratio']
        report['modes'][mode] = {
            kind: summary(config.games, values) for kind, values in kept.items()
        }
        report['modes'][mode]['gain over random'] = summary(
            config.games, kept['learned'] - kept['random']
        )
        report['modes'][mode]['of its full path'] = summary(
            config.games, kept['learned'] / np.maximum(kept['full path'], 1e-9)
        )
    return report


def _mean_score(config: CompareConfig, judged: Judged, game: str) -> float:
    return float(
        np.mean([judged[game, PLAIN, seed]['learned']['score'] for seed in range(config.seeds)])
    )


def summary(games: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    """Return the interquartile mean of values (G, S) with its interval, and each game's mean."""
    return {
        'interquartile_mean': interquartile_mean(values),
        'ci95': stratified_bootstrap(values),
        'by_game': {
            game: {
                'mean': float(values[g].mean()),
                'ci95': stratified_bootstrap(values[g : g + 1], np.mean),
            }
            for g, game in enumerate(games)
        },
    }
