"""Checkpoints: weights in safetensors beside the settings that shaped them. Never a pickle."""

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
import json
import os
from pathlib import Path
import tempfile
from typing import Any

import safetensors
import safetensors.torch
import torch

from rapid_nav.core.config import network_from_dict, to_dict
from rapid_nav.core.network import EarlyExitNetwork

FORMAT = 1


class CheckpointError(ValueError):
    """A file that is no usable checkpoint; the message names it, the fault and the remedy."""


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it needs to be used."""

    network: EarlyExitNetwork
    task: Mapping[str, Any]  # the task's own settings; the core does not look inside
    operating_points: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)  # seed, steps, scores, commit

    def thresholds(self, name: str) -> tuple[float, ...]:
        """Return an operating point's thresholds; ValueError names those that there are."""
        if name == 'full':
            return (1.5,) * (self.network.num_levels - 1)
        if name not in self.operating_points:
            known = ', '.join([*self.operating_points, 'full'])
            raise ValueError(f'no operating point {name!r} in this checkpoint; it has {known}')
        return tuple(self.operating_points[name])


def save(path: Path | str, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint; a reader sees the old file or the new one, never a part."""
    path = Path(path)
    about = {
        'format': FORMAT,
        'network': to_dict(checkpoint.network.config),
        'task': dict(checkpoint.task),
        'operating_points': {k: list(v) for k, v in checkpoint.operating_points.items()},
        'card': dict(checkpoint.card),
    }
    tensors = {
        name: tensor.detach().to('cpu', dtype).contiguous()
        for name, tensor in checkpoint.network.state_dict().items()
    }
    write_atomically(path, safetensors.torch.save(tensors, {'rapid_nav': json.dumps(about)}))


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place, then rename it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path | str, device: str = 'cpu') -> Checkpoint:
    """Read a checkpoint; CheckpointError says what is wrong with the file and what to do."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f'{path}: no such checkpoint; train one or name another file')
    try:
        with safetensors.safe_open(str(path), framework='pt', device=device) as file:
            about = json.loads((file.metadata() or {})['rapid_nav'])
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        if about['format'] != FORMAT:
            raise ValueError(f'format {about["format"]}, this version reads {FORMAT}')
        network = EarlyExitNetwork(network_from_dict(about['network'])).to(device)
        network.load_state_dict(tensors)
        points = {name: tuple(map(float, point))
                  for name, point in about['operating_points'].items()}
        return Checkpoint(network.eval(), about['task'], points, about['card'])
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError,
            safetensors.SafetensorError) as error:
        raise CheckpointError(
            f'{path}: not a whole rapid_nav checkpoint ({error}); copy or train it again'
        ) from error


def with_card(checkpoint: Checkpoint, **entries: Any) -> Checkpoint:
    """Return the checkpoint with entries added to its card."""
    return dataclasses.replace(checkpoint, card={**checkpoint.card, **entries})
