"""
Axes, quaternions and headings: AirSim's and ROS's conventions, and the maps between them.

AirSim has NED worlds and FRD bodies, ROS has ENU worlds and FLU bodies (REP 103). Vectors are
(..., 3). Quaternions are (..., 4) and turn body vectors into world vectors; AirSim's are
(w, x, y, z) for FRD -> NED, ROS's are (x, y, z, w) for FLU -> ENU.

Each formula is written once, by components that may be numbers or arrays: `product_of`,
`matrix_of`, `heading_of`, `roll_pitch_of`. sim.rotation_kernels compiles the same
functions for the simulator.
"""

from collections.abc import Sequence
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]
LEVEL: Quaternion = (1.0, 0.0, 0.0, 0.0)
UPSIDE_DOWN: Quaternion = (0.0, 1.0, 0.0, 0.0)
_HALF = np.sqrt(0.5)


def ned_to_enu(vector: ArrayLike) -> Array:
    """Return a world vector (..., 3) in ENU, given in NED; the map is its own inverse."""
    v = np.asarray(vector, np.float64)
    return np.stack([v[..., 1], v[..., 0], -v[..., 2]], axis=-1)


def frd_to_flu(vector: ArrayLike) -> Array:
    """Return a body vector (..., 3) in FLU, given in FRD; the map is its own inverse."""
    return np.asarray(vector, np.float64) * (1.0, -1.0, -1.0)


enu_to_ned = ned_to_enu
flu_to_frd = frd_to_flu


def orientation_to_ros(wxyz: ArrayLike) -> Array:
    """Return the (..., 4) x, y, z, w of FLU -> ENU, given w, x, y, z of FRD -> NED."""
    w, x, y, z = _components(wxyz)
    # (0, h, h, 0) * q * (0, 1, 0, 0) written out, with the sign that keeps level-and-north simple.
    return np.stack([(x + y) * _HALF, (x - y) * _HALF, (w - z) * _HALF, (w + z) * _HALF], axis=-1)


def orientation_from_ros(xyzw: ArrayLike) -> Array:
    """Return the (..., 4) w, x, y, z of FRD -> NED, given x, y, z, w of FLU -> ENU."""
    x, y, z, w = _components(xyzw)
    return np.stack([(w + z) * _HALF, (x + y) * _HALF, (x - y) * _HALF, (w - z) * _HALF], axis=-1)


def mounting_to_ros(wxyz: ArrayLike) -> Array:
    """Return the (..., 4) x, y, z, w of FLU -> FLU, given w, x, y, z between two FRD frames."""
    w, x, y, z = _components(wxyz)
    return np.stack([x, -y, -z, w], axis=-1)


def multiply(p: ArrayLike, q: ArrayLike) -> Array:
    """Return the Hamilton product of two (..., 4) w, x, y, z quaternions."""
    return np.stack(product_of(*_components(p), *_components(q)), axis=-1)


def conjugate(q: ArrayLike) -> Array:
    """Return the inverse rotation of unit (..., 4) w, x, y, z quaternions."""
    return np.asarray(q, np.float64) * (1.0, -1.0, -1.0, -1.0)


def rotate(q: ArrayLike, vector: ArrayLike) -> Array:
    """Return vectors (..., 3) rotated by unit (..., 4) w, x, y, z quaternions."""
    v = np.asarray(vector, np.float64)
    return np.asarray(np.einsum('...ij,...j->...i', rotation_matrices(q), v))


def rotation_matrices(q: ArrayLike) -> Array:
    """Return the (..., 3, 3) matrices of unit (..., 4) w, x, y, z quaternions."""
    entries = np.stack(matrix_of(*_components(q)), axis=-1)
    return entries.reshape(*entries.shape[:-1], 3, 3)


def yaw_to_quaternion(yaw: ArrayLike) -> Array:
    """Return (..., 4) w, x, y, z of rotations about the third axis by yaw (...) [rad]."""
    half = np.asarray(yaw, np.float64) / 2
    zero = np.zeros_like(half)
    return np.stack([np.cos(half), zero, zero, np.sin(half)], axis=-1)


def yaw_of(wxyz: ArrayLike) -> Array:
    """Return the headings (...) [rad] about the third axis of (..., 4) w, x, y, z quaternions."""
    return np.asarray(heading_of(*_components(wxyz)))


def from_euler(roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> Quaternion:
    """Return w, x, y, z of the rotation by yaw, then pitch, then roll [rad]."""
    cr, cp, cy = (math.cos(angle / 2) for angle in (roll, pitch, yaw))
    sr, sp, sy = (math.sin(angle / 2) for angle in (roll, pitch, yaw))
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def from_z_axis(axis: Sequence[float] | Array) -> Quaternion:
    """Return w, x, y, z of a rotation that turns the z axis into `axis` (3,) of any length."""
    x, y, z = (float(a) for a in np.asarray(axis) / np.linalg.norm(axis))
    if z < -1 + 1e-9:
        return UPSIDE_DOWN
    w = 1 + z
    norm = math.sqrt(w * w + x * x + y * y)
    return (w / norm, -y / norm, x / norm, 0.0)


def product_of(
    pw: Any, px: Any, py: Any, pz: Any, qw: Any, qx: Any, qy: Any, qz: Any
) -> tuple[Any, Any, Any, Any]:
    """Return w, x, y, z of the Hamilton product p q."""
    return (
        pw * qw - px * qx - py * qy - pz * qz,
        pw * qx + px * qw + py * qz - pz * qy,
        pw * qy - px * qz + py * qw + pz * qx,
        pw * qz + px * qy - py * qx + pz * qw,
    )


def matrix_of(w: Any, x: Any, y: Any, z: Any) -> tuple[Any, ...]:
    """Return the nine entries, row by row, of the matrix of a unit quaternion."""
    return (
        1 - 2 * (y * y + z * z),
        2 * (x * y - w * z),
        2 * (x * z + w * y),
        2 * (x * y + w * z),
        1 - 2 * (x * x + z * z),
        2 * (y * z - w * x),
        2 * (x * z - w * y),
        2 * (y * z + w * x),
        1 - 2 * (x * x + y * y),
    )


def heading_of(w: Any, x: Any, y: Any, z: Any) -> Any:
    """Return the yaw [rad] of a unit quaternion, from -pi to pi."""
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))


def roll_pitch_of(w: Any, x: Any, y: Any, z: Any) -> tuple[Any, Any]:
    """Return roll and pitch [rad] of a unit quaternion."""
    roll = np.arctan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    return roll, np.arcsin(np.minimum(np.maximum(2 * (w * y - z * x), -1.0), 1.0))


def _components(values: ArrayLike) -> Array:
    """Return the last axis of (..., n) values first."""
    return np.moveaxis(np.asarray(values, np.float64), -1, 0)
