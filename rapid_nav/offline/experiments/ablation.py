"""`rapid-nav compare settings`: what each piece of the plain learner is worth on small games."""

from dataclasses import dataclass
import itertools

import numpy as np
import torch

from rapid_nav.offline.experiments.exit_training import settings_of, summary
from rapid_nav.offline.experiments.play import evaluate
from rapid_nav.offline.experiments.runs import Change, ComparisonConfig, Lengths, PLAIN, Run, train
from rapid_nav.offline.reporting.kinds import SettingsComparison
from rapid_nav.offline.training.worker_pool import workers
from rapid_nav.options import check, setting

CHANGES = {
    'no-double': Change({'double': False}),
    'no-duelling': Change(duelling=False),
    'one-step': Change({'n_step': 1}),
    'uniform': Change({'priority_exponent': 0.0}),
    'quantiles': Change({'quantiles': 32}),
    'noisy': Change({'noisy': 0.5}),
}
"""What is changed, one thing each, in the plain learner of `rapid-nav compare minatar`."""

Scores = dict[tuple[str, str, int], float]
"""Mean scores by game, change (or PLAIN) and seed."""


@dataclass(frozen=True)
class CompareSettingsConfig(ComparisonConfig):
    """What `rapid-nav compare settings` takes."""

    changes: tuple[str, ...] = setting(
        tuple(CHANGES), 'Changes to compare with the unchanged learner.'
    )

    def __post_init__(self) -> None:
        check(self)
        if unknown := sorted(set(self.changes) - set(CHANGES)):
            raise ValueError(f'no change {unknown[0]!r}; choose among {", ".join(CHANGES)}')


def main(config: CompareSettingsConfig) -> int:
    """Make the runs that are missing, then compare; write and print the figures."""
    config.out.mkdir(parents=True, exist_ok=True)
    # Seed by seed, so that an early stop leaves all the games and changes of the first seeds.
    runs = [
        Run(config.out, game, kind, seed)
        for seed, game, kind in itertools.product(
            range(config.seeds), config.games, (PLAIN, *config.changes)
        )
    ]
    lengths = Lengths(config.steps, config.episodes)
    with workers(config.jobs) as pool:
        asked = [pool.submit(one_run, run, lengths) for run in runs]
        report = compare(
            config,
            {
                (run.game, run.kind, run.seed): future.result()
                for run, future in zip(runs, asked, strict=True)
            },
        )
    print(report.to_json())
    report.write(config.report)
    return 0


def one_run(run: Run, lengths: Lengths) -> float:
    """Train a network unless it is there, and return the mean score of its greedy play."""
    torch.set_num_threads(1)
    train(run, lengths, change=CHANGES.get(run.kind, Change()))
    return evaluate(run, lengths).players['learned'].score


def compare(config: CompareSettingsConfig, scores: Scores) -> SettingsComparison:
    """Return for each change its share of the score of the learner as it is, of the same seed."""
    table = {
        kind: np.array(
            [[scores[game, kind, seed] for seed in range(config.seeds)] for game in config.games]
        )  # (G, S)
        for kind in (PLAIN, *config.changes)
    }
    return SettingsComparison(
        config=settings_of(config),
        scores={
            kind: {
                game: tuple(map(float, row))
                for game, row in zip(config.games, values, strict=True)
            }
            for kind, values in table.items()
        },
        changes={
            kind: summary(config.games, table[kind] / table[PLAIN].clip(min=1e-9))
            for kind in config.changes
        },
    )
