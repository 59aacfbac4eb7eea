"""The folder of a training run: one process at a time, and never another run's state."""

from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import fcntl
import logging
import os
from pathlib import Path
import sys
from types import NoneType
from typing import Any
import zlib

import numpy as np

from rapid_nav.agent import checkpoint, training_state
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.training_state import Arrays, StateError
from rapid_nav.atomic_write import temporary_prefix

log = logging.getLogger(__name__)
_NAMED = 4  # settings that differ, in a message


class RunDirectory:
    """
    Where a run with these settings keeps its checkpoint and its state; a context that locks it.

    A run goes on only from a state of the same settings. The lock ends with its process, however
    that ends.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path = path
        self.settings = flat(settings)

    @property
    def policy(self) -> Path:
        """The newest checkpoint."""
        return self.path / 'policy.safetensors'

    @property
    def state(self) -> Path:
        """What an interrupted run goes on from."""
        return self.path / 'state.safetensors'

    def __enter__(self) -> 'RunDirectory':
        """Lock the folder; ValueError names the process that holds it."""
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = (self.path / '.lock').open('a+')
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or 'another process'
            self._lock.close()
            raise ValueError(
                f'{self.path} is in use by {holder}; wait for its end, or name another folder'
            ) from None
        self._lock.truncate(0)
        self._lock.write(f'process {os.getpid()} ({" ".join(sys.argv)[:200]})')
        self._lock.flush()
        for path in (self.policy, self.state):  # what a killed process left behind
            for temporary in self.path.glob(f'{temporary_prefix(path)}*'):
                temporary.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def load(self) -> Arrays | None:
        """Return the saved state, None without one; ValueError if it is of other settings."""
        if not self.state.exists():
            return None
        state = training_state.load(self.state)
        if training_state.SETTINGS not in state:
            log.warning('%s was saved by version 0.1, without its settings', self.state)
            return state
        check_same(
            self.path, training_state.decode_json(state[training_state.SETTINGS]), self.settings
        )
        return state

    def restore(self, loop: Any, state: Arrays) -> None:
        """Put a state into whatever has `load_state_dict`; StateError names the file."""
        try:
            loop.load_state_dict(state)
        except StateError as error:
            raise StateError(
                f'{self.state}: this run cannot go on from it, {error}; name another folder, or '
                'delete it to start anew'
            ) from error

    def save(self, made: Checkpoint | None, state: Mapping[str, np.ndarray]) -> str:
        """Replace checkpoint and state; return why that is not possible now, or ''."""
        try:
            if made is not None:
                checkpoint.save(self.policy, made)
            training_state.save(
                self.state,
                {**state, training_state.SETTINGS: training_state.encode_json(self.settings)},
            )
        except OSError as error:
            return f'{error.filename or self.path}: {error.strerror or error}'
        return ''


def settings_of(config: Any, ignore: Sequence[str] = ()) -> dict[str, Any]:
    """Return a settings dataclass as plain values; of files, what they hold counts."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return settings_of(value)
        if isinstance(value, (tuple, list)):
            return [plain(one) for one in value]
        if isinstance(value, Path) and value.is_file():
            return f'{value.name} ({zlib.crc32(value.read_bytes()):08x})'
        return value

    return {
        field.name: plain(getattr(config, field.name))
        for field in dataclasses.fields(config)
        if field.name not in ignore
    }


def flat(values: Any, name: str = '') -> dict[str, Any]:
    """Return nested values as JSON values with dotted names."""
    if isinstance(values, Mapping):
        entries: Iterable[tuple[Any, Any]] = values.items()
    elif isinstance(values, (list, tuple)):
        entries = enumerate(values)
    else:
        return {name: values if isinstance(values, (str, int, float, NoneType)) else str(values)}
    found: dict[str, Any] = {}
    for key, value in entries:
        found |= flat(value, f'{name}.{key}' if name else str(key))
    return found


def check_same(where: Path, saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raise ValueError that names the settings that differ; both are `flat`."""
    differing = [
        f'{name} is {saved.get(name, "not set")} there and {wanted.get(name, "not set")} here'
        for name in sorted({**saved, **wanted})
        if saved.get(name) != wanted.get(name)
    ]
    if differing:
        more = len(differing) - _NAMED
        raise ValueError(
            f'{where} holds another training run: {", ".join(differing[:_NAMED])}'
            f'{f" and {more} more settings" if more > 0 else ""}; give it the same settings to go '
            'on, or name another folder'
        )
