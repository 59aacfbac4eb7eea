"""Everything a training needs to go on as if it had never stopped, as named arrays in one file."""

from collections.abc import Mapping
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch

Arrays = dict[str, np.ndarray]


class StateError(ValueError):
    """A file that no training can go on from; the message names it and the remedy."""


def save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays; whoever reads sees the last whole state, even after a kill -9."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.part')
    safetensors.numpy.save_file(
        {name: np.asarray(array, order='C') for name, array in arrays.items()}, str(temporary)
    )
    with temporary.open('rb') as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load(path: Path) -> Arrays:
    """Read the arrays; StateError if the file is not whole."""
    try:
        return safetensors.numpy.load_file(str(path))
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise StateError(
            f'{path}: no training state to go on from ({error}); delete it to start anew'
        ) from error


def prefixed(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays with a prefix and a dot before each name."""
    return {f'{prefix}.{name}': array for name, array in arrays.items()}


def part(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays that `prefixed` put under the prefix."""
    start = f'{prefix}.'
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def from_json(value: object) -> np.ndarray:
    """Return any JSON value as an array (bytes,) uint8."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8).copy()


def to_json(array: np.ndarray) -> Any:
    """Return the JSON value that `from_json` stored."""
    return json.loads(array.tobytes())


def from_generator(rng: np.random.Generator) -> np.ndarray:
    """Return a random generator's state."""
    return from_json(rng.bit_generator.state)


def to_generator(rng: np.random.Generator, array: np.ndarray) -> None:
    """Put a random generator into a state."""
    rng.bit_generator.state = to_json(array)


def from_module(module: torch.nn.Module) -> Arrays:
    """Return a module's weights."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()
    }


def to_module(module: torch.nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put weights into a module."""
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def from_optimizer(optimizer: torch.optim.Optimizer) -> Arrays:
    """Return the moments and step counts of an optimizer."""
    return {
        f'{index}.{name}': value.detach().cpu().numpy().copy()
        for index, moments in optimizer.state_dict()['state'].items()
        for name, value in moments.items()
    }


def to_optimizer(optimizer: torch.optim.Optimizer, arrays: Mapping[str, np.ndarray]) -> None:
    """Put moments and step counts into an optimizer of the same parameters."""
    parameters = [weight for group in optimizer.param_groups for weight in group['params']]
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, array in arrays.items():
        index, name = key.split('.', 1)
        value, weight = torch.from_numpy(array), parameters[int(index)]
        if value.shape == weight.shape:
            # A fused Adam walks weights and moments side by side in memory: same order, or wrong.
            value = torch.empty_like(weight, memory_format=torch.preserve_format).copy_(value)
        moments.setdefault(int(index), {})[name] = value.detach()
    optimizer.load_state_dict({**optimizer.state_dict(), 'state': moments})
