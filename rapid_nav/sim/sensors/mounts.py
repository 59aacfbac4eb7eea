"""What is fixed to a vehicle's body, and where."""

from dataclasses import dataclass
import math

import numpy as np

from rapid_nav.geometry import from_euler
from rapid_nav.sim.airsim_settings import CameraSettings, Mount


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
    return np.array([mount.x, mount.y, mount.z]), np.array(from_euler(*angles))
