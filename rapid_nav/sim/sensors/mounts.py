"""What is fixed to a vehicle's body, and where."""

from dataclasses import dataclass
import math

import numpy as np

from rapid_nav.sim.airsim_settings import CameraSettings, Mount
from rapid_nav.sim.worlds.primitives import quaternion


@dataclass
class Camera:
    """A camera as it is now: clients may turn it and change its opening."""

    settings: CameraSettings
    position: np.ndarray  # (3,) [m; FRD] in the body
    orientation: np.ndarray  # (4,) w, x, y, z in the body
    fov: float | None = None  # [deg] where a client set it, for every image type


def mounted(mount: Mount) -> tuple[np.ndarray, np.ndarray]:
    """Return position (3,) [m] and orientation (4,) w, x, y, z of a mount."""
    angles = (math.radians(angle) for angle in (mount.roll, mount.pitch, mount.yaw))
    return np.array([mount.x, mount.y, mount.z]), np.array(quaternion(*angles))


def multiply(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return the Hamilton product of two (4,) w, x, y, z quaternions."""
    w, v, s, u = p[0], p[1:], q[0], q[1:]
    return np.concatenate([[w * s - v @ u], w * u + s * v + np.cross(v, u)])
