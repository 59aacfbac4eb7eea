"""The form of a policy that decides without PyTorch: ONNX stages and settings in one zip."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import io
import json
from pathlib import Path
import zipfile

import numpy as np

from rapid_nav.inference.checkpoint_format import (
    About,
    broken,
    CheckpointError,
    read_about,
    read_weights,
    write_atomically,
)

ABOUT, FIRST = 'policy.json', 'stage_0.npz'


@dataclass(frozen=True)
class Deployed:
    """A policy ready for ONNX Runtime."""

    about: About
    models: tuple[bytes, ...]  # a serialised ONNX model for each stage, see graphs.build
    macs: tuple[int, ...]  # cumulative operations of each exit
    first: Mapping[str, np.ndarray] = field(default_factory=dict)  # see graphs.Graphs


def from_weights(about: About, weights: Mapping[str, np.ndarray]) -> Deployed:
    """Assemble the stages of a network from its weights (float32)."""
    from rapid_nav.inference import onnx_export  # the robot that gets the zip needs no onnx

    return Deployed(about, *onnx_export.build(about.network, weights))


def save(path: Path | str, deployed: Deployed) -> None:
    """Write the zip; a reader sees the old file or the new one, never a part."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w') as archive:
        archive.writestr(ABOUT, deployed.about.to_json(macs=list(deployed.macs)))
        for level, model in enumerate(deployed.models):
            archive.writestr(_stage(level), model)
        if deployed.first:
            layers = io.BytesIO()
            np.savez(layers, **deployed.first)  # type: ignore[arg-type]
            archive.writestr(FIRST, layers.getvalue())
    write_atomically(Path(path), content.getvalue())


def load(path: Path | str) -> Deployed:
    """Read a zip or a checkpoint; CheckpointError says what is wrong with it and what to do."""
    path = Path(path)
    if not zipfile.is_zipfile(path):
        about, weights = read_weights(path)
        try:
            return from_weights(about, weights)
        except (KeyError, ValueError) as error:
            raise broken(path, error) from error
    try:
        with zipfile.ZipFile(path) as archive:
            text = archive.read(ABOUT)
            about = About.from_json(text)
            macs = tuple(int(count) for count in json.loads(text)['macs'])
            if len(macs) != len(about.network.stages):
                raise ValueError(f'{len(macs)} counts for {len(about.network.stages)} stages')
            models = tuple(archive.read(_stage(level)) for level in range(len(macs)))
            first = {}
            if FIRST in archive.namelist():  # not in what was exported before there was any
                with np.load(io.BytesIO(archive.read(FIRST)), allow_pickle=False) as layers:
                    first = dict(layers)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise broken(path, error) from error
    return Deployed(about, models, macs, first)


def about_of(path: Path | str) -> About:
    """Return what a zip or a checkpoint says of itself, its weights unread; or CheckpointError."""
    path = Path(path)
    if not zipfile.is_zipfile(path):
        return read_about(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return About.from_json(archive.read(ABOUT))
    except (OSError, KeyError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise broken(path, error) from error


def export(checkpoint: Path | str, out: Path | str) -> Deployed:
    """Write a checkpoint in the form that decides without PyTorch, and return it."""
    deployed = load(checkpoint)
    save(out, deployed)
    return deployed


def _stage(level: int) -> str:
    return f'stage_{level}.onnx'


__all__ = ['CheckpointError', 'Deployed', 'about_of', 'export', 'from_weights', 'load', 'save']
