"""Where a vehicle can start, stand and be put."""

import math

import numpy as np

from rapid_nav.sim.airsim_settings import Mount
from rapid_nav.sim.physics.dynamics import DRONE_RADIUS
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.rpc.arguments import Pose
from rapid_nav.sim.worlds.primitives import Scenes

_DOWN = np.array([[0.0, 0.0, 1.0]])
_STEP_UP = 0.5  # [m], how far a place may lie within the ground
_TOUCHING = 0.01  # [m] between drone and ground


def start(
    scenes: Scenes, poses: np.ndarray, number: int, given: Mount | None
) -> tuple[float, float, float, float]:
    """
    Return x, y, z [m; world NED] and yaw [rad] where vehicle `number` starts.

    That is where the settings say, though not within the ground, or on the ground below one of
    the world's start poses (M, 4).
    """
    if given is not None:
        above = np.array([given.x, given.y, given.z - _STEP_UP])
        sunk = _STEP_UP + DRONE_RADIUS - above_ground(scenes, above)
        return given.x, given.y, given.z - max(sunk, 0.0), math.radians(given.yaw)
    x, y, z, yaw = (float(value) for value in poses[number % len(poses)])
    height = above_ground(scenes, np.array([x, y, z]))
    return x, y, z + (height - DRONE_RADIUS if math.isfinite(height) else 0.0), yaw


def above_ground(scenes: Scenes, position: np.ndarray) -> float:
    """Return how far below a place (3,) [m; world NED] something is [m], inf for nothing."""
    return float(cast_rays(scenes, 0, position, _DOWN)[0])


def stands(scenes: Scenes, position: np.ndarray) -> bool:
    """Tell whether a drone at a place (3,) [m; world NED] touches the ground."""
    return above_ground(scenes, position) <= DRONE_RADIUS + _TOUCHING


def reachable(scenes: Scenes, here: np.ndarray, there: Pose, origin: np.ndarray) -> Pose:
    """Return how far from here (3,) towards a pose a drone gets; both relative to origin (3,)."""
    way = np.nan_to_num(there.position - here)
    distance = float(np.linalg.norm(way))
    if distance == 0:
        return there
    free = float(cast_rays(scenes, 0, here + origin, way[None] / distance, distance)[0])
    if math.isfinite(free):
        way = way * max(free - DRONE_RADIUS, 0.0) / distance
    return Pose(here + way, there.orientation)
