"""What a policy's file says beside its weights, and how such files are read and written."""

from collections.abc import Iterator, Mapping
import contextlib
from dataclasses import asdict, dataclass, field
import json
from pathlib import Path
import stat
from typing import Any

import numpy as np
import safetensors

from rapid_nav.inference.exit_rule import check_thresholds, NEVER
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.options import from_dict

FORMAT = 1
MAX_BYTES = 256 * 2**20
"""The largest policy that is read, as a file and unpacked: 64 million weights."""
MAX_METADATA = 2**20
"""The most bytes of settings in a policy."""
_SAFETENSORS_HEADER = 8  # bytes, which say how long the names and the metadata behind them are


class CheckpointError(ValueError):
    """A file that is no usable checkpoint; the message names it, the fault and the remedy."""


@dataclass(frozen=True)
class CheckpointMetadata:
    """A policy's settings, operating points and history."""

    network: NetworkConfig
    task: Mapping[str, Any]  # the task's own settings; the core does not look inside
    operating_points: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)  # seed, steps, scores, commit

    def __post_init__(self) -> None:
        for name, point in self.operating_points.items():
            try:
                check_thresholds(point, len(self.network.stages))
            except ValueError as error:
                raise ValueError(f'operating_points.{name}: {error}') from error

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
        return json.dumps({'format': FORMAT, **asdict(self), **more})

    @staticmethod
    def from_json(text: str | bytes) -> 'CheckpointMetadata':
        """Rebuild it; ValueError names what is wrong with its settings."""
        if len(text) > MAX_METADATA:
            raise ValueError(f'{len(text)} bytes of settings; at most {MAX_METADATA} are read')
        try:
            values = json.loads(text)
        except RecursionError as error:
            raise ValueError('its settings are nested too deeply') from error
        if not isinstance(values, dict) or values.pop('format', None) != FORMAT:
            raise ValueError(f'its settings are not of format {FORMAT}, which this version reads')
        counted = values.pop('macs', None)  # of an exported policy
        metadata = from_dict(CheckpointMetadata, values)
        if counted is not None and counted != list(metadata.network.macs):
            raise ValueError('its counts of operations are not those of its stages')
        return metadata


def read_weights(path: Path) -> tuple[CheckpointMetadata, dict[str, np.ndarray]]:
    """Read a checkpoint's settings and weights (float32); CheckpointError if it is not whole."""
    with _opened(path) as file:
        metadata = _metadata_in(file)
        names = file.keys()
        _check_shapes(
            metadata.network, {name: tuple(file.get_slice(name).get_shape()) for name in names}
        )
        weights = {}
        for name in file.keys():  # noqa: SIM118  (it is no dict)
            kept = file.get_tensor(name)
            if kept.dtype.kind != 'f':
                raise ValueError(f'{name} is of {kept.dtype}; weights are floating point')
            weights[name] = kept.astype(np.float32)
        check_finite(weights)
        return metadata, weights


def read_metadata(path: Path) -> CheckpointMetadata:
    """Read a checkpoint's settings alone; CheckpointError if it is not whole."""
    with _opened(path) as file:
        return _metadata_in(file)


def check_finite(weights: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError that names a weight that is NaN or infinite, if there is one."""
    for name, weight in weights.items():
        if not np.isfinite(weight).all():
            raise ValueError(f'{name} has values that are NaN or infinite; train it again')


def check_readable(path: Path) -> None:
    """Raise CheckpointError unless this is a regular file of a size that is read."""
    try:
        about = path.stat()
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f'{path}: no such checkpoint; train one or name another file'
        ) from error
    if not stat.S_ISREG(about.st_mode):
        raise CheckpointError(f'{path}: no checkpoint, for it is not a regular file')
    if about.st_size > MAX_BYTES:
        raise CheckpointError(
            f'{path}: {about.st_size} bytes; a checkpoint has at most {MAX_BYTES}'
        )


@contextlib.contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into a CheckpointError of one line."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CheckpointError(
            f'{path}: not a whole rapid_nav checkpoint ({" ".join(str(error).split())}); '
            'copy or train it again'
        ) from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    check_readable(path)
    with refusing(path):
        with path.open('rb') as start:
            length = int.from_bytes(start.read(_SAFETENSORS_HEADER), 'little')
        if length > 2 * MAX_METADATA:
            raise ValueError(f'a header of {length} bytes; at most {2 * MAX_METADATA} are read')
        with safetensors.safe_open(str(path), framework='np') as file:
            yield file


def _metadata_in(file: Any) -> CheckpointMetadata:
    text = (file.metadata() or {}).get('rapid_nav')
    if text is None:
        raise ValueError('it has no settings of rapid_nav')
    return CheckpointMetadata.from_json(text)


def _check_shapes(network: NetworkConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise ValueError unless these are the weights that a network of these settings has."""
    wanted: dict[str, tuple[int, ...]] = {}
    for name, weight in network.weights.items():
        wanted |= {f'{name}.weight': weight.shape, f'{name}.bias': weight.shape[:1]}
    for name in sorted({*wanted, *shapes}):
        if shapes.get(name) != wanted.get(name):
            raise ValueError(
                f'the weight {name} is {shapes.get(name, "missing")}; its settings want '
                f'{wanted.get(name, "none")}'
            )
