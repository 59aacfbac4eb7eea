"""What a training leaves behind of its progress: a JSON-lines log and TensorBoard events."""

from collections.abc import Mapping
import json
from pathlib import Path
import time
from types import TracebackType


class LearningLog:
    """Takes figures now and then; a context, since files are open in between."""

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        self.folder, self.first = folder, first_step
        self.began = time.monotonic()

    def __enter__(self) -> 'LearningLog':
        from torch.utils.tensorboard import SummaryWriter

        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines = (self.folder / 'log.jsonl').open('a')
        self.events = SummaryWriter(str(self.folder / 'events'), purge_step=self.first)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.events.close()
        self.lines.close()

    def __call__(self, step: int, metrics: Mapping[str, float]) -> float:
        """Write the figures of a step; return how many steps passed in a second so far."""
        seconds = time.monotonic() - self.began
        rate = (step - self.first) / max(seconds, 1e-9)
        row = {
            'step': step,
            'seconds': round(seconds, 1),
            'steps_per_second': round(rate, 1),
            **metrics,
        }
        self.lines.write(json.dumps(row) + '\n')
        self.lines.flush()
        for name, value in row.items():
            if name != 'step':
                self.events.add_scalar(name, value, step)
        return rate
