"""What a training shows while it runs: a progress bar, a JSON-lines log, TensorBoard events."""

import json
from pathlib import Path
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from rapid_nav.offline.train import Progress

SHOWN = ('return', 'length', 'epsilon', 'td_error', 'regret_0', 'confidence_0')


class TrainingLog:
    """Takes a training's reports; a context, since bar and files are open in between."""

    def __init__(self, folder: Path, total_steps: int, first_step: int = 0) -> None:
        self.folder, self.total, self.first = folder, total_steps, first_step
        self.began = time.monotonic()
        self.console = Console()
        self.bar = Bar(
            TextColumn('{task.completed:,.0f} of {task.total:,.0f} steps'), BarColumn(),
            TimeRemainingColumn(), TextColumn('{task.fields[figures]}'), console=self.console,
            disable=not self.console.is_terminal)

    def __enter__(self) -> 'TrainingLog':
        from torch.utils.tensorboard import SummaryWriter

        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines = (self.folder / 'log.jsonl').open('a')
        self.events = SummaryWriter(str(self.folder / 'events'), purge_step=self.first)
        self.bar.start()
        self.task = self.bar.add_task('', total=self.total, completed=self.first, figures='')
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()
        self.events.close()
        self.lines.close()

    def __call__(self, progress: Progress) -> None:
        """Take one report."""
        seconds = time.monotonic() - self.began
        rate = (progress.step - self.first) / max(seconds, 1e-9)
        row = {'step': progress.step, 'seconds': round(seconds, 1),
               'steps_per_second': round(rate, 1), **progress.metrics}
        self.lines.write(json.dumps(row) + '\n')
        self.lines.flush()
        for name, value in row.items():
            if name != 'step':
                self.events.add_scalar(name, value, progress.step)
        figures = f'{rate:.0f}/s  ' + '  '.join(
            f'{name} {progress.metrics[name]:.3g}' for name in SHOWN if name in progress.metrics)
        self.bar.update(self.task, completed=progress.step, figures=figures)
        if not self.console.is_terminal:
            self.console.print(f'{progress.step:,} of {self.total:,} steps  {figures}',
                               soft_wrap=True, highlight=False)
