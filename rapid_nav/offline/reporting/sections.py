"""What each kind of report has to show: its facts, its table, its pictures."""

from collections.abc import Callable, Mapping, Sequence
import functools
from typing import Any

from rapid_nav.offline.reporting import kinds, plots
from rapid_nav.offline.reporting.benchmark_sections import (
    exit_control,
    latency,
    runtimes,
    simulator,
    training_speed,
)
from rapid_nav.offline.reporting.html import Plot, Section
from rapid_nav.offline.reporting.kinds import Report, Shares, Summary
from rapid_nav.offline.reporting.tables import columns, interval, number, ratio

LogRow = dict[str, float]
_MOST_ROWS = 400  # of a log that are drawn
# Panels of a training run: what is drawn together, and the axis it stands on.
_CURVES = (
    (('return',), 'return of an episode'),
    (('length',), 'length of an episode [decisions]'),
    (('regret_',), "branches' regret [Q]"),
    (('confidence_', 'agree_', 'right_'), 'branches: share of decisions'),
    (('td_error', 'loss'), 'loss'),
)


def drone_evaluation(name: str, report: kinds.DroneEvaluation) -> Section:
    """Show an evaluation of the drone."""
    facts = [
        ('flights', str(report.flights)),
        ('cap', f'{report.cap_m:g} m'),
        ('worlds', ', '.join(report.worlds)),
        ('world seeds from', str(report.seed_base)),
    ]
    shown = next((row for row in report.points if row.name == 'balanced'), report.points[0])
    flown = [row for row in report.points if not row.name.startswith('threshold')]
    flown += [report.baseline] if report.baseline else []
    return _evaluation(
        'Evaluation: drone',
        name,
        report,
        facts,
        [
            _shares(
                f'Exits taken in each scene, at {shown.name}.',
                shown.exit_shares_by_world,
                shown.name,
            ),
            Plot(
                'Mean safe flight in each kind of world.',
                functools.partial(plots.by_scene, rows=flown, worlds=report.worlds),
            ),
        ],
    )


def atari_evaluation(name: str, report: kinds.AtariEvaluation) -> Section:
    """Show an evaluation of a game."""
    facts = [
        ('game', report.game),
        ('protocol', report.protocol),
        ('episodes', str(report.episodes)),
    ]
    return _evaluation(f'Evaluation: {report.game}', name, report, facts, [])


def _evaluation(
    title: str,
    name: str,
    report: kinds.Evaluation,
    facts: Sequence[tuple[str, str]],
    more: Sequence[Plot],
) -> Section:
    table = columns(report)
    curve = Plot(
        f'{plots.value_label(report).capitalize()} over operations, with 95 % intervals. '
        'The star is what the paper reports of its own network.',
        functools.partial(plots.evaluation, report=report),
    )
    by_point = {row.name: row.exit_shares for row in report.points}
    shares = _shares('Exits taken at each operating point.', by_point, '')
    rows = list(zip(*table.values(), strict=True))
    return Section(title, name, facts, list(table), rows, [curve, shares, *more])


def _shares(caption: str, shares: Mapping[str, Shares], title: str) -> Plot:
    return Plot(
        caption,
        functools.partial(plots.exit_shares, shares=shares, title=title),
        height=1.9 + 0.4 * len(shares),
    )


def training(logs: Mapping[str, Sequence[LogRow]]) -> Section:
    """Show training runs side by side."""
    ends = [
        [
            name,
            f'{rows[-1]["step"]:,.0f}',
            number(rows[-1].get('return'), '{:.2f}'),
            number(rows[-1].get('seconds'), '{:,.0f} s'),
        ]
        for name, rows in logs.items()
    ]
    thinned = {name: rows[:: max(1, len(rows) // _MOST_ROWS)] for name, rows in logs.items()}
    known = sorted({key for rows in thinned.values() for row in rows for key in row})
    made = []
    for stems, ylabel in _CURVES:
        keys = [
            key
            for key in known
            if any(key == stem or (stem.endswith('_') and key.startswith(stem)) for stem in stems)
        ]
        if keys:
            draw = functools.partial(plots.learning, logs=thinned, keys=keys, ylabel=ylabel)
            caption = f'{ylabel[0].upper()}{ylabel[1:]} while learning.'
            made.append(Plot(caption, draw, height=3.4))
    return Section(
        'Learning curves', ', '.join(logs), (), ['run', 'steps', 'return', 'time'], ends, made
    )


def flight(name: str, report: kinds.Flight) -> Section:
    """Show what `rapid-nav fly` wrote."""
    waits = report.latency_ms
    facts = [
        ('world', f'{report.world}, seed {report.seed}'),
        ('status', f'{report.status}: {report.reason}' if report.reason else report.status),
        ('flown', f'{report.duration_s:.1f} s'),
        ('flights', str(report.flights)),
        ('distance', f'{sum(report.distance_m):.1f} m'),
        ('collisions', str(report.collisions)),
        ('operations', ratio(report.macs_ratio)),
        (
            'image to command',
            f'{number(waits.p50, "{:.1f} ms")}, 99th percentile {number(waits.p99, "{:.1f} ms")}',
        ),
    ]
    shares = {report.world: report.exit_shares} if report.exit_shares else {}
    drawn = [_shares('Exits taken in flight.', shares, '')] if shares else []
    return Section('Flight', name, facts, plots=drawn)


def fleet(name: str, report: kinds.FleetTraining) -> Section:
    """Show the last figures of `rapid-nav train fleet`."""
    facts = [(key, number(value, '{:.4g}')) for key, value in report.figures.items()]
    return Section('Fleet training', name, facts)


def calibration(name: str, report: kinds.Calibration) -> Section:
    """Show what a calibration promises, and whether fresh flights keep it."""
    found, fresh = report.calibrated, report.fresh
    facts = [
        ('promise', f'{report.loss} at most {report.risk:g}, with {report.confidence:.0%}'),
        ('method', report.method),
        ('thresholds', ' '.join(f'{threshold:.3f}' for threshold in found.thresholds)),
        ('measured', f'{found.loss:.4f} over {found.units} flights'),
    ]
    if fresh:
        kept = 'kept' if fresh.kept else 'broken'
        facts += [
            ('on fresh flights', f'{fresh.loss:.4f} over {fresh.flights}, {kept}'),
            ('operations there', ratio(fresh.macs_ratio)),
            ('mean safe flight there', f'{fresh.msf_m:.1f} m'),
        ]
    return Section('Calibration', name, facts)


def comparison(name: str, report: kinds.ExitTrainingComparison) -> Section:
    """Show how much of the plain network's score each training of exits keeps, and the cost."""
    drawn: list[plots.Kept] = []
    cells: list[list[str]] = []
    for mode, kept in report.modes.items():
        spent = kept['macs_ratio']
        for kind, what in (('learned', ''), ('random', ', random exits')):
            drawn.append(plots.Kept(mode + what, spent.interquartile_mean, kept[kind]))
            cells.append([mode + what, ratio(spent.interquartile_mean), *_summary(kept[kind])])
        cells.append([f'{mode}, operations', *_summary(spent)])
        cells += [
            [f'{mode}, {what}', '-', *_summary(kept[what])]
            for what in ('exit 0 alone', 'of its full path', 'gain over random')
            if what in kept
        ]
    return Section(
        'Ways of training exits',
        name,
        [('budget', ratio(report.budget))],
        ['mode', 'operations', 'score kept', '95 %', *report.plain],
        cells,
        [
            Plot(
                "Share of the plain network's score, interquartile mean over games and seeds.",
                functools.partial(plots.modes, rows=drawn),
            )
        ],
    )


def settings(name: str, report: kinds.SettingsComparison) -> Section:
    """Show what share of the plain learner's score it keeps with one setting changed."""
    plain = report.scores['plain']
    seeds = len(next(iter(plain.values())))
    return Section(
        'Settings of the plain learner, one changed at a time',
        name,
        [('seeds', str(seeds)), ('steps', str(report.config.get('steps', '-')))],
        ['change', 'score kept', '95 %', *plain],
        [[change, *_summary(kept)] for change, kept in report.changes.items()],
    )


def _summary(kept: Summary) -> list[str]:
    """Return the cells of a summary: its mean, its interval, and each game's."""
    return [
        ratio(kept.interquartile_mean),
        interval(kept.ci95, '{:.2f}'),
        *(
            f'{ratio(game.mean)} ({interval(game.ci95, "{:.2f}")})'
            for game in kept.by_game.values()
        ),
    ]


SECTIONS: dict[type[Report], Callable[[str, Any], Section]] = {
    kinds.DroneEvaluation: drone_evaluation,
    kinds.AtariEvaluation: atari_evaluation,
    kinds.Calibration: calibration,
    kinds.ExitTrainingComparison: comparison,
    kinds.SettingsComparison: settings,
    kinds.Flight: flight,
    kinds.FleetTraining: fleet,
    kinds.LatencyBenchmark: latency,
    kinds.RuntimeBenchmark: runtimes,
    kinds.ExitControlBenchmark: exit_control,
    kinds.SimulatorBenchmark: simulator,
    kinds.TrainingBenchmark: training_speed,
}
"""What shows a report of each kind, from its file's name and itself."""
