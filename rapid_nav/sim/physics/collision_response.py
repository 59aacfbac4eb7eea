"""What happens where a vehicle touches the world: contact, bounce, and rest on the ground."""

import math
from typing import Any

from numba import njit
import numpy as np

from rapid_nav.sim.physics.airframe import (
    CULL_STEPS,
    DRONE_RADIUS,
    FRICTION,
    GRAVITY,
    GROUND_SLOPE,
    LOCK_SPEED,
    MASS,
    MAX_PUSH,
    RESTITUTION,
    SINK,
    SPIN_KEPT,
)
from rapid_nav.sim.physics.signed_distance import surface
from rapid_nav.sim.rotation_kernels import euler
from rapid_nav.sim.worlds.primitives import Scenes
from rapid_nav.simulated_time import PHYSICS_STEP


@njit(cache=True, nogil=True)
def within_reach(
    i: int, state: Any, scenes: Scenes, first: int, last: int, near: np.ndarray
) -> int:
    """List the primitives that vehicle i can touch within CULL_STEPS; return how many."""
    time = CULL_STEPS * PHYSICS_STEP
    position, velocity = state.position[i], state.velocity[i]
    speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
    # A push out of a contact adds at most its depth; the margin covers it.
    reach = DRONE_RADIUS + (speed + MAX_PUSH * time) * time + 0.1
    count = 0
    for p in range(first, last):
        center, bound = scenes.center[p], scenes.bound[p]
        dx, dy, dz = position[0] - center[0], position[1] - center[1], position[2] - center[2]
        if dx * dx + dy * dy + dz * dz > (reach + bound) ** 2:
            continue
        rotation = scenes.rotation[p]
        x = rotation[0, 0] * dx + rotation[1, 0] * dy + rotation[2, 0] * dz
        y = rotation[0, 1] * dx + rotation[1, 1] * dy + rotation[2, 1] * dz
        z = rotation[0, 2] * dx + rotation[1, 2] * dy + rotation[2, 2] * dz
        if surface(scenes.kind[p], scenes.half[p], x, y, z)[0] < reach:
            near[count] = p
            count += 1
    return count


@njit(cache=True, nogil=True)
def touch(i: int, state: Any, scenes: Scenes, base: int, near: np.ndarray, count: int) -> bool:
    """Find the deepest contact of vehicle i with primitives `near`; note it in the state."""
    deepest = DRONE_RADIUS
    position = state.position[i]
    for n in range(count):
        p = near[n]
        rotation, center = scenes.rotation[p], scenes.center[p]
        dx, dy, dz = position[0] - center[0], position[1] - center[1], position[2] - center[2]
        x = rotation[0, 0] * dx + rotation[1, 0] * dy + rotation[2, 0] * dz
        y = rotation[0, 1] * dx + rotation[1, 1] * dy + rotation[2, 1] * dz
        z = rotation[0, 2] * dx + rotation[1, 2] * dy + rotation[2, 2] * dz
        distance, nx, ny, nz = surface(scenes.kind[p], scenes.half[p], x, y, z)
        if distance < deepest:
            deepest = distance
            state.collision_primitive[i] = p - base
            for k in range(3):
                state.collision_normal[i, k] = (
                    rotation[k, 0] * nx + rotation[k, 1] * ny + rotation[k, 2] * nz
                )
                state.impact_point[i, k] = position[k] - distance * state.collision_normal[i, k]
            state.penetration[i] = DRONE_RADIUS - distance
    if deepest < DRONE_RADIUS:
        state.collided[i] = True
        return True
    return False


@njit(cache=True, nogil=True)
def bounce(i: int, state: Any, lift: float) -> bool:
    """Answer the contact of vehicle i if it moves into it; tell whether that took the step."""
    normal, velocity, position = state.collision_normal[i], state.velocity[i], state.position[i]
    push = state.acceleration[i]
    v = (
        velocity[0] + push[0] * PHYSICS_STEP,
        velocity[1] + push[1] * PHYSICS_STEP,
        velocity[2] + push[2] * PHYSICS_STEP,
    )
    into = v[0] * normal[0] + v[1] * normal[1] + v[2] * normal[2]
    if into >= 0:
        return False
    landing = normal[2] < -GROUND_SLOPE and v[2] > abs(v[0]) and v[2] > abs(v[1])
    restitution, friction = (0.0, 1.0) if landing else (RESTITUTION, FRICTION)
    for k in range(3):
        along = v[k] - into * normal[k]
        velocity[k] = along * (1 - friction) - restitution * into * normal[k]
        push[k] = 0.0
        state.angular_acceleration[i, k] = 0.0
        state.angular_velocity[i, k] *= SPIN_KEPT
    speed = max(abs(velocity[0]), max(abs(velocity[1]), abs(velocity[2])))
    out = state.penetration[i]
    if landing and lift < MASS * GRAVITY and speed < LOCK_SPEED:
        state.grounded[i] = True
        out -= SINK
    for k in range(3):
        position[k] += normal[k] * out + velocity[k] * PHYSICS_STEP
    return True


@njit(cache=True, nogil=True)
def rest(i: int, state: Any, lift: float) -> bool:
    """Keep a grounded vehicle level and still; let it go once its thrust exceeds its weight."""
    if lift >= MASS * GRAVITY:
        state.grounded[i] = False
        return False
    yaw = euler(state.orientation[i])[2]
    state.orientation[i, 0], state.orientation[i, 3] = math.cos(yaw / 2), math.sin(yaw / 2)
    state.orientation[i, 1] = state.orientation[i, 2] = 0.0
    for k in range(3):
        state.velocity[i, k] = state.acceleration[i, k] = 0.0
        state.angular_velocity[i, k] = state.angular_acceleration[i, k] = 0.0
    return True
