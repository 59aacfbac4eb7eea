"""The form of a policy that decides without PyTorch: ONNX stages and settings in one zip."""

from collections.abc import Iterator, Mapping
import contextlib
from dataclasses import dataclass
import io
from pathlib import Path
import struct
import zipfile
import zlib

import numpy as np

from rapid_nav.atomic_write import write_atomically
from rapid_nav.inference.checkpoint_format import (
    check_readable,
    CheckpointMetadata,
    MAX_BYTES,
    MAX_METADATA,
    read_metadata,
    read_weights,
    refusing,
)
from rapid_nav.inference.network_config import MAX_STAGES
from rapid_nav.inference.onnx_check import check_stage

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
        macs = list(package.metadata.network.macs)
        archive.writestr(METADATA, package.metadata.to_json(macs=macs))
        for level, model in enumerate(package.models):
            archive.writestr(_stage(level), model)
    write_atomically(Path(path), content.getvalue())


def load(path: Path | str) -> PolicyPackage:
    """Read a zip or a checkpoint; CheckpointError says what is wrong with it and what to do."""
    path = Path(path)
    if not _is_zip(path):
        return from_weights(*read_weights(path))
    with _opened(path) as archive:
        metadata = CheckpointMetadata.from_json(_read(archive, METADATA, MAX_METADATA))
        models, left = [], MAX_BYTES
        for level in range(len(metadata.network.stages)):
            models.append(_read(archive, _stage(level), left))
            left -= len(models[-1])
            check_stage(models[-1])
    return PolicyPackage(metadata, tuple(models))


def metadata_of(path: Path | str) -> CheckpointMetadata:
    """Return what a zip or a checkpoint says of itself, its weights unread; or CheckpointError."""
    path = Path(path)
    if not _is_zip(path):
        return read_metadata(path)
    with _opened(path) as archive:
        return CheckpointMetadata.from_json(_read(archive, METADATA, MAX_METADATA))


def export(checkpoint: Path | str, out: Path | str) -> PolicyPackage:
    """Write a checkpoint in the form that decides without PyTorch, and return it."""
    package = load(checkpoint)
    save(out, package)
    return package


def _stage(level: int) -> str:
    return f'stage_{level}.onnx'


def _is_zip(path: Path) -> bool:
    check_readable(path)
    with refusing(path), path.open('rb') as file:
        return file.read(2) == b'PK'


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with refusing(path):
        _check_directory(path)
        try:
            with zipfile.ZipFile(path) as archive:
                yield archive
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
            raise ValueError(error) from error  # damaged, or packed or locked as ours never is


def _check_directory(path: Path) -> None:
    """Raise ValueError unless a zip has few entries, for zipfile reads all of them."""
    with path.open('rb') as file:
        file.seek(max(0, path.stat().st_size - 42))
        tail = file.read().rjust(42)
    signature, entries, size = struct.unpack('<4s6xHI', tail[20:36])
    if signature != b'PK\x05\x06' or tail[:4] == b'PK\x06\x07':
        raise ValueError('the file is not a whole zip file')
    if entries > 2 * MAX_STAGES or size > MAX_METADATA:
        raise ValueError(f'{entries} files in one zip')


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Return a file of a zip, unpacked; ValueError if it is missing or too large."""
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise ValueError(f'{name} is missing') from None
    if entry.file_size > limit:
        raise ValueError(f'{name} has {entry.file_size} bytes; at most {limit} are read')
    return archive.read(entry)
