"""The progress of a training run in the terminal, beside its log."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rapid_nav.agent.metrics_log import MetricsLog

_CONSOLE = Console()
SHOWN = ('return', 'length', 'epsilon', 'td_error', 'regret_0', 'confidence_0')


def say(line: str) -> None:
    """Show a line, unbroken."""
    _CONSOLE.print(line, soft_wrap=True, highlight=False)


class ProgressBar:
    """Takes a run's figures; a context, since bar and log are open in between."""

    def __init__(self, folder: Path, total_steps: int, first_step: int = 0) -> None:
        self.log, self.total, self.first = MetricsLog(folder, first_step), total_steps, first_step
        self.bar = Progress(
            TextColumn('{task.completed:,.0f} of {task.total:,.0f} steps'),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn('{task.fields[figures]}'),
            console=_CONSOLE,
            disable=not _CONSOLE.is_terminal,
        )

    def __enter__(self) -> 'ProgressBar':
        self.log.__enter__()
        self.bar.start()
        self.task = self.bar.add_task('', total=self.total, completed=self.first, figures='')
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        self.log.__exit__()

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        """Show the figures of a step and log them."""
        rate = self.log(step, metrics)
        figures = f'{rate:.0f}/s  ' + '  '.join(
            f'{name} {metrics[name]:.3g}' for name in SHOWN if name in metrics
        )
        self.bar.update(self.task, completed=step, figures=figures)
        if not _CONSOLE.is_terminal:
            say(f'{step:,} of {self.total:,} steps  {figures}')
