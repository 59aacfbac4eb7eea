"""
AirSim's simple_flight quadrotor: states and goals of B vehicles, stepped together.

The numbers are AirSim 1.8.1's (FastPhysicsEngine, MultiRotorParams, simple_flight); the drone
touches the world as a sphere, so a contact pushes through its middle and never tips it over.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rapid_nav.geometry import yaw_to_quaternion
from rapid_nav.sim.physics.airframe import DRONE_RADIUS, HOVER
from rapid_nav.sim.physics.quadrotor import advance
from rapid_nav.sim.physics.simple_flight import (
    MODE_ATTITUDE_THROTTLE,
    MODE_ATTITUDE_Z,
    MODE_HOLD,
    MODE_MOTORS,
    MODE_OFF,
    MODE_POSITION,
    MODE_RATE_THROTTLE,
    MODE_RATE_Z,
    MODE_VELOCITY,
    MODE_VELOCITY_Z,
)
from rapid_nav.sim.render.camera import in_parts
from rapid_nav.sim.worlds.primitives import Scenes

__all__ = [
    'DRONE_RADIUS',
    'MODE_ATTITUDE_THROTTLE',
    'MODE_ATTITUDE_Z',
    'MODE_HOLD',
    'MODE_MOTORS',
    'MODE_OFF',
    'MODE_POSITION',
    'MODE_RATE_THROTTLE',
    'MODE_RATE_Z',
    'MODE_VELOCITY',
    'MODE_VELOCITY_Z',
    'Goal',
    'State',
    'make_goal',
    'make_state',
    'reset_rows',
    'step',
]


class State(NamedTuple):
    """B quadrotors, struct of arrays; every array may be read and written at any time."""

    position: np.ndarray  # (B, 3) [m; NED], the middle of the body
    velocity: np.ndarray  # (B, 3) [m/s; NED]
    orientation: np.ndarray  # (B, 4) (w, x, y, z), body FRD -> NED
    angular_velocity: np.ndarray  # (B, 3) [rad/s; body FRD]
    acceleration: np.ndarray  # (B, 3) [m/s^2; NED], gravity included: 0 at rest
    angular_acceleration: np.ndarray  # (B, 3) [rad/s^2; body FRD]
    rotors: np.ndarray  # (B, 4) 0..1 of the full thrust, after the motors' lag
    integral: np.ndarray  # (B,) of the vertical velocity controller
    hold: np.ndarray  # (B, 4) x, y, z, yaw that MODE_HOLD keeps
    mode: np.ndarray  # (B,) int64, the mode of the last step
    grounded: np.ndarray  # (B,) bool, locked to the ground until the thrust exceeds the weight
    collided: np.ndarray  # (B,) bool, a contact happened since this was cleared
    collision_primitive: np.ndarray  # (B,) int64, row within the world of the last contact, or -1
    collision_normal: np.ndarray  # (B, 3) [NED], away from what was hit
    impact_point: np.ndarray  # (B, 3) [m; NED]
    penetration: np.ndarray  # (B,) [m]


class Goal(NamedTuple):
    """What B vehicles are told to do."""

    mode: np.ndarray  # (B,) int64, one of the MODE_ constants
    values: np.ndarray  # (B, 4) float64, as the mode says
    yaw_is_rate: np.ndarray  # (B,) bool


def make_state(start_poses: np.ndarray) -> State:
    """Return vehicles at rest at poses (B, 4): x, y, z [m; NED], yaw [rad]."""
    start_poses = np.asarray(start_poses, dtype=np.float64).reshape(-1, 4)
    count = len(start_poses)
    three = (count, 3)
    state = State(
        position=np.zeros(three),
        velocity=np.zeros(three),
        orientation=np.zeros((count, 4)),
        angular_velocity=np.zeros(three),
        acceleration=np.zeros(three),
        angular_acceleration=np.zeros(three),
        rotors=np.zeros((count, 4)),
        integral=np.zeros(count),
        hold=np.zeros((count, 4)),
        mode=np.zeros(count, dtype=np.int64),
        grounded=np.zeros(count, dtype=bool),
        collided=np.zeros(count, dtype=bool),
        collision_primitive=np.zeros(count, dtype=np.int64),
        collision_normal=np.zeros(three),
        impact_point=np.zeros(three),
        penetration=np.zeros(count),
    )
    reset_rows(state, np.arange(count), start_poses)
    return state


def make_goal(count: int) -> Goal:
    """Return goals that hold `count` vehicles where they are."""
    return Goal(
        np.full(count, MODE_HOLD, dtype=np.int64), np.zeros((count, 4)), np.zeros(count, bool)
    )


def reset_rows(state: State, rows: Sequence[int] | np.ndarray, start_poses: np.ndarray) -> None:
    """Put vehicles `rows` at rest at poses (N, 4), forgetting what they did and hit."""
    start_poses = np.asarray(start_poses, dtype=np.float64).reshape(-1, 4)
    for array in state:
        array[rows] = 0
    state.position[rows] = start_poses[:, :3]
    state.orientation[rows] = yaw_to_quaternion(start_poses[:, 3])
    state.collision_primitive[rows] = -1
    state.mode[rows] = MODE_OFF
    state.rotors[rows] = HOVER
    state.integral[rows] = 1 - 2 * HOVER


def step(
    state: State,
    goal: Goal,
    scenes: Scenes,
    scene_index: np.ndarray | int,
    steps: int,
    threads: int = 1,
) -> None:
    """
    Advance every vehicle by exactly `steps` steps of PHYSICS_STEP, in place.

    The result depends neither on how steps are grouped into calls nor on the other vehicles.
    """
    count = len(state.position)
    scene_index = np.ascontiguousarray(
        np.broadcast_to(np.asarray(scene_index, dtype=np.int64), count)
    )

    def part(rows: slice) -> None:
        advance(state, goal, scenes, scene_index, int(steps), rows.start, rows.stop)

    in_parts(part, count, threads)
