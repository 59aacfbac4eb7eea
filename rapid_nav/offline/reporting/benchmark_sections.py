"""What each kind of benchmark has to show."""

from collections.abc import Mapping
import functools

from rapid_nav.drone.flight_stats import Percentiles
from rapid_nav.offline.reporting import kinds, plots
from rapid_nav.offline.reporting.html import Plot, Section
from rapid_nav.offline.reporting.tables import number, ratio


def latency(name: str, report: kinds.LatencyBenchmark) -> Section:
    """Show how long decisions take, for each number of threads."""
    facts = [
        (what, f'median {number(spent.p50, "{:.2f} ms")}, p99 {number(spent.p99, "{:.2f} ms")}')
        for what, spent in (
            ('image to command', report.image_to_command_ms),
            ('full path', report.full_path_ms),
            ('full path beside a trainer', report.full_path_beside_trainer_ms),
        )
        if isinstance(spent, Percentiles)
    ]
    facts += [
        (what, f'{spent:.2f} ms')
        for what, spent in (
            ('depth image over RPC', report.rpc_depth_ms),
            ('by the stock transport', report.rpc_depth_stock_ms),
        )
        if spent is not None
    ]
    for count, times in report.threads.items():
        facts.append((f'falling through, {_threads(count)}', ratio(times.fall_through_ratio)))
        if flown := times.flight:
            facts.append(
                (
                    f'a flight at {flown.operating_point}, {_threads(count)}',
                    f'{ratio(flown.mean_time_ratio)} of the time at '
                    f'{ratio(flown.macs_ratio)} of the operations',
                )
            )
    return Section(
        'Latency by exit',
        name,
        facts,
        ['runtime', 'exit', 'operations', 'median', '99th percentile', 'time'],
        [
            [
                f'{times.runtime}, {_threads(count)}',
                str(row.level),
                ratio(row.macs_ratio),
                f'{row.ms_p50:.3f} ms',
                f'{row.ms_p99:.3f} ms',
                ratio(row.time_ratio),
            ]
            for count, times in report.threads.items()
            for row in times.exits
        ],
        [
            Plot(
                f'Time of a decision by exit, {_threads(count)}.',
                functools.partial(plots.latency, times=times, title=_threads(count)),
            )
            for count, times in report.threads.items()
        ],
    )


def _threads(count: str) -> str:
    return f'{count} thread' + ('' if count == '1' else 's')


def runtimes(name: str, report: kinds.RuntimeBenchmark) -> Section:
    """Show how long a decision takes in each inference runtime."""
    flown = report.int8_flights
    return Section(
        'Inference runtimes',
        name,
        [
            (f'flown by {arithmetic}', f'{row.msf_m:.1f} m at {ratio(row.macs_ratio)}')
            for arithmetic, row in (('floats', flown.float32), ('8-bit integers', flown.int8))
        ]
        if flown
        else [],
        ['runtime', 'first exit', 'full network', 'largest error', 'same action'],
        [
            [
                row.runtime,
                f'{row.first_exit_ms:.3f} ms',
                f'{row.full_ms:.3f} ms',
                f'{row.worst_q:.2g}',
                f'{row.agreement:.1%}',
            ]
            for row in report.runtimes
        ],
    )


def exit_control(name: str, report: kinds.ExitControlBenchmark) -> Section:
    """Show how well budgets and deadlines were kept."""
    deadline = report.deadline
    return Section(
        'Budgets and deadlines',
        name,
        [
            (
                f'within {deadline.deadline_ms:g} ms, {what}',
                f'{row.inside:.1%} of {row.decisions} decisions',
            )
            for what, row in (
                ('alone', deadline.idle),
                (f'beside {deadline.busy_processes} busy processes', deadline.loaded),
            )
        ],
        ['budget', 'spent', 'full network forced', 'worst error after 200 decisions'],
        [
            [
                ratio(row.budget),
                ratio(row.mean),
                f'{row.deep:.1%}',
                number(row.worst_off_after_200, '{:.1%}'),
            ]
            for row in report.budgets
        ],
    )


def simulator(name: str, report: kinds.SimulatorBenchmark) -> Section:
    """Show how fast the simulator is."""
    return Section(
        'Simulator',
        name,
        [
            ('speed-up over Embree', ratio(report.speedup)),
            ('pixels within 5 cm', f'{report.agreement:.3%}'),
        ],
        plots=[
            _bars(
                'Time of one 84x84 depth image and of one training step.',
                {
                    'ours': report.depth_84_ms,
                    'Embree': report.embree_84_ms,
                    'training step': report.env_step_ms,
                },
                'time [ms]',
            )
        ],
    )


def training_speed(name: str, report: kinds.TrainingBenchmark) -> Section:
    """Show how fast the learning is."""
    return Section(
        'Training speed',
        name,
        [('task', report.task), ('ratio', ratio(report.ratio))],
        plots=[
            _bars(
                'Environment steps per second while learning.',
                {'ours': report.ours_steps_s, 'Stable-Baselines3': report.sb3_steps_s},
                'environment steps per second [1/s]',
            )
        ],
    )


def _bars(caption: str, bars: Mapping[str, float], xlabel: str) -> Plot:
    return Plot(
        caption,
        functools.partial(plots.times, bars=bars, xlabel=xlabel),
        height=1.2 + 0.4 * len(bars),
    )
