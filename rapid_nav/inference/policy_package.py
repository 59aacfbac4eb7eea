"""The form of a policy that decides without PyTorch: ONNX stages and settings in one zip."""

from collections.abc import Mapping
from dataclasses import dataclass
import io
import json
from pathlib import Path
import zipfile

import numpy as np

from rapid_nav.atomic_write import write_atomically
from rapid_nav.inference.checkpoint_format import (
    broken,
    CheckpointMetadata,
    read_metadata,
    read_weights,
)

METADATA = 'policy.json'


@dataclass(frozen=True)
class PolicyPackage:
    """A policy ready for ONNX Runtime."""

    metadata: CheckpointMetadata
    models: tuple[bytes, ...]  # a serialised ONNX model for each stage, see onnx_export.build


def from_weights(metadata: CheckpointMetadata, weights: Mapping[str, np.ndarray]) -> PolicyPackage:
    """Assemble the stages of a network from its weights (float32)."""
    from rapid_nav.inference import onnx_export  # the robot that gets the zip needs no onnx

    return PolicyPackage(metadata, onnx_export.build(metadata.network, weights))


def save(path: Path | str, package: PolicyPackage) -> None:
    """Write the zip; a reader sees the old file or the new one, never a part."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w') as archive:
        archive.writestr(
            METADATA, package.metadata.to_json(macs=list(package.metadata.network.macs))
        )
        for level, model in enumerate(package.models):
            archive.writestr(_stage(level), model)
    write_atomically(Path(path), content.getvalue())


def load(path: Path | str) -> PolicyPackage:
    """Read a zip or a checkpoint; CheckpointError says what is wrong with it and what to do."""
    path = Path(path)
    if not zipfile.is_zipfile(path):
        metadata, weights = read_weights(path)
        try:
            return from_weights(metadata, weights)
        except (KeyError, ValueError) as error:
            raise broken(path, error) from error
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(METADATA)
            metadata = CheckpointMetadata.from_json(text)
            macs = tuple(int(count) for count in json.loads(text)['macs'])
            if len(macs) != len(metadata.network.stages):
                raise ValueError(f'{len(macs)} counts for {len(metadata.network.stages)} stages')
            models = tuple(archive.read(_stage(level)) for level in range(len(macs)))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise broken(path, error) from error
    return PolicyPackage(metadata, models)


def metadata_of(path: Path | str) -> CheckpointMetadata:
    """Return what a zip or a checkpoint says of itself, its weights unread; or CheckpointError."""
    path = Path(path)
    if not zipfile.is_zipfile(path):
        return read_metadata(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return CheckpointMetadata.from_json(archive.read(METADATA))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise broken(path, error) from error


def export(checkpoint: Path | str, out: Path | str) -> PolicyPackage:
    """Write a checkpoint in the form that decides without PyTorch, and return it."""
    package = load(checkpoint)
    save(out, package)
    return package


def _stage(level: int) -> str:
    return f'stage_{level}.onnx'
