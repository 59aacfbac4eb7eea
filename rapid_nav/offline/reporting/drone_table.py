"""What `rapid-nav evaluate drone` prints of its report."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]


def show(report: Row) -> None:
    """Print the report as tables that fit a terminal."""
    rows = [*report['points'], *report.get('controls', [])]
    rows += [report['baseline']] if 'baseline' in report else []
    console = Console()
    console.print(
        _table(
            f'{report["flights"]} flights, cap {report["cap_m"]:g} m, world seeds from '
            f'{report["seed_base"]}',
            ('', 'operations', 'flown', '95 %', 'cells/m', 'cap', 'exits, %'),
            [
                (
                    row['name'],
                    f'{row["macs_ratio"]:.3f}x',
                    f'{row["msf_m"]:.1f} m',
                    ' to '.join(f'{bound:.1f}' for bound in row['msf_ci95']),
                    f'{row["coverage"]:.2f}',
                    f'{row["cap_share"]:.0%}',
                    ' '.join(f'{100 * share:.0f}' for share in row['exit_shares']),
                )
                for row in rows
            ],
        )
    )
    console.print(
        _table(
            'Mean safe flight by world, m',
            ('', *(Path(name).stem for name in report['worlds'])),
            [
                (row['name'], *(f'{metres:.1f}' for metres in row['by_world'].values()))
                for row in rows
            ],
        )
    )
    if report.get('controls'):
        console.print(_beside(report))
    for row in report['points'] if 'baseline' in report else []:
        low, high = row['msf_vs_baseline_ci95']
        console.print(
            f"{row['name']} keeps {row['msf_vs_baseline']:.3f}x of the baseline's "
            f'distance ({low:.3f}x to {high:.3f}x)'
        )


def _beside(report: Row) -> Table:
    """Return how much farther a point flies than its controls, and what decisions lose."""
    name = report['controls'][0]['behind']['of']
    point = next(row for row in report['points'] if row['name'] == name)
    return _table(
        f'{name} beside its controls, flight by flight',
        ('', 'farther', '95 %', 'Q lost'),
        [
            (
                row['name'],
                f'{lead["m"]:+.1f} m' if lead else '',
                ' to '.join(f'{bound:+.1f}' for bound in lead['ci95']) if lead else '',
                f'{row["regret"]:.4f}' if 'regret' in row else '',
            )
            for row in (point, *report['controls'])
            for lead in (row.get('behind'),)
        ],
    )


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(*columns, title=title, box=box.SIMPLE_HEAVY)
    for row in rows:
        table.add_row(*row)
    return table
