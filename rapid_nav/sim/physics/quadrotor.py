"""The body of AirSim's default quadrotor: rotors, drag, motion and contact, one step at a time."""

import math
from typing import Any

from numba import njit
import numpy as np

from rapid_nav.sim.physics.airframe import (
    ARM,
    CULL_STEPS,
    DRAG_X,
    DRAG_Y,
    DRAG_Z,
    GRAVITY,
    HOVER,
    INERTIA_X,
    INERTIA_Y,
    INERTIA_Z,
    MASS,
    MAX_THRUST,
    MAX_TORQUE,
    MAX_TURNING,
    MIN_DRAG_SPEED,
    ROTOR_KEEP,
)
from rapid_nav.sim.physics.collision_response import bounce, rest, touch, within_reach
from rapid_nav.sim.physics.simple_flight import (
    fly,
    MODE_HOLD,
    MODE_MOTORS,
    MODE_OFF,
    MODE_POSITION,
)
from rapid_nav.sim.rotation_kernels import euler, to_body, to_world, turn
from rapid_nav.sim.worlds.primitives import Scenes
from rapid_nav.simulated_time import PHYSICS_STEP


@njit(cache=True, nogil=True)
def drag(factor: float, speed: float) -> float:
    """Return the drag along one body axis [N]."""
    return -factor * speed * abs(speed) if abs(speed) > MIN_DRAG_SPEED else 0.0


@njit(cache=True, nogil=True)
def command(i: int, state: Any, goal: Any, motors: np.ndarray) -> None:
    """Write the motor commands of vehicle i for one step."""
    mode = goal.mode[i]
    if mode == MODE_OFF:
        for k in range(4):
            motors[k] = 0.0
        state.integral[i] = 1 - 2 * HOVER
    elif mode == MODE_MOTORS:
        for k in range(4):
            motors[k] = min(max(goal.values[i, k], 0.0), 1.0)
    else:
        values, is_rate = goal.values[i], goal.yaw_is_rate[i]
        if mode == MODE_HOLD:
            if state.mode[i] != MODE_HOLD:
                for k in range(3):
                    state.hold[i, k] = state.position[i, k]
                state.hold[i, 3] = euler(state.orientation[i])[2]
            values, is_rate = state.hold[i], False
        state.integral[i] = fly(
            MODE_POSITION if mode == MODE_HOLD else mode,
            values,
            is_rate,
            state.position[i],
            state.velocity[i],
            state.orientation[i],
            state.angular_velocity[i],
            state.integral[i],
            motors,
        )
    state.mode[i] = mode


@njit(cache=True, nogil=True)
def move(i: int, state: Any, lift: float, torque: np.ndarray) -> None:
    """Move vehicle i freely for one step (velocity Verlet); lift [N], torque (3,) [N m; body]."""
    position, velocity, q = state.position[i], state.velocity[i], state.orientation[i]
    rates, push, spin = (
        state.angular_velocity[i],
        state.acceleration[i],
        state.angular_acceleration[i],
    )
    half = PHYSICS_STEP / 2
    vx = velocity[0] + push[0] * half
    vy = velocity[1] + push[1] * half
    vz = velocity[2] + push[2] * half
    wx, wy, wz = rates[0] + spin[0] * half, rates[1] + spin[1] * half, rates[2] + spin[2] * half
    bx, by, bz = to_body(q, vx, vy, vz)
    fx, fy, fz = to_world(q, drag(DRAG_X, bx), drag(DRAG_Y, by), drag(DRAG_Z, bz) - lift)
    new = (fx / MASS, fy / MASS, fz / MASS + GRAVITY)
    sx = (torque[0] - (INERTIA_Z - INERTIA_Y) * wy * wz) / INERTIA_X
    sy = (torque[1] - (INERTIA_X - INERTIA_Z) * wz * wx) / INERTIA_Y
    sz = (torque[2] - (INERTIA_Y - INERTIA_X) * wx * wy) / INERTIA_Z
    position[0] += vx * PHYSICS_STEP
    position[1] += vy * PHYSICS_STEP
    position[2] += vz * PHYSICS_STEP
    turn(q, wx * PHYSICS_STEP, wy * PHYSICS_STEP, wz * PHYSICS_STEP)
    for k in range(3):
        velocity[k] += (push[k] + new[k]) * half
        push[k] = new[k]
    rates[0] += (spin[0] + sx) * half
    rates[1] += (spin[1] + sy) * half
    rates[2] += (spin[2] + sz) * half
    spin[0], spin[1], spin[2] = sx, sy, sz
    turning = math.sqrt(rates[0] * rates[0] + rates[1] * rates[1] + rates[2] * rates[2])
    if turning > MAX_TURNING:
        for k in range(3):
            rates[k] *= MAX_TURNING / turning


@njit(cache=True, nogil=True)
def advance(
    state: Any,
    goal: Any,
    scenes: Scenes,
    scene_index: np.ndarray,
    steps: int,
    begin: int,
    end: int,
) -> None:
    """Advance vehicles begin..end-1 by `steps` steps, in place."""
    motors, torque = np.zeros(4), np.zeros(3)
    for i in range(begin, end):
        first, last = scenes.offsets[scene_index[i]], scenes.offsets[scene_index[i] + 1]
        near = np.empty(last - first, dtype=np.int64)
        count = 0
        for n in range(steps):
            if n % CULL_STEPS == 0:
                count = within_reach(i, state, scenes, first, last, near)
            command(i, state, goal, motors)
            thrust = state.rotors[i]
            for k in range(4):
                thrust[k] = motors[k] * (1 - ROTOR_KEEP) + thrust[k] * ROTOR_KEEP
            lift = MAX_THRUST * (thrust[0] + thrust[1] + thrust[2] + thrust[3])
            leverage = MAX_THRUST * ARM
            torque[0] = leverage * (thrust[1] + thrust[2] - thrust[0] - thrust[3])
            torque[1] = leverage * (thrust[0] + thrust[2] - thrust[1] - thrust[3])
            torque[2] = MAX_TORQUE * (thrust[0] + thrust[1] - thrust[2] - thrust[3])
            touching = touch(i, state, scenes, first, near, count)
            if state.grounded[i] and rest(i, state, lift):
                continue
            if not (touching and bounce(i, state, lift)):
                move(i, state, lift, torque)
