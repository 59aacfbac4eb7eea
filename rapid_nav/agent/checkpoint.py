"""Checkpoints: weights in safetensors beside the settings that shaped them. Never a pickle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.atomic_write import write_atomically
from rapid_nav.inference import policy_package
from rapid_nav.inference.checkpoint_format import (
    check_finite,
    CheckpointError,
    CheckpointMetadata,
    read_weights,
)
from rapid_nav.inference.policy_package import PolicyPackage

__all__ = ['Checkpoint', 'CheckpointError', 'load', 'save']


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it needs to be used."""

    network: EarlyExitNetwork
    task: Mapping[str, Any]  # the task's own settings; the core does not look inside
    operating_points: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)  # seed, steps, scores, commit

    @property
    def metadata(self) -> CheckpointMetadata:
        """All of it but the weights."""
        return CheckpointMetadata(self.network.config, self.task, self.operating_points, self.card)

    def thresholds(self, name: str) -> tuple[float, ...]:
        """Return an operating point's thresholds; ValueError names those that there are."""
        return self.metadata.thresholds(name)

    def package(self) -> PolicyPackage:
        """Return it in the form that decides without PyTorch."""
        weights = {
            name: weight.detach().cpu().float().numpy()
            for name, weight in self.network.state_dict().items()
        }
        return policy_package.from_weights(self.metadata, weights)


def save(path: Path | str, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> None:
    """
    Write a checkpoint; a reader sees the old file or the new one, never a part.

    CheckpointError, and nothing is written, if a weight is NaN or infinite: it could not fly.
    """
    tensors = {
        name: tensor.detach().to('cpu', dtype).contiguous()
        for name, tensor in checkpoint.network.state_dict().items()
    }
    try:
        check_finite({name: tensor.float().numpy() for name, tensor in tensors.items()})
    except ValueError as error:
        raise CheckpointError(f'{path}: not written, for {error}') from error
    metadata = {'rapid_nav': checkpoint.metadata.to_json()}
    write_atomically(Path(path), safetensors.torch.save(tensors, metadata))


def load(path: Path | str, device: str = 'cpu') -> Checkpoint:
    """Read a checkpoint; CheckpointError says what is wrong with the file and what to do."""
    metadata, weights = read_weights(Path(path))
    network = EarlyExitNetwork(metadata.network).to(device)
    network.load_state_dict({name: torch.from_numpy(weight) for name, weight in weights.items()})
    return Checkpoint(network.eval(), metadata.task, metadata.operating_points, metadata.card)
