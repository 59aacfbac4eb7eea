"""What a training shows while it runs: a progress bar, beside its log and events."""

from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from rapid_nav.agent.metrics_log import LearningLog
from rapid_nav.offline.training.loop import Progress

SHOWN = ('return', 'length', 'epsilon', 'td_error', 'regret_0', 'confidence_0')


class TrainingLog:
    """Takes a training's reports; a context, since bar and files are open in between."""

    def __init__(self, folder: Path, total_steps: int, first_step: int = 0) -> None:
        self.log, self.total, self.first = LearningLog(folder, first_step), total_steps, first_step
        self.console = Console()
        self.bar = Bar(
            TextColumn('{task.completed:,.0f} of {task.total:,.0f} steps'),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn('{task.fields[figures]}'),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> 'TrainingLog':
        self.log.__enter__()
        self.bar.start()
        self.task = self.bar.add_task('', total=self.total, completed=self.first, figures='')
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()
        self.log.__exit__(kind, error, trace)

    def __call__(self, progress: Progress) -> None:
        """Take one report."""
        rate = self.log(progress.step, progress.metrics)
        figures = f'{rate:.0f}/s  ' + '  '.join(
            f'{name} {progress.metrics[name]:.3g}' for name in SHOWN if name in progress.metrics
        )
        self.bar.update(self.task, completed=progress.step, figures=figures)
        if not self.console.is_terminal:
            self.console.print(
                f'{progress.step:,} of {self.total:,} steps  {figures}',
                soft_wrap=True,
                highlight=False,
            )
