"""Checkpoints: weights in safetensors beside the settings that shaped them. Never a pickle."""

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference.checkpoint_format import (
    About,
    broken,
    CheckpointError,
    read_weights,
    write_atomically,
)

__all__ = ['Checkpoint', 'CheckpointError', 'load', 'save', 'with_card']


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and what it needs to be used."""

    network: EarlyExitNetwork
    task: Mapping[str, Any]  # the task's own settings; the core does not look inside
    operating_points: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)  # seed, steps, scores, commit

    @property
    def about(self) -> About:
        """All of it but the weights."""
        return About(self.network.config, self.task, self.operating_points, self.card)

    def thresholds(self, name: str) -> tuple[float, ...]:
        """Return an operating point's thresholds; ValueError names those that there are."""
        return self.about.thresholds(name)


def save(path: Path | str, checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> None:
    """Write a checkpoint; a reader sees the old file or the new one, never a part."""
    tensors = {
        name: tensor.detach().to('cpu', dtype).contiguous()
        for name, tensor in checkpoint.network.state_dict().items()
    }
    about = {'rapid_nav': checkpoint.about.to_json()}
    write_atomically(Path(path), safetensors.torch.save(tensors, about))


def load(path: Path | str, device: str = 'cpu') -> Checkpoint:
    """Read a checkpoint; CheckpointError says what is wrong with the file and what to do."""
    path = Path(path)
    about, weights = read_weights(path)
    network = EarlyExitNetwork(about.network).to(device)
    try:
        network.load_state_dict(
            {name: torch.from_numpy(weight) for name, weight in weights.items()}
        )
    except RuntimeError as error:
        raise broken(path, error) from error
    return Checkpoint(network.eval(), about.task, about.operating_points, about.card)


def with_card(checkpoint: Checkpoint, **entries: Any) -> Checkpoint:
    """Return the checkpoint with entries added to its card."""
    return dataclasses.replace(checkpoint, card={**checkpoint.card, **entries})
