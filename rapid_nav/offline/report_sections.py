"""What each kind of report has to show: its facts, its table, its pictures."""

from collections.abc import Mapping, Sequence
import functools
from typing import Any

from rapid_nav.offline import plots
from rapid_nav.offline.report_page import Plot, Section

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
    facts = ([('game', str(report['game'])), ('protocol', str(report.get('protocol', '-'))),
              ('episodes', str(report['episodes']))] if atari else
             [('flights', str(report['flights'])), ('cap', f'{report["cap_m"]:g} m'),
              ('worlds', ', '.join(map(str, report['worlds']))),
              ('world seeds from', str(report['seed_base']))])
    unit = '' if atari else ' m'
    columns = ['point', 'operations', 'score' if atari else 'mean safe flight', '95 %',
               'of the baseline', 'of a Nature DQN', 'coverage', 'reached the cap', 'exits']
    cells = [
        [str(row.get('name', 'baseline')), _times(row.get('macs_ratio')),
         f'{row[value]:.1f}{unit}', ' to '.join(f'{b:.1f}' for b in row[f'{key}_ci95']),
         _times(row.get(f'{key}_vs_baseline')), _times(row.get('macs_vs_nature')),
         _number(row.get('coverage'), '{:.2f} /m'), _number(row.get('cap_share'), '{:.0%}'),
         ' '.join(f'{share:.0%}' for share in row.get('exit_shares') or ())]
        for row in rows]
    said = [i for i in range(len(columns)) if any(row[i] not in ('', '-') for row in cells)]
    return Section(
        f'Evaluation: {report["game"] if atari else "drone"}', name, facts,
        [columns[i] for i in said], [[row[i] for i in said] for row in cells],
        _evaluation_plots(report, atari))


def _evaluation_plots(report: Row, atari: bool) -> list[Plot]:
    points = report['points']
    made = [Plot(
        f'{"Score" if atari else "Mean safe flight"} over operations, with 95 % intervals. The '
        'star is what the paper reports of its own network.',
        functools.partial(plots.evaluation, report=report))]
    by_point = {row['name']: row['exit_shares'] for row in points if row.get('exit_shares')}
    if by_point:
        made.append(_shares('Exits taken at each operating point.', by_point, 'all scenes'))
    shown = [row for row in points if row.get('exit_shares_by_world')]
    for row in [r for r in shown if r['name'] == 'balanced'] or shown[:1]:
        made.append(_shares(f'Exits taken in each scene, at {row["name"]}.',
                            row['exit_shares_by_world'], str(row['name'])))
    flown = [row for row in points if row.get('by_world')
             and not str(row['name']).startswith('threshold')]
    flown += [report['baseline']] if (report.get('baseline') or {}).get('by_world') else []
    if flown:
        made.append(Plot('Mean safe flight in each kind of world.',
                         functools.partial(plots.by_scene, rows=flown)))
    return made


def _shares(caption: str, shares: Mapping[str, Sequence[float]], title: str) -> Plot:
    return Plot(caption, functools.partial(plots.exit_shares, shares=shares, title=title),
                height=1.9 + 0.4 * len(shares))


def latency(name: str, report: Row) -> Section:
    """Show how long decisions take, for each number of threads."""
    blocks = report['threads']
    if isinstance(blocks, Mapping):
        blocks = [{'threads': count, **block} for count, block in blocks.items()]
    rows = [[f'{block.get("runtime", "-")}, {_threads(block)}', str(row['level']),
             _times(row['macs_ratio']), f'{row["ms_p50"]:.3f} ms', f'{row["ms_p99"]:.3f} ms',
             _times(row.get('time_ratio'))]
            for block in blocks for row in block['exits']]
    facts = [(words, form.format(report[key])) for key, words, form in (
        ('rpc_depth_ms', 'depth over RPC', '{:.1f} ms'),
        ('callback_overhead_ms_p50', 'callback without the network', '{:.2f} ms'),
    ) if isinstance(report.get(key), (int, float))]
    facts += [(f'falling through, {_threads(block)}', _times(block['fall_through_ratio']))
              for block in blocks if block.get('fall_through_ratio') is not None]
    return Section(
        'Latency by exit', name, facts,
        ['runtime', 'exit', 'operations', 'median', '99th percentile', 'time'], rows,
        [Plot(f'Time of a decision by exit, {_threads(block)}.', functools.partial(
            plots.latency, block=block, title=_threads(block))) for block in blocks])


def _threads(block: Row) -> str:
    count = block.get('threads', '?')
    return f'{count} thread' + ('' if str(count) == '1' else 's')


def training(logs: Mapping[str, Sequence[Row]]) -> Section:
    """Show trainings side by side."""
    if any(not isinstance(row, dict) or 'step' not in row for rows in logs.values()
           for row in rows) or not all(logs.values()):
        raise ValueError('a log has one object a line, each with its step')
    ends = [[name, f'{rows[-1]["step"]:,}', _number(rows[-1].get('return'), '{:.2f}'),
             _number(rows[-1].get('seconds'), '{:,.0f} s')] for name, rows in logs.items()]
    thinned = {name: rows[::max(1, len(rows) // _MOST_ROWS)] for name, rows in logs.items()}
    known = sorted({key for rows in thinned.values() for row in rows for key in row})
    made = []
    for stems, ylabel in _CURVES:
        keys = [key for key in known if any(
            key == stem or (stem.endswith('_') and key.startswith(stem)) for stem in stems)]
        if keys:
            made.append(Plot(f'{ylabel.capitalize()} while learning.', functools.partial(
                plots.learning, logs=thinned, keys=keys, ylabel=ylabel), height=3.4))
    return Section('Learning curves', ', '.join(logs), (), ['training', 'steps', 'return', 'time'],
                   ends, made)


def flight(name: str, report: Row) -> Section:
    """Show what `rapid-nav fly` wrote."""
    waits = report.get('latency_ms') or {}
    facts = [
        ('world', f'{report.get("world", "-")}, seed {report.get("seed", "-")}'),
        ('flown', f'{report["duration_s"]:.1f} s'), ('flights', str(report['flights'])),
        ('distance', f'{sum(report["distance_m"]):.1f} m'),
        ('collisions', str(report['collisions'])),
        ('operations', _times(report.get('macs_ratio'))),
        ('image to command', f'{_number(waits.get("p50"), "{:.1f} ms")}, 99th percentile '
                             f'{_number(waits.get("p99"), "{:.1f} ms")}')]
    shares = report['exit_shares']
    return Section('Flight', name, facts, plots=[
        _shares('Exits taken in flight.', {str(report.get('world', 'flight')): shares}, '')
    ] if shares else [])


def simulator(name: str, report: Row) -> Section:
    """Show how fast the simulator is."""
    return Section(
        'Simulator', name,
        [('speed-up over Embree', _times(report['speedup'])),
         ('pixels within 5 cm', f'{report["agreement"]:.3%}')],
        plots=[_bars('Time of one 84x84 depth image and of one training step.', {
            'ours': report['depth_84_ms'], 'Embree': report['embree_84_ms'],
            'training step': report['env_step_ms']}, 'time [ms]')])


def training_speed(name: str, report: Row) -> Section:
    """Show how fast the learning is."""
    return Section(
        'Training speed', name, [('ratio', _times(report['ratio']))],
        plots=[_bars('Environment steps per second while learning.', {
            'ours': report['ours_steps_s'], 'Stable-Baselines3': report['sb3_steps_s']},
            'environment steps per second [1/s]')])


def wire(name: str, report: Row) -> Section:
    """Show how fast a depth image comes over ROS and over RPC."""
    bars = {key: value for key, value in report.items()
            if key.endswith('_ms') and isinstance(value, (int, float))}
    return Section('Wire', name, plots=[_bars('Median time of a message.', bars, 'time [ms]')])


def _bars(caption: str, bars: Mapping[str, float], xlabel: str) -> Plot:
    return Plot(caption, functools.partial(plots.times, bars=bars, xlabel=xlabel),
                height=1.2 + 0.4 * len(bars))


def _times(ratio: Any) -> str:
    return _number(ratio, '{:.2f}x')


def _number(value: Any, form: str) -> str:
    return '-' if value is None else form.format(value)
