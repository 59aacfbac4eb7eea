"""What each kind of benchmark has to show."""

from collections.abc import Mapping
import functools
from typing import Any

from rapid_nav.offline.reporting import plots
from rapid_nav.offline.reporting.html import Plot, ratio, Section

Row = Mapping[str, Any]


def latency(name: str, report: Row) -> Section:
    """Show how long decisions take, for each number of threads."""
    blocks = report['threads']
    if isinstance(blocks, Mapping):
        blocks = [{'threads': count, **block} for count, block in blocks.items()]
    rows = [
        [
            f'{block.get("runtime", "-")}, {_threads(block)}',
            str(row['level']),
            ratio(row['macs_ratio']),
            f'{row["ms_p50"]:.3f} ms',
            f'{row["ms_p99"]:.3f} ms',
            ratio(row.get('time_ratio')),
        ]
        for block in blocks
        for row in block['exits']
    ]
    facts = [(what, f'{spent:.2f} ms') for what, spent in _spent(report).items()]
    facts += [
        (
            f'a flight at {block["flight"]["operating_point"]}, {_threads(block)}',
            f'{ratio(block["flight"]["mean_time_ratio"])} of the time at '
            f'{ratio(block["flight"]["macs_ratio"])} of the operations',
        )
        for block in blocks
        if block.get('flight')
    ]
    facts += [
        (f'falling through, {_threads(block)}', ratio(block['fall_through_ratio']))
        for block in blocks
        if block.get('fall_through_ratio') is not None
    ]
    return Section(
        'Latency by exit',
        name,
        facts,
        ['runtime', 'exit', 'operations', 'median', '99th percentile', 'time'],
        rows,
        [
            Plot(
                f'Time of a decision by exit, {_threads(block)}.',
                functools.partial(plots.latency, block=block, title=_threads(block)),
            )
            for block in blocks
        ],
    )


def _threads(block: Row) -> str:
    count = block.get('threads', '?')
    return f'{count} thread' + ('' if str(count) == '1' else 's')


def simulator(name: str, report: Row) -> Section:
    """Show how fast the simulator is."""
    return Section(
        'Simulator',
        name,
        [
            ('speed-up over Embree', ratio(report['speedup'])),
            ('pixels within 5 cm', f'{report["agreement"]:.3%}'),
        ],
        plots=[
            _bars(
                'Time of one 84x84 depth image and of one training step.',
                {
                    'ours': report['depth_84_ms'],
                    'Embree': report['embree_84_ms'],
                    'training step': report['env_step_ms'],
                },
                'time [ms]',
            )
        ],
    )


def training_speed(name: str, report: Row) -> Section:
    """Show how fast the learning is."""
    return Section(
        'Training speed',
        name,
        [('ratio', ratio(report['ratio']))],
        plots=[
            _bars(
                'Environment steps per second while learning.',
                {'ours': report['ours_steps_s'], 'Stable-Baselines3': report['sb3_steps_s']},
                'environment steps per second [1/s]',
            )
        ],
    )


def wire(name: str, report: Row) -> Section:
    """Show how fast a depth image comes over ROS and over RPC."""
    return Section(
        'Wire',
        name,
        plots=[
            _bars(
                'Time from an image to its command, and of a depth image over RPC.',
                _spent(report),
                'time [ms]',
            )
        ],
    )


def _spent(report: Row) -> dict[str, float]:
    """Return what a report says of times [ms], by what took them."""
    found = {}
    for key, value in report.items():
        if '_ms' in key and isinstance(value, (int, float)):
            found[key.replace('_ms', '').replace('_', ' ')] = float(value)
        elif key.endswith('_ms') and isinstance(value, Mapping):
            what = key.removesuffix('_ms').replace('_', ' ')
            found |= {f'{what}, {point}': float(spent) for point, spent in value.items()}
    return found


def _bars(caption: str, bars: Mapping[str, float], xlabel: str) -> Plot:
    return Plot(
        caption,
        functools.partial(plots.times, bars=bars, xlabel=xlabel),
        height=1.2 + 0.4 * len(bars),
    )
