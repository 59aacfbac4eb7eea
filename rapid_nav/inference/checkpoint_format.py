"""What a policy's file says beside its weights, and how such files are read and written."""

from collections.abc import Iterator, Mapping
import contextlib
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from rapid_nav.inference.exit_rule import NEVER
from rapid_nav.inference.network_config import network_from_dict, NetworkConfig

FORMAT = 1


class CheckpointError(ValueError):
    """A file that is no usable checkpoint; the message names it, the fault and the remedy."""


@dataclass(frozen=True)
class CheckpointMetadata:
    """A policy's settings, operating points and history."""

    network: NetworkConfig
    task: Mapping[str, Any]  # the task's own settings; the core does not look inside
    operating_points: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)  # seed, steps, scores, commit

    def thresholds(self, name: str) -> tuple[float, ...]:
        """Return an operating point's thresholds; ValueError names those that there are."""
        if name == 'full':
            return (NEVER,) * (len(self.network.stages) - 1)
        if name not in self.operating_points:
            known = ', '.join([*self.operating_points, 'full'])
            raise ValueError(f'no operating point {name!r} in this checkpoint; it has {known}')
        return tuple(self.operating_points[name])

    def to_json(self, **more: Any) -> str:
        """Return it as JSON, with further entries."""
        return json.dumps(
            {
                'format': FORMAT,
                'network': asdict(self.network),
                'task': dict(self.task),
                'operating_points': {k: list(v) for k, v in self.operating_points.items()},
                'card': dict(self.card),
                **more,
            }
        )

    @staticmethod
    def from_json(text: str | bytes) -> 'CheckpointMetadata':
        """Rebuild it; KeyError, TypeError, AttributeError or ValueError if it is not whole."""
        about = json.loads(text)
        if about['format'] != FORMAT:
            raise ValueError(f'format {about["format"]}, this version reads {FORMAT}')
        points = {
            name: tuple(map(float, point)) for name, point in about['operating_points'].items()
        }
        return CheckpointMetadata(
            network_from_dict(about['network']), about['task'], points, about['card']
        )


def read_weights(path: Path) -> tuple[CheckpointMetadata, dict[str, np.ndarray]]:
    """Read a checkpoint's settings and weights (float32); CheckpointError if it is not whole."""
    with _opened(path) as file:
        about = CheckpointMetadata.from_json((file.metadata() or {})['rapid_nav'])
        names = list(file.keys())  # it is no dict
        return about, {name: file.get_tensor(name).astype(np.float32) for name in names}


def read_metadata(path: Path) -> CheckpointMetadata:
    """Read a checkpoint's settings alone; CheckpointError if it is not whole."""
    with _opened(path) as file:
        return CheckpointMetadata.from_json((file.metadata() or {})['rapid_nav'])


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint; train one or name another file')
    try:
        with safetensors.safe_open(str(path), framework='np') as file:
            yield file
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        safetensors.SafetensorError,
    ) as error:
        raise broken(path, error) from error


def broken(path: Path, error: Exception) -> CheckpointError:
    """Return the error that says what is wrong with a file and what to do."""
    return CheckpointError(
        f'{path}: not a whole rapid_nav checkpoint ({error}); copy or train it again'
    )
