"""The log of a training run: a file of JSON lines, and TensorBoard events."""

from collections.abc import Mapping
import contextlib
import errno
import json
import logging
from pathlib import Path
import time
from typing import Any

from rapid_nav.atomic_write import write_atomically

log = logging.getLogger(__name__)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows but for an unfinished last line; ValueError names a line that is none."""
    rows = []
    lines = path.read_bytes().split(b'\n')
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line or b'null')
        except ValueError:
            row = None
        if isinstance(row, dict) and 'step' in row:
            rows.append(row)
        elif line and number < len(lines):
            raise ValueError(f'{path}, line {number}: no row of a training log; remove the line')
    return rows


class MetricsLog:
    """
    Takes a run's figures; a context, since the events file is open in between.

    Rows behind `first_step` are those of a run that goes on from an earlier state: they are cut.
    When the disk is full, rows wait for the next one.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        self.folder, self.first = folder, first_step
        self.path = folder / 'log.jsonl'
        self.began = time.monotonic()
        self.unwritten = b''
        self.events: Any = None

    def __enter__(self) -> 'MetricsLog':
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            rows = [row for row in read_rows(self.path) if 0 < row['step'] <= self.first]
            write_atomically(self.path, ''.join(f'{json.dumps(row)}\n' for row in rows))
            self.began -= rows[-1].get('seconds', 0.0) if rows else 0.0
        return self

    def __exit__(self, *_: object) -> None:
        if self.events is not None:
            with contextlib.suppress(OSError):
                self.events.close()

    def __call__(self, step: int, metrics: Mapping[str, float]) -> float:
        """Write the figures of a step; return the steps per second so far."""
        seconds = time.monotonic() - self.began
        rate = step / max(seconds, 1e-9)
        row = {
            'step': step,
            'seconds': round(seconds, 1),
            'steps_per_second': round(rate, 1),
            **metrics,
        }
        self.unwritten += f'{json.dumps(row)}\n'.encode()
        try:
            append(self.path, self.unwritten)
            self.unwritten = b''
            self._write_events(step, row)
        except OSError as error:
            self.events = None
            log.warning('%s: %s; the log is written later', self.path, error.strerror or error)
        return rate

    def _write_events(self, step: int, row: Mapping[str, float]) -> None:
        if self.events is None:
            from torch.utils.tensorboard import SummaryWriter

            self.events = SummaryWriter(str(self.folder / 'events'), purge_step=self.first)
        for name, value in row.items():
            if name != 'step':
                self.events.add_scalar(name, value, step)


def append(path: Path, content: bytes) -> None:
    """Append all of it or nothing."""
    with path.open('ab', buffering=0) as file:
        size = file.tell()
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, 'no space left', str(path))
        except OSError:
            file.truncate(size)
            raise
