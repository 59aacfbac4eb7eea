"""Cameras in packed worlds, as the kernels take them."""

from functools import lru_cache
import math
from typing import NamedTuple

import numpy as np

from rapid_nav.sim.rotation_kernels import rotation_matrices
from rapid_nav.sim.worlds.primitives import Scenes


class Views(NamedTuple):
    """B cameras of one size and opening."""

    scenes: Scenes
    scene_index: np.ndarray  # (B,) int64
    position: np.ndarray  # (B, 3) float64 [m; NED]
    axes: np.ndarray  # (B, 3, 3) float64, camera's axes -> NED
    u: np.ndarray  # (W,) float32, right per metre ahead of the rays through pixel centres
    v: np.ndarray  # (H,) float32, down per metre ahead

    def part(self, rows: slice) -> 'Views':
        """Return some of the cameras."""
        return self._replace(
            scene_index=self.scene_index[rows], position=self.position[rows], axes=self.axes[rows]
        )


def make_views(
    scenes: Scenes,
    scene_index: np.ndarray | int,
    position: np.ndarray,
    orientation: np.ndarray,
    width: int,
    height: int,
    fov: float,
    aspect: float = 0.0,
) -> Views:
    """Return cameras at position (B, 3) [m; NED] and orientation (B, 4) (w, x, y, z)."""
    position = np.ascontiguousarray(position, dtype=np.float64).reshape(-1, 3)
    axes = rotation_matrices(orientation)
    scene_index = np.asarray(scene_index, dtype=np.int64)
    if scene_index.shape != (len(position),):
        scene_index = np.ascontiguousarray(np.broadcast_to(scene_index, len(position)))
    if len(axes) != len(position):
        raise ValueError(f'{len(position)} positions but {len(axes)} orientations')
    return Views(scenes, scene_index, position, axes, *slopes(width, height, fov, aspect))


@lru_cache(maxsize=64)
def slopes(
    width: int, height: int, fov: float, aspect: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return (W,) and (H,): right and down per metre ahead of the rays through pixel centres.

    The view is `aspect` times as wide as high, if not 0; otherwise its pixels are square.
    """
    focal = width / 2 / math.tan(fov / 2)
    u = (np.arange(width) + 0.5 - width / 2) / focal
    high = focal * aspect * height / width if aspect else focal
    v = (np.arange(height) + 0.5 - height / 2) / high
    return u.astype(np.float32), v.astype(np.float32)
