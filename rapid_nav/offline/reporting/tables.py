"""The policies of an evaluation as a table, on a page and in a terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rapid_nav.offline.reporting.kinds import (
    AtariRow,
    DroneEvaluation,
    DroneRow,
    Evaluation,
    EvaluationRow,
    Lead,
)

Column = tuple[str, list[str]]
"""A heading and its cells."""


def rows_of(report: Evaluation) -> list[EvaluationRow]:
    """Return all policies: points, controls, baseline."""
    baseline = [report.baseline] if report.baseline else []
    return [*report.points, *report.controls, *baseline]


def columns(report: Evaluation) -> dict[str, list[str]]:
    """Return what there is to say of each policy, by heading; what no row says is left out."""
    rows = rows_of(report)
    drone = [row for row in rows if isinstance(row, DroneRow)]
    games = [row for row in rows if isinstance(row, AtariRow)]
    unit = ' m' if drone else ''
    found = {
        '': [row.name for row in rows],
        'operations': [f'{row.macs_ratio:.3f}x' for row in rows],
        'flown' if drone else 'score': [f'{row.value:.1f}{unit}' for row in rows],
        '95 %': [interval(row.value_ci95) for row in rows],
        'of the baseline': [ratio(row.vs_baseline) for row in rows],
        'lead over it': [lead(row.behind) for row in drone],
        'of a human': [ratio(row.human_normalised) for row in games],
        'of the DQN of 2015': [ratio(row.dqn_normalised) for row in games],
        'of a Nature DQN': [ratio(row.macs_vs_nature) for row in rows],
        'Q lost': [number(row.regret, '{:.4f}') for row in rows],
        'cells/m': [f'{row.coverage:.2f}' for row in drone],
        'cap': [f'{row.cap_share:.0%}' for row in drone],
        'exits, %': [' '.join(f'{100 * s:.0f}' for s in row.exit_shares) for row in rows],
    }
    return {name: cells for name, cells in found.items() if set(cells) - {'-'}}


def show(report: Evaluation) -> None:
    """Print an evaluation as tables that fit a terminal of any width."""
    found = columns(report)
    if not isinstance(report, DroneEvaluation):
        print_table(
            f'{report.game}: {report.episodes} games, protocol {report.protocol} '
            f'({report.protocol_about})',
            [column for column in found.items() if column[0] not in ('of a Nature DQN', 'Q lost')],
        )
        return
    shown = ('', 'operations', 'flown', '95 %', 'cells/m', 'cap', 'exits, %')
    print_table(
        f'{report.flights} flights, cap {report.cap_m:g} m, world seeds from {report.seed_base}',
        [(name, found[name]) for name in shown],
    )
    rows = [row for row in rows_of(report) if isinstance(row, DroneRow)]
    print_table(
        'Mean safe flight by world, m',
        [
            ('', found['']),
            *(
                (Path(world).stem, [number(row.by_world.get(world), '{:.1f}') for row in rows])
                for world in report.worlds
            ),
        ],
    )
    if 'lead over it' in found:
        point = next(row.behind.of for row in report.controls if row.behind)
        kept = [i for i, row in enumerate(rows) if row.behind or row.name == point]
        print_table(
            f'How much farther {point} flies than its controls, flight by flight',
            [
                (name, [found[name][i] for i in kept])
                for name in ('', 'lead over it', 'Q lost')
                if name in found
            ],
        )
    for row in report.points:
        if row.msf_vs_baseline is not None and row.msf_vs_baseline_ci95 is not None:
            low, high = row.msf_vs_baseline_ci95
            Console().print(
                f"{row.name} keeps {row.msf_vs_baseline:.3f}x of the baseline's "
                f'distance ({low:.3f}x to {high:.3f}x)',
                markup=False,
            )


def print_table(title: str, table: Sequence[Column]) -> None:
    """Print columns, as many below each other as the terminal is too narrow for, none cut."""
    console = Console()
    first, *others = table
    for block in _blocks(console, first, others):
        console.print(_rich([first, *block], title))
        title = ''


def _blocks(console: Console, first: Column, others: Sequence[Column]) -> Iterator[list[Column]]:
    """Yield as many columns at a time as fit beside the first one."""
    block: list[Column] = []
    options = console.options.update(max_width=10_000)
    for column in others:
        wide = console.measure(_rich([first, *block, column]), options=options).maximum
        if block and wide > console.width:
            yield block
            block = []
        block.append(column)
    yield block


def _rich(table: Sequence[Column], title: str = '') -> Table:
    made = Table(title=title or None, box=box.SIMPLE_HEAVY)
    for name, _ in table:
        made.add_column(Text(name), overflow='fold')
    for cells in zip(*(cells for _, cells in table), strict=True):
        made.add_row(*map(Text, cells))  # which a name in brackets stays whole in
    return made


def interval(bounds: Sequence[float], form: str = '{:.1f}') -> str:
    """Return an interval as text."""
    return ' to '.join(form.format(bound) for bound in bounds)


def lead(ahead: Lead | None) -> str:
    """Return a lead as text, with its interval."""
    return '-' if ahead is None else f'{ahead.m:+.1f} m ({interval(ahead.ci95, "{:+.1f}")})'


def ratio(value: float | None) -> str:
    """Return a ratio as text, 0.25x say."""
    return number(value, '{:.2f}x')


def number(value: float | None, form: str) -> str:
    """Return a figure in some form, or a dash for none."""
    return '-' if value is None else form.format(value)
