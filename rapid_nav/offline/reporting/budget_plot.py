"""The picture of budgets held in flight."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rapid_nav.inference.exit_control import BudgetConfig
from rapid_nav.offline.reporting.plots import figure, LINES, STYLES


def budgets_held(held: Sequence[tuple[float, np.ndarray]], decisions: int, path: Path) -> None:
    """
    Draw the running mean of what decisions cost under each budget.

    `held` has a budget and the operations of each decision (D,), both as shares of the full
    network's; a new world begins every `decisions`.
    """
    promise = BudgetConfig()
    path.parent.mkdir(parents=True, exist_ok=True)
    with figure() as (made, axes):
        for (budget, spent), color, style in zip(held, LINES, STYLES * 2, strict=False):
            count = np.arange(1, len(spent) + 1)
            axes.fill_between(
                count[promise.window - 1 :],
                (1 - promise.tolerance) * budget,
                (1 + promise.tolerance) * budget,
                color=color,
                alpha=0.25,
                linewidth=0,
            )
            mean = np.cumsum(spent) / count
            axes.plot(count, mean, style, color=color, label=f'budget {budget:g}')
        for change in range(decisions, len(held[0][1]), decisions):
            axes.axvline(change, color='0.6', linewidth=0.8)
        axes.set_xlabel('decision (grey lines: another world)')
        axes.set_ylabel("mean operations so far,\nshare of the full network's")
        axes.set_ylim(0.0, 1.5 * max(budget for budget, _ in held))
        axes.legend(title=f'bands: within {promise.tolerance:.0%}')
        made.savefig(path, dpi=150)
