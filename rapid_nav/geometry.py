"""
Between AirSim's axes and ROS's: world NED <-> ENU, body FRD <-> FLU (REP 103).

Vectors are (..., 3). Quaternions are (..., 4) and turn body vectors into world vectors; AirSim's
are (w, x, y, z) for FRD -> NED, ROS's are (x, y, z, w) for FLU -> ENU.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
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
    w, x, y, z = np.moveaxis(np.asarray(wxyz, np.float64), -1, 0)
    # (0, h, h, 0) * q * (0, 1, 0, 0) written out, with the sign that keeps level-and-north simple.
    return np.stack([(x + y) * _HALF, (x - y) * _HALF, (w - z) * _HALF, (w + z) * _HALF], axis=-1)


def orientation_from_ros(xyzw: ArrayLike) -> Array:
    """Return the (..., 4) w, x, y, z of FRD -> NED, given x, y, z, w of FLU -> ENU."""
    x, y, z, w = np.moveaxis(np.asarray(xyzw, np.float64), -1, 0)
    return np.stack([(w + z) * _HALF, (x + y) * _HALF, (x - y) * _HALF, (w - z) * _HALF], axis=-1)


def mounting_to_ros(wxyz: ArrayLike) -> Array:
    """Return the (..., 4) x, y, z, w of FLU -> FLU, given w, x, y, z between two FRD frames."""
    w, x, y, z = np.moveaxis(np.asarray(wxyz, np.float64), -1, 0)
    return np.stack([x, -y, -z, w], axis=-1)


def multiply(p: ArrayLike, q: ArrayLike) -> Array:
    """Return the Hamilton product of two (..., 4) w, x, y, z quaternions."""
    pw, px, py, pz = np.moveaxis(np.asarray(p, np.float64), -1, 0)
    qw, qx, qy, qz = np.moveaxis(np.asarray(q, np.float64), -1, 0)
    return np.stack(
        [
            pw * qw - px * qx - py * qy - pz * qz,
            pw * qx + px * qw + py * qz - pz * qy,
            pw * qy - px * qz + py * qw + pz * qx,
            pw * qz + px * qy - py * qx + pz * qw,
        ],
        axis=-1,
    )


def conjugate(q: ArrayLike) -> Array:
    """Return the inverse turn of unit (..., 4) w, x, y, z quaternions."""
    return np.asarray(q, np.float64) * (1.0, -1.0, -1.0, -1.0)


def rotate(q: ArrayLike, vector: ArrayLike) -> Array:
    """Return vectors (..., 3) turned by unit (..., 4) w, x, y, z quaternions."""
    q, v = np.asarray(q, np.float64), np.asarray(vector, np.float64)
    axis = q[..., 1:]
    twice = 2.0 * np.cross(axis, v)
    return v + q[..., :1] * twice + np.cross(axis, twice)


def yaw_to_quaternion(yaw: float) -> Array:
    """Return w, x, y, z of a turn about the third axis by yaw [rad]."""
    return np.array([np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])


def yaw_of(wxyz: ArrayLike) -> Array:
    """Return the heading [rad] about the third axis of (..., 4) w, x, y, z quaternions."""
    w, x, y, z = np.moveaxis(np.asarray(wxyz, np.float64), -1, 0)
    return np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
