"""What a camera sees beside depth: surface normals, and colours that show a person the shape."""

import math

from numba import njit
import numpy as np

from rapid_nav.sim.render.views import Views
from rapid_nav.sim.worlds.primitives import CYLINDER, PLANE, SPHERE

SUN = (-0.35, -0.25, -0.9)  # [NED], towards the light
AMBIENT, DIFFUSE = 0.45, 0.55
HAZE = (200.0, 208.0, 216.0)  # RGB that far things fade into
HAZE_RANGE = 60.0  # [m]
ZENITH = (110.0, 160.0, 225.0)  # RGB of the sky overhead


@njit(cache=True, nogil=True)
def local_normal(
    kind: int, half: np.ndarray, x: float, y: float, z: float
) -> tuple[float, float, float]:
    """Return the normal of the face that a point on a primitive's surface lies on, its axes."""
    if kind == PLANE:
        return 0.0, 0.0, -1.0
    if kind == SPHERE:
        return x / half[0], y / half[0], z / half[0]
    dz = abs(z) - half[2]
    if kind == CYLINDER:
        r = math.sqrt(x * x + y * y)
        if r - half[0] > dz:
            return x / r, y / r, 0.0
        return 0.0, 0.0, math.copysign(1.0, z)
    dx, dy = abs(x) - half[0], abs(y) - half[1]
    if dx > dy and dx > dz:
        return math.copysign(1.0, x), 0.0, 0.0
    if dy > dz:
        return 0.0, math.copysign(1.0, y), 0.0
    return 0.0, 0.0, math.copysign(1.0, z)


@njit(cache=True, nogil=True)
def find_normals(views: Views, depth: np.ndarray, which: np.ndarray, normals: np.ndarray) -> None:
    """Write the normals (B, H, W, 3) [NED] of what `depth` and `which` (B, H, W) show."""
    scenes, position, u, v = views.scenes, views.position, views.u, views.v
    ray, d = np.empty(3), np.empty(3)
    for b in range(depth.shape[0]):
        first, m = scenes.offsets[views.scene_index[b]], views.axes[b]
        for r in range(v.shape[0]):
            for c in range(u.shape[0]):
                normal = normals[b, r, c]
                for k in range(3):
                    normal[k] = 0
                if which[b, r, c] < 0:
                    continue
                p = first + which[b, r, c]
                turn = scenes.rotation[p]
                for k in range(3):
                    ray[k] = m[k, 0] + m[k, 1] * u[c] + m[k, 2] * v[r]
                    d[k] = position[b, k] + ray[k] * depth[b, r, c] - scenes.center[p, k]
                nx, ny, nz = local_normal(
                    scenes.kind[p],
                    scenes.half[p],
                    turn[0, 0] * d[0] + turn[1, 0] * d[1] + turn[2, 0] * d[2],
                    turn[0, 1] * d[0] + turn[1, 1] * d[1] + turn[2, 1] * d[2],
                    turn[0, 2] * d[0] + turn[1, 2] * d[1] + turn[2, 2] * d[2],
                )
                facing = 0.0
                for k in range(3):
                    normal[k] = turn[k, 0] * nx + turn[k, 1] * ny + turn[k, 2] * nz
                    facing += normal[k] * ray[k]
                if facing > 0:  # seen from within
                    for k in range(3):
                        normal[k] = -normal[k]


@njit(cache=True, nogil=True)
def shade(
    views: Views, depth: np.ndarray, which: np.ndarray, normals: np.ndarray, picture: np.ndarray
) -> None:
    """Write RGB (B, H, W, 3): lambertian, hazy far away, checkered floors, a sky."""
    scenes, position, u, v = views.scenes, views.position, views.u, views.v
    bright = math.sqrt(SUN[0] ** 2 + SUN[1] ** 2 + SUN[2] ** 2)
    for b in range(depth.shape[0]):
        first, m = scenes.offsets[views.scene_index[b]], views.axes[b]
        for r in range(v.shape[0]):
            for c in range(u.shape[0]):
                x, y, z = (
                    m[0, 0] + m[0, 1] * u[c] + m[0, 2] * v[r],
                    m[1, 0] + m[1, 1] * u[c] + m[1, 2] * v[r],
                    m[2, 0] + m[2, 1] * u[c] + m[2, 2] * v[r],
                )
                slant = math.sqrt(x * x + y * y + z * z)
                pixel = picture[b, r, c]
                if which[b, r, c] < 0:
                    up = max(-z / slant, 0.0)
                    for k in range(3):
                        pixel[k] = int(HAZE[k] + (ZENITH[k] - HAZE[k]) * up)
                    continue
                p, n, far = first + which[b, r, c], normals[b, r, c], depth[b, r, c]
                light = (n[0] * SUN[0] + n[1] * SUN[1] + n[2] * SUN[2]) / bright
                # The half of the light that wraps around keeps shaded faces apart.
                light = AMBIENT + DIFFUSE * (0.5 + 0.5 * light)
                if scenes.kind[p] == PLANE and n[2] < -0.5:
                    tile = math.floor(position[b, 0] + x * far) + math.floor(
                        position[b, 1] + y * far
                    )
                    light *= 0.88 if tile % 2 else 1.0
                clear = math.exp(-far * slant / HAZE_RANGE)
                for k in range(3):
                    value = scenes.color[p, k] * light * clear + HAZE[k] * (1 - clear)
                    pixel[k] = int(min(value, 255.0))
