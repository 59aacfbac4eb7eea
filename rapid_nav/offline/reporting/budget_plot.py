"""The picture of budgets held in flight."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rapid_nav.inference.exit_control import BudgetConfig
from rapid_nav.offline.reporting.plots import figure, LINES, STYLES


def budgets_held(rows: Sequence[dict[str, Any]], decisions: int, path: Path) -> None:
    """Draw the running mean of what decisions cost, under each budget, so many in each world."""
    promise = BudgetConfig()
    with figure() as (made, axes):
        for row, color, style in zip(rows, LINES, STYLES * 2, strict=False):
            count = np.arange(1, len(row['spent']) + 1)
            axes.fill_between(
                count[promise.window - 1 :],
                (1 - promise.tolerance) * row['budget'],
                (1 + promise.tolerance) * row['budget'],
                color=color,
                alpha=0.25,
                linewidth=0,
            )
            axes.plot(
                count,
                np.cumsum(row['spent']) / count,
                style,
                color=color,
                label=f'budget {row["budget"]:g}',
            )
        for change in range(decisions, len(rows[0]['spent']), decisions):
            axes.axvline(change, color='0.6', linewidth=0.8)
        axes.set_xlabel('decision (grey lines: another world)')
        axes.set_ylabel("mean operations so far,\nshare of the full network's")
        axes.set_ylim(0.0, 1.5 * max(row['budget'] for row in rows))
        axes.legend(title=f'bands: within {promise.tolerance:.0%}')
        made.savefig(path, dpi=150)
