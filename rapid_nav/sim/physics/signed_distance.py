"""How far a point is from the surfaces of a scene."""

import math

from numba import njit
import numpy as np

from rapid_nav.sim.worlds.primitives import CYLINDER, PLANE, Scenes, SPHERE


@njit(cache=True, nogil=True)
def surface(
    kind: int, half: np.ndarray, x: float, y: float, z: float
) -> tuple[float, float, float, float]:
    """Return signed distance and outward normal at a point in a primitive's own axes [m]."""
    if kind == PLANE:
        return -z, 0.0, 0.0, -1.0
    if kind == SPHERE:
        r = math.sqrt(x * x + y * y + z * z)
        if r < 1e-12:
            return -half[0], 0.0, 0.0, -1.0
        return r - half[0], x / r, y / r, z / r
    sz = 1.0 if z > 0 else -1.0
    dz = abs(z) - half[2]
    if kind == CYLINDER:
        r = math.sqrt(x * x + y * y)
        dr = r - half[0]
        nx, ny = (x / r, y / r) if r > 1e-12 else (1.0, 0.0)
        if dr <= 0 and dz <= 0:
            return (dr, nx, ny, 0.0) if dr > dz else (dz, 0.0, 0.0, sz)
        er, ez = max(dr, 0.0), max(dz, 0.0)
        d = math.sqrt(er * er + ez * ez)
        return d, nx * er / d, ny * er / d, sz * ez / d
    sx = 1.0 if x > 0 else -1.0
    sy = 1.0 if y > 0 else -1.0
    dx = abs(x) - half[0]
    dy = abs(y) - half[1]
    if dx <= 0 and dy <= 0 and dz <= 0:
        if dx >= dy and dx >= dz:
            return dx, sx, 0.0, 0.0
        return (dy, 0.0, sy, 0.0) if dy >= dz else (dz, 0.0, 0.0, sz)
    ex, ey, ez = max(dx, 0.0), max(dy, 0.0), max(dz, 0.0)
    d = math.sqrt(ex * ex + ey * ey + ez * ez)
    return d, sx * ex / d, sy * ey / d, sz * ez / d


@njit(cache=True, nogil=True)
def _clearance(
    first: int, last: int, scenes: Scenes, points: np.ndarray, far: float, out: np.ndarray
) -> None:
    for n in range(points.shape[0]):
        best = far
        for p in range(first, last):
            rotation, center = scenes.rotation[p], scenes.center[p]
            dx = points[n, 0] - center[0]
            dy = points[n, 1] - center[1]
            dz = points[n, 2] - center[2]
            reach = best + scenes.bound[p]
            if dx * dx + dy * dy + dz * dz > reach * reach and reach > 0:
                continue
            x = rotation[0, 0] * dx + rotation[1, 0] * dy + rotation[2, 0] * dz
            y = rotation[0, 1] * dx + rotation[1, 1] * dy + rotation[2, 1] * dz
            z = rotation[0, 2] * dx + rotation[1, 2] * dy + rotation[2, 2] * dz
            best = min(best, surface(scenes.kind[p], scenes.half[p], x, y, z)[0])
        out[n] = best


def clearance(
    scenes: Scenes, scene_index: int, points: np.ndarray, far: float = 100.0
) -> np.ndarray:
    """Return how far each of the points (N, 3) is from the nearest surface [m], < 0 inside one."""
    points = np.ascontiguousarray(points, dtype=np.float64).reshape(-1, 3)
    out = np.empty(len(points))
    first, last = scenes.offsets[scene_index], scenes.offsets[scene_index + 1]
    _clearance(first, last, scenes, points, far, out)
    return out
