"""`rapid-nav table atari`: evaluations of games as one table, and what they say together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rapid_nav.offline.atari.reference_scores import REFERENCES
from rapid_nav.offline.evaluation.intervals import interquartile_mean, stratified_bootstrap
from rapid_nav.offline.reporting.kinds import AtariEvaluation
from rapid_nav.offline.reporting.report import read
from rapid_nav.offline.reporting.tables import interval, number
from rapid_nav.options import setting

COLUMNS = (
    'game',
    'protocol',
    'policy',
    'steps',
    'seed',
    'score',
    'of the baseline',
    'operations',
    'of a Nature DQN',
    'of a human',
    'Nature DQN 2015',
    'Dopamine DQN',
)


@dataclass(frozen=True)
class GamesTableConfig:
    """What `rapid-nav table atari` takes."""

    reports: tuple[Path, ...] = setting(
        (), 'Files that `evaluate atari --report` wrote.', positional=True
    )


def main(config: GamesTableConfig) -> int:
    """Print the table in Markdown."""
    if not config.reports:
        raise ValueError('no reports; name what `rapid-nav evaluate atari --report` wrote')
    reports = [read_evaluation(path) for path in config.reports]
    print(markdown(COLUMNS, [row for report in reports for row in rows_of(report)]))
    for line in together(reports):
        print(line)
    return 0


def read_evaluation(path: Path) -> AtariEvaluation:
    """Read an evaluation's report; ValueError if it is none of a checkpoint on Atari."""
    report = read(path)
    if not isinstance(report, AtariEvaluation) or report.checkpoint is None:
        raise ValueError(f'{path}: no report of `rapid-nav evaluate atari` on a checkpoint')
    return report


def rows_of(report: AtariEvaluation) -> Iterator[list[str]]:
    """Yield a report's rows: its points but a sweep's, then its baseline."""
    published = REFERENCES.get(report.game)
    others = [published.nature_dqn, published.dopamine_dqn] if published else [None, None]
    played = [row for row in report.points if not row.name.startswith('threshold')]
    for row in [*played, *([report.baseline] if report.baseline else [])]:
        trained = report.trained if row is not report.baseline else None
        yield [
            report.game,
            report.protocol,
            f'{report.checkpoint}, `{row.name}`' if row is not report.baseline else 'baseline',
            number(trained.steps if trained else None, '{:,}'),
            number(trained.seed if trained else None, '{}'),
            f'{row.score:.1f} ({interval(row.score_ci95)})',
            number(row.score_vs_baseline, '{:.3f}x'),
            number(row.macs_ratio if row is not report.baseline else None, '{:.3f}x'),
            number(row.macs_vs_nature, '{:.3f}x'),
            number(row.human_normalised, '{:.3f}x'),
            *(number(score, '{:g}') for score in others),
        ]


def together(reports: Sequence[AtariEvaluation], point: str = 'balanced') -> list[str]:
    """
    Return what all games and seeds say together, of each protocol with several of either.

    The interquartile mean of scores normalised by the baseline, with a bootstrap over seeds; a
    protocol whose games have different numbers of seeds is cut to the fewest.
    """
    kept: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for report in reports:
        for row in report.points:
            if row.name == point and row.score_vs_baseline is not None:
                kept[report.protocol][report.game].append(row.score_vs_baseline)
    lines = []
    for protocol, games in kept.items():
        seeds = min(map(len, games.values()))
        values = np.array([scores[:seeds] for scores in games.values()])
        if values.size > 1:
            said = 'one seed each, which says nothing of others'
            if seeds > 1:
                low, high = stratified_bootstrap(values)
                said = f'{seeds} seeds (95 %: {low:.2f} to {high:.2f})'
            lines.append(
                f'\n{protocol}: `{point}` keeps {interquartile_mean(values):.2f}x of the '
                f"baseline's score above random, interquartile mean over {len(games)} games and "
                f'{said}'
            )
    return lines


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ['---'] * len(columns), *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
