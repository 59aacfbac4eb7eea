"""`rapid-nav table atari`: evaluations of games as one table, and what they say together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

import numpy as np

from rapid_nav.offline.atari.reference_scores import REFERENCES
from rapid_nav.offline.evaluation.intervals import interquartile_mean, stratified_bootstrap
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
_NEEDED = ('game', 'protocol', 'points', 'trained', 'checkpoint')


@dataclass(frozen=True)
class GamesTableConfig:
    """What `rapid-nav table atari` takes."""

    reports: tuple[Path, ...] = setting(
        (), 'These files were written by `evaluate atari --report`.', positional=True
    )


def main(config: GamesTableConfig) -> int:
    """Print the table in Markdown."""
    if not config.reports:
        raise ValueError('no reports; name what `rapid-nav evaluate atari --report` wrote')
    reports = [read(path) for path in config.reports]
    print(markdown(COLUMNS, [row for report in reports for row in rows_of(report)]))
    for line in together(reports):
        print(line)
    return 0


def read(path: Path) -> dict[str, Any]:
    """Read an evaluation's report; ValueError if it is none of a checkpoint on Atari."""
    try:
        report = json.loads(path.read_text())
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f'{path}: not JSON ({error})') from error
    if not isinstance(report, dict) or not set(_NEEDED) <= report.keys():
        raise ValueError(f'{path}: no report of `rapid-nav evaluate atari` on a checkpoint')
    return report


def rows_of(report: dict[str, Any]) -> Iterable[list[str]]:
    """Yield a report's rows: its points but a sweep's, then its baseline."""
    published = REFERENCES.get(report['game'])
    others = (
        ['-', '-']
        if published is None
        else [f'{published.nature_dqn:g}', f'{published.dopamine_dqn:g}']
    )
    played = [row for row in report['points'] if not row['name'].startswith('threshold')]
    played += [report['baseline']] if 'baseline' in report else []
    for row in played:
        low, high = row['score_ci95']
        own = row['name'] != 'baseline'
        yield [
            report['game'],
            report['protocol'],
            f'{report["checkpoint"]}, `{row["name"]}`' if own else 'baseline',
            f'{report["trained"]["steps"]:,}' if own else '',
            str(report['trained']['seed']) if own else '',
            f'{row["score"]:.1f} ({low:.1f} to {high:.1f})',
            _ratio(row.get('score_vs_baseline')),
            _ratio(row['macs_ratio'] if own else None),
            _ratio(row.get('macs_vs_nature')),
            _ratio(row.get('human_normalised')),
            *others,
        ]


def together(reports: Sequence[dict[str, Any]], point: str = 'balanced') -> list[str]:
    """
    Return what all games and seeds say together, of each protocol with several of either.

    The interquartile mean of scores normalised by the baseline, with a bootstrap over seeds; a
    protocol whose games have different numbers of seeds is cut to the fewest.
    """
    kept: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for report in reports:
        for row in report['points']:
            if row['name'] == point and row.get('score_vs_baseline') is not None:
                kept[report['protocol']][report['game']].append(row['score_vs_baseline'])
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


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ['---'] * len(columns), *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)


def _ratio(value: float | None) -> str:
    return '' if value is None else f'{value:.3f}x'
