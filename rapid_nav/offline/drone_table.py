"""What `rapid-nav evaluate drone` prints of its report."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def show(report: dict[str, Any]) -> None:
    """Print the report as tables that fit a terminal."""
    rows = [*report['points'], *report.get('controls', [])]
    rows += [report['baseline']] if 'baseline' in report else []
    console = Console()
    console.print(_table(
        f'{report["flights"]} flights, cap {report["cap_m"]:g} m, world seeds from '
        f'{report["seed_base"]}',
        ('', 'operations', 'flown', '95 %', 'cells/m', 'cap', 'exits, %'),
        [(row['name'], f'{row["macs_ratio"]:.3f}x', f'{row["msf_m"]:.1f} m',
          ' to '.join(f'{bound:.1f}' for bound in row['msf_ci95']),
          f'{row["coverage"]:.2f}', f'{row["cap_share"]:.0%}',
          ' '.join(f'{100 * share:.0f}' for share in row['exit_shares'])) for row in rows]))
    console.print(_table(
        'Mean safe flight by world, m', ('', *(Path(name).stem for name in report['worlds'])),
        [(row['name'], *(f'{metres:.1f}' for metres in row['by_world'].values()))
         for row in rows]))
    for row in report.get('controls', []):
        metres, (low, high) = row['behind']['m'], row['behind']['ci95']
        console.print(f'{row["behind"]["of"]} flies {metres:+.1f} m ({low:+.1f} to {high:+.1f}) '
                      f'beside {row["name"]}, flight by flight')
    for row in report['points'] if 'baseline' in report else []:
        low, high = row['msf_vs_baseline_ci95']
        console.print(f"{row['name']} keeps {row['msf_vs_baseline']:.3f}x of the baseline's "
                      f'({low:.3f}x to {high:.3f}x), flight by flight')


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(*columns, title=title, box=box.SIMPLE_HEAVY)
    for row in rows:
        table.add_row(*row)
    return table
