"""What a training run needs to go on as if it had never stopped, as named arrays in one file."""

from collections.abc import Mapping
import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch

from rapid_nav.atomic_write import replacing

Arrays = dict[str, np.ndarray]
SETTINGS = 'settings'  # the array that holds the settings of the run
_RENAMED = (
    # Names of version 0.1, and what they are now.
    ('learner.network.', 'learner.online.network.'),
    ('learner.aids.quantiles.', 'learner.online.quantile_head.'),
    ('learner.aids.noise.', 'learner.online.noisy_layers.'),
    ('learner.target_aids.quantiles.', 'learner.target.quantile_head.'),
    ('learner.target_aids.noise.', 'learner.target.noisy_layers.'),
    ('replay.taught', 'replay.teacher_q'),
)
_TARGET = 'learner.target.'


class StateError(ValueError):
    """A file that no training run can go on from; the message names it and the remedy."""


def save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Replace the file by these arrays; OSError if the disk does not take them."""
    with replacing(path) as temporary:
        try:
            safetensors.numpy.save_file(
                {name: np.asarray(array, order='C') for name, array in arrays.items()},
                str(temporary),
            )
        except safetensors.SafetensorError as error:  # which hides the system's error number
            raise OSError(errno.EIO, str(error), str(path)) from error


def load(path: Path) -> Arrays:
    """Read the arrays; StateError if the file is not whole."""
    try:
        arrays = safetensors.numpy.load_file(str(path))
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise StateError(
            f'{path}: no training state to go on from ({error}); delete it to start anew'
        ) from error
    return arrays if any(name.startswith('learner.online.') for name in arrays) else _old(arrays)


def step_of(state: Mapping[str, np.ndarray]) -> int:
    """Return the step that a trainer's state is at."""
    return int(decode_json(state['counters'])['step'])


def _old(arrays: Arrays) -> Arrays:
    """Return the arrays of a file of version 0.1 under their names of today."""
    renamed = {}
    for name, array in arrays.items():
        new = next(
            (now + name[len(then) :] for then, now in _RENAMED if name.startswith(then)), name
        )
        if name.startswith(_TARGET):
            new = f'{_TARGET}network.{name[len(_TARGET) :]}'
        renamed[new] = array
    return renamed


def with_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays with a prefix and a dot before each name."""
    return {f'{prefix}.{name}': array for name, array in arrays.items()}


def part(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays that `with_prefix` put under the prefix."""
    start = f'{prefix}.'
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)}


def encode_json(value: object) -> np.ndarray:
    """Return any JSON value as an array (bytes,) uint8."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8).copy()


def decode_json(array: np.ndarray) -> Any:
    """Return the JSON value of `encode_json`."""
    return json.loads(array.tobytes())


def generator_state(rng: np.random.Generator) -> np.ndarray:
    """Return a random generator's state."""
    return encode_json(rng.bit_generator.state)


def set_generator_state(rng: np.random.Generator, array: np.ndarray) -> None:
    """Put a random generator into the state of `generator_state`."""
    rng.bit_generator.state = decode_json(array)


def module_state(module: torch.nn.Module) -> Arrays:
    """Return a module's weights."""
    return {
        name: tensor.detach().cpu().numpy().copy() for name, tensor in module.state_dict().items()
    }


def load_module(module: torch.nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Put weights into a module; StateError in one line if they are of another one."""
    here = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    there = {name: array.shape for name, array in arrays.items()}
    if here != there:
        names = sorted(name for name in {**here, **there} if here.get(name) != there.get(name))
        name = names[0]
        raise StateError(
            f'its weights are of another network ({len(names)} differ; {name} has shape '
            f'{there.get(name, "none")}, here {here.get(name, "none")})'
        )
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def optimizer_state(optimizer: torch.optim.Optimizer) -> Arrays:
    """Return the moments and step counts of an optimizer."""
    return {
        f'{index}.{name}': value.detach().cpu().numpy().copy()
        for index, moments in optimizer.state_dict()['state'].items()
        for name, value in moments.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, arrays: Mapping[str, np.ndarray]) -> None:
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
