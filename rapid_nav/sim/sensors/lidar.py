"""A turning laser scanner: one full revolution of rays into the scene."""

import numpy as np

from rapid_nav.sim.airsim_settings import SensorKeys
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.rotation_kernels import rotation_matrices
from rapid_nav.sim.rpc.arguments import Pose
from rapid_nav.sim.rpc.structs import Map
from rapid_nav.sim.worlds.primitives import Scenes

_MOST_POINTS = 100_000  # of one sweep, as in AirSim
LIDAR_BYTES = _MOST_POINTS * 17 + 1024  # of one answer: three floats and an id for each point


def sweep(
    scenes: Scenes, ids: np.ndarray, pose: Pose, origin: np.ndarray, keys: SensorKeys
) -> Map:
    """
    Return LidarData's point_cloud and segmentation of one revolution.

    `pose` is the sensor's in the vehicle's NED frame, whose origin (3,) [m] in the world is
    `origin`; `keys` are those of settings.json. Points are in the frame that DataFrame names.
    """
    directions = rays(keys)
    world = directions @ rotation_matrices(pose.orientation)[0].T
    which = np.empty(len(world), np.int64)
    ranges = cast_rays(scenes, 0, pose.position + origin, world, keys.range, which)
    hit = np.isfinite(ranges)
    if keys.data_frame == 'SensorLocalFrame':
        points = directions[hit] * ranges[hit, None]
    else:
        points = pose.position + world[hit] * ranges[hit, None]
    return {
        'point_cloud': points.astype(np.float32).reshape(-1),
        'segmentation': ids[which[hit]].tolist(),
    }


def rays(keys: SensorKeys) -> np.ndarray:
    """Return the directions (R, 3) of one revolution in the sensor's FRD frame."""
    channels, turns = int(keys.number_of_channels), keys.rotations_per_second
    points = min(keys.points_per_second / turns, _MOST_POINTS)
    columns = max(round(points / channels), 1)
    first, last = keys.horizontal_start % 360, keys.horizontal_end % 360  # clockwise from ahead
    around = np.arange(columns) * 360 / columns
    inside = (around - first) % 360 <= (last - first) % 360
    yaw = np.radians(around[inside])[None, :]
    pitch = np.radians(np.linspace(keys.vertical_upper, keys.vertical_lower, channels))[:, None]
    level = np.cos(pitch)
    x, y, z = np.broadcast_arrays(level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch))
    return np.stack([x, y, z], axis=-1).reshape(-1, 3)
