"""From a primitive and a camera to the rectangle of the screen it covers, and into the image."""

import math
from typing import NamedTuple

from numba import njit
import numpy as np

from rapid_nav.sim.render.raster import draw_box, draw_plane, draw_round
from rapid_nav.sim.worlds.primitives import BOX, CYLINDER, PLANE, Scenes, SPHERE

NEAR = 1e-3  # [m], what lies nearer is cut off when a screen rectangle is computed


class Workspace(NamedTuple):
    """Arrays that drawing writes to; allocating them for each primitive would take too long."""

    middle: np.ndarray  # (3,), the primitive's centre in camera axes
    o: np.ndarray  # (3,), the camera in the primitive's axes
    axes: np.ndarray  # (3, 3), row k: the primitive's axis k in camera axes
    extent: np.ndarray  # (3, 3), column k: half of its bounding box's edge k in camera axes
    corners: np.ndarray  # (8, 3), of that box
    forms: np.ndarray  # (10, 3) float32
    rect: np.ndarray  # (4,) int64, first row, end of rows, first column, end of columns


Desk = Workspace  # Numba's caches from former releases name it, and fail if it is not there.


@njit(cache=True, nogil=True)
def make_workspace() -> Workspace:
    """Return a workspace that holds nothing yet."""
    return Workspace(
        np.empty(3),
        np.empty(3),
        np.empty((3, 3)),
        np.empty((3, 3)),
        np.empty((8, 3)),
        np.empty((10, 3), dtype=np.float32),
        np.empty(4, dtype=np.int64),
    )


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def screen_rectangle(
    middle: np.ndarray,
    extent: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    corners: np.ndarray,
    rect: np.ndarray,
) -> bool:
    """
    Write the rows and columns [r0, r1, c0, c1) that a box can cover; tell whether there are any.

    middle (3,) and extent (3, 3) (column k: half an edge along axis k) are in camera axes; u (W,)
    and v (H,) are the slopes of the pixels' rays; corners (8, 3) is room to work in.
    """
    u0 = v0 = np.inf
    u1 = v1 = -np.inf
    for i in range(8):
        for k in range(3):
            corners[i, k] = (
                middle[k]
                + (extent[k, 0] if i & 1 else -extent[k, 0])
                + (extent[k, 1] if i & 2 else -extent[k, 1])
                + (extent[k, 2] if i & 4 else -extent[k, 2])
            )
    for i in range(8):
        x, y, z = corners[i]
        if x >= NEAR:
            u0, u1 = min(u0, y / x), max(u1, y / x)
            v0, v1 = min(v0, z / x), max(v1, z / x)
        for bit in (1, 2, 4):
            j = i ^ bit
            if (x < NEAR) and (corners[j, 0] >= NEAR):
                s = (NEAR - x) / (corners[j, 0] - x)
                y_cut = (y + s * (corners[j, 1] - y)) / NEAR
                z_cut = (z + s * (corners[j, 2] - z)) / NEAR
                u0, u1 = min(u0, y_cut), max(u1, y_cut)
                v0, v1 = min(v0, z_cut), max(v1, z_cut)
    width, height = u.shape[0], v.shape[0]
    if u0 > u[width - 1] or u1 < u[0] or v0 > v[height - 1] or v1 < v[0]:
        return False
    du = (width - 1) / (u[width - 1] - u[0]) if width > 1 else 1.0
    dv = (height - 1) / (v[height - 1] - v[0]) if height > 1 else 1.0
    # One pixel of slack: a pixel too many costs nothing, one too few is a hole.
    rect[0] = int(min(max((v0 - v[0]) * dv - 1, 0.0), height - 1.0))
    rect[1] = int(min(max((v1 - v[0]) * dv + 2, 0.0), float(height)))
    rect[2] = int(min(max((u0 - u[0]) * du - 1, 0.0), width - 1.0))
    rect[3] = int(min(max((u1 - u[0]) * du + 2, 0.0), float(width)))
    return True


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def draw(
    scenes: Scenes,
    p: int,
    position: np.ndarray,
    camera: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    buffer: np.ndarray,
    workspace: Workspace,
) -> bool:
    """
    Draw primitive p seen from position (3,) with camera axes (3, 3) -> NED.

    Returns whether it may be in view; then workspace.rect holds the rows and columns it covers.
    """
    kind, turn, bound = scenes.kind[p], scenes.rotation[p], scenes.bound[p]
    middle, o, axes = workspace.middle, workspace.o, workspace.axes
    extent, rect = workspace.extent, workspace.rect
    dx = scenes.center[p, 0] - position[0]
    dy = scenes.center[p, 1] - position[1]
    dz = scenes.center[p, 2] - position[2]
    for k in range(3):
        middle[k] = camera[0, k] * dx + camera[1, k] * dy + camera[2, k] * dz
    tu, tv = float(u[u.shape[0] - 1]), float(v[v.shape[0] - 1])
    if kind != PLANE and (
        middle[0] < -bound
        or abs(middle[1]) - tu * middle[0] > bound * math.sqrt(1 + tu * tu)
        or abs(middle[2]) - tv * middle[0] > bound * math.sqrt(1 + tv * tv)
    ):
        return False
    half = scenes.half[p]
    for i in range(3):
        o[i] = -(turn[0, i] * dx + turn[1, i] * dy + turn[2, i] * dz)
        for k in range(3):
            axes[i, k] = (
                turn[0, i] * camera[0, k] + turn[1, i] * camera[1, k] + turn[2, i] * camera[2, k]
            )
            extent[k, i] = axes[i, k] * half[i]
    if kind == PLANE:
        rect[0], rect[1], rect[2], rect[3] = 0, v.shape[0], 0, u.shape[0]
        draw_plane(buffer, u, v, o[2], axes[2])
        return True
    if kind == SPHERE:
        for i in range(3):
            for k in range(3):
                extent[k, i] = half[0] if i == k else 0.0
    if not screen_rectangle(middle, extent, u, v, workspace.corners, rect):
        return False
    if kind == BOX:
        draw_box(buffer, u, v, rect, o, axes, half, workspace.forms)
    else:
        draw_round(buffer, u, v, rect, o, axes, half, workspace.forms, kind == CYLINDER)
    return True
