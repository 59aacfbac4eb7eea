"""Drones of the embedded simulator moved by pose, as simSetVehiclePose does, without physics."""

import numpy as np

from rapid_nav.geometry import yaw_of
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.physics.dynamics import DRONE_RADIUS, State
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.primitives import Scenes


def move(state: State, scenes: Scenes, scene_index: np.ndarray, steps: np.ndarray) -> None:
    """
    Put drones where steps (N, 4) lead: forward, left, up [m] and turn [rad], from a level body.

    A drone whose way is blocked stays where it is and has collided.
    """
    yaw = yaw_of(state.orientation)
    forward, left, up, turn = steps.T
    way = np.stack(
        [
            forward * np.cos(yaw) + left * np.sin(yaw),
            forward * np.sin(yaw) - left * np.cos(yaw),
            -up,
        ],
        axis=1,
    )
    # A body is wider than the gaps between these places, so nothing slips through.
    count = max(int(np.ceil(np.linalg.norm(way, axis=1).max() / DRONE_RADIUS)), 1)
    shares = np.arange(1, count + 1)[:, None] / count
    touched = np.array(
        [
            (clearance(scenes, index, start + shares * one, 1.0) < DRONE_RADIUS).any()
            for index, start, one in zip(scene_index, state.position, way, strict=True)
        ]
    )
    poses = np.column_stack([state.position + np.where(touched[:, None], 0.0, way), yaw - turn])
    dynamics.reset_rows(state, np.arange(len(poses)), poses)
    state.collided[:] = touched
