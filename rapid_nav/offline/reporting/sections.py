"""What each kind of report has to show: its facts, its table, its pictures."""

from collections.abc import Mapping, Sequence
import functools
from typing import Any

from rapid_nav.offline.reporting import plots
from rapid_nav.offline.reporting.html import number, Plot, ratio, Section

Row = Mapping[str, Any]
_MOST_ROWS = 400  # of a log that are drawn
# Panels of a training: what is drawn together, and the axis it stands on.
_CURVES = (
    (('return',), 'return of an episode'),
    (('length',), 'length of an episode [decisions]'),
    (('regret_',), "branches' regret [Q]"),
    (('confidence_', 'agree_', 'right_'), 'branches: share of decisions'),
    (('td_error', 'loss'), 'loss'),
)


def evaluation(name: str, report: Row) -> Section:
    """Show an evaluation of the drone or of a game."""
    atari = 'game' in report
    key, value = ('score', 'score') if atari else ('msf', 'msf_m')
    rows = [*report['points'], *(report.get('controls') or ())]
    rows += [report['baseline']] if report.get('baseline') else []
    facts = (
        [
            ('game', str(report['game'])),
            ('protocol', str(report.get('protocol', '-'))),
            ('episodes', str(report['episodes'])),
        ]
        if atari
        else [
            ('flights', str(report['flights'])),
            ('cap', f'{report["cap_m"]:g} m'),
            ('worlds', ', '.join(map(str, report['worlds']))),
            ('world seeds from', str(report['seed_base'])),
        ]
    )
    unit = '' if atari else ' m'
    matched = next((row['behind']['of'] for row in rows if row.get('behind')), '')
    columns = [
        'point',
        'operations',
        'score' if atari else 'mean safe flight',
        '95 %',
        'of the baseline',
        f'behind {matched}',
        'of a Nature DQN',
        'coverage',
        'reached the cap',
        'exits',
    ]
    cells = [
        [
            str(row.get('name', 'baseline')),
            ratio(row.get('macs_ratio')),
            f'{row[value]:.1f}{unit}',
            ' to '.join(f'{b:.1f}' for b in row[f'{key}_ci95']),
            ratio(row.get(f'{key}_vs_baseline')),
            _behind(row.get('behind')),
            ratio(row.get('macs_vs_nature')),
            number(row.get('coverage'), '{:.2f} /m'),
            number(row.get('cap_share'), '{:.0%}'),
            ' '.join(f'{share:.0%}' for share in row.get('exit_shares') or ()),
        ]
        for row in rows
    ]
    said = [i for i in range(len(columns)) if any(row[i] not in ('', '-') for row in cells)]
    return Section(
        f'Evaluation: {report["game"] if atari else "drone"}',
        name,
        facts,
        [columns[i] for i in said],
        [[row[i] for i in said] for row in cells],
        _evaluation_plots(report, atari),
    )


def _behind(lead: Row | None) -> str:
    return (
        '-'
        if not lead
        else (f'{lead["m"]:.1f} m ({" to ".join(f"{bound:.1f}" for bound in lead["ci95"])})')
    )


def _evaluation_plots(report: Row, atari: bool) -> list[Plot]:
    points = report['points']
    made = [
        Plot(
            f'{"Score" if atari else "Mean safe flight"} over operations, with 95 % intervals. '
            'The star is what the paper reports of its own network.',
            functools.partial(plots.evaluation, report=report),
        )
    ]
    by_point = {row['name']: row['exit_shares'] for row in points if row.get('exit_shares')}
    if by_point:
        made.append(
            _shares(
                'Exits taken at each operating point.', by_point, '' if atari else 'all scenes'
            )
        )
    shown = [row for row in points if row.get('exit_shares_by_world')]
    for row in [r for r in shown if r['name'] == 'balanced'] or shown[:1]:
        made.append(
            _shares(
                f'Exits taken in each scene, at {row["name"]}.',
                row['exit_shares_by_world'],
                str(row['name']),
            )
        )
    flown = [
        row
        for row in points
        if row.get('by_world') and not str(row['name']).startswith('threshold')
    ]
    flown += [report['baseline']] if (report.get('baseline') or {}).get('by_world') else []
    if flown:
        made.append(
            Plot(
                'Mean safe flight in each kind of world.',
                functools.partial(plots.by_scene, rows=flown),
            )
        )
    return made


def _shares(caption: str, shares: Mapping[str, Sequence[float]], title: str) -> Plot:
    return Plot(
        caption,
        functools.partial(plots.exit_shares, shares=shares, title=title),
        height=1.9 + 0.4 * len(shares),
    )


def training(logs: Mapping[str, Sequence[Row]]) -> Section:
    """Show trainings side by side."""
    if any(
        not isinstance(row, dict) or 'step' not in row for rows in logs.values() for row in rows
    ) or not all(logs.values()):
        raise ValueError('a log has one object a line, each with its step')
    ends = [
        [
            name,
            f'{rows[-1]["step"]:,}',
            number(rows[-1].get('return'), '{:.2f}'),
            number(rows[-1].get('seconds'), '{:,.0f} s'),
        ]
        for name, rows in logs.items()
    ]
    thinned = {name: rows[:: max(1, len(rows) // _MOST_ROWS)] for name, rows in logs.items()}
    known = sorted(
        {key for rows in thinned.values() for row in rows for key in row if row[key] is not None}
    )
    made = []
    for stems, ylabel in _CURVES:
        keys = [
            key
            for key in known
            if any(key == stem or (stem.endswith('_') and key.startswith(stem)) for stem in stems)
        ]
        if keys:
            caption = f'{ylabel[0].upper()}{ylabel[1:]} while learning.'
            made.append(
                Plot(
                    caption,
                    functools.partial(plots.learning, logs=thinned, keys=keys, ylabel=ylabel),
                    height=3.4,
                )
            )
    return Section(
        'Learning curves', ', '.join(logs), (), ['training', 'steps', 'return', 'time'], ends, made
    )


def flight(name: str, report: Row) -> Section:
    """Show what `rapid-nav fly` wrote."""
    waits = report.get('latency_ms') or {}
    facts = [
        ('world', f'{report.get("world", "-")}, seed {report.get("seed", "-")}'),
        ('flown', f'{report["duration_s"]:.1f} s'),
        ('flights', str(report['flights'])),
        ('distance', f'{sum(report["distance_m"]):.1f} m'),
        ('collisions', str(report['collisions'])),
        ('operations', ratio(report.get('macs_ratio'))),
        (
            'image to command',
            f'{number(waits.get("p50"), "{:.1f} ms")}, 99th percentile '
            f'{number(waits.get("p99"), "{:.1f} ms")}',
        ),
    ]
    shares = report['exit_shares']
    return Section(
        'Flight',
        name,
        facts,
        plots=[_shares('Exits taken in flight.', {str(report.get('world', 'flight')): shares}, '')]
        if shares
        else [],
    )


def comparison(name: str, report: Row) -> Section:
    """Show how much of the plain network's score each training of exits keeps, and the cost."""
    drawn: list[Row] = []
    cells: list[list[str]] = []
    games = list(next(iter(report['modes'].values()))['learned']['by_game'])
    for mode, kept in report['modes'].items():
        spent = kept['macs_ratio']
        for kind, what in (
            ('learned', ''),
            ('random', ', random exits'),
            ('exit 0 alone', ', exit 0 alone'),
        ):
            row = {
                'name': mode + what,
                'macs_ratio': spent['interquartile_mean'],
                'score': kept[kind]['interquartile_mean'],
                'score_ci95': kept[kind]['ci95'],
            }
            alone = kind == 'exit 0 alone'  # what it costs is not in the report
            cells.append(
                [
                    row['name'],
                    '-' if alone else ratio(row['macs_ratio']),
                    ratio(row['score']),
                    _interval(row['score_ci95']),
                    *_by_game(kept[kind]),
                ]
            )
            drawn += [] if alone else [row]
        cells.append(
            [f'{mode}, operations', ratio(spent['interquartile_mean']), '-', '-', *_by_game(spent)]
        )
        cells += [
            [
                f'{mode}, {what}',
                '-',
                ratio(kept[what]['interquartile_mean']),
                _interval(kept[what]['ci95']),
                *_by_game(kept[what]),
            ]
            for what in ('of its full path', 'gain over random')
            if what in kept
        ]
    return Section(
        'Ways of training exits',
        name,
        [('budget', ratio(report['budget']))],
        ['mode', 'operations', 'score kept', '95 %', *games],
        cells,
        [
            Plot(
                "Share of the plain network's score, interquartile mean over games and seeds.",
                functools.partial(plots.modes, rows=drawn, paper=plots.PAPER_ATARI),
            )
        ],
    )


def settings(name: str, report: Row) -> Section:
    """Show what share of the plain learner's score it keeps with one setting changed."""
    games = list(report['scores']['plain'])
    seeds = len(next(iter(report['scores']['plain'].values())))
    return Section(
        'Settings of the plain learner, one changed at a time',
        name,
        [('seeds', str(seeds)), ('steps', str(report['config']['steps']))],
        ['change', 'score kept', '95 %', *games],
        [
            [change, ratio(kept['interquartile_mean']), _interval(kept['ci95']), *_by_game(kept)]
            for change, kept in report['changes'].items()
        ],
    )


def _by_game(kept: Row) -> list[str]:
    return [f'{ratio(of["mean"])} ({_interval(of["ci95"])})' for of in kept['by_game'].values()]


def _interval(bounds: Sequence[float]) -> str:
    return ' to '.join(f'{bound:.2f}' for bound in bounds)
