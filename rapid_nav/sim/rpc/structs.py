"""AirSim's structures as they travel: maps keyed by field name."""

from typing import Any

import numpy as np

from rapid_nav.sim.rpc.arguments import Pose

Map = dict[str, Any]


def vector3(v: np.ndarray) -> Map:
    """Return a Vector3r of (3,)."""
    x, y, z = np.asarray(v, np.float64).tolist()
    return {'x_val': x, 'y_val': y, 'z_val': z}


def quaternion4(q: np.ndarray) -> Map:
    """Return a Quaternionr of (4,) w, x, y, z."""
    w, x, y, z = np.asarray(q, np.float64).tolist()
    return {'w_val': w, 'x_val': x, 'y_val': y, 'z_val': z}


def pose_map(pose: Pose) -> Map:
    """Return a Pose."""
    return {'position': vector3(pose.position), 'orientation': quaternion4(pose.orientation)}
