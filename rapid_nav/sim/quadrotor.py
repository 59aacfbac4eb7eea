"""The body of AirSim's default quadrotor: rotors, drag, motion and contact, 3 ms at a time."""

import math

from numba import njit
import numpy as np

from rapid_nav.sim.autopilot import (
    euler,
    fly,
    MODE_HOLD,
    MODE_MOTORS,
    MODE_OFF,
    MODE_POSITION,
    STEP,
)
from rapid_nav.sim.contact import surface

MASS = 1.0  # [kg]
GRAVITY = 9.80665  # [m/s^2]
AIR_DENSITY = 1.225  # [kg/m^3]
ARM = 0.2275 * math.sqrt(0.5)  # [m], of a rotor along x and along y
PROPELLER_DIAMETER, PROPELLER_HEIGHT = 0.2286, 0.01  # [m]
REVOLUTIONS = 6396.667 / 60  # [1/s] at full command
MAX_THRUST = 0.109919 * AIR_DENSITY * REVOLUTIONS ** 2 * PROPELLER_DIAMETER ** 4  # [N]
MAX_TORQUE = (  # [N m]
    0.040164 * AIR_DENSITY * REVOLUTIONS ** 2 * PROPELLER_DIAMETER ** 5 / (2 * math.pi))
HOVER = MASS * GRAVITY / (4 * MAX_THRUST)
ROTOR_KEEP = math.exp(-STEP / 0.005)  # what is left of a rotor's old thrust after a step
BODY_X, BODY_Y, BODY_Z = 0.18, 0.11, 0.04  # [m]
MOTOR_MASS, MOTOR_Z = 0.055, 0.025  # [kg], [m]
BOX_MASS = MASS - 4 * MOTOR_MASS  # [kg]
_OF_MOTORS = 4 * MOTOR_MASS * (ARM ** 2 + MOTOR_Z ** 2)
INERTIA_X = BOX_MASS / 12 * (BODY_Y ** 2 + BODY_Z ** 2) + _OF_MOTORS  # [kg m^2]
INERTIA_Y = BOX_MASS / 12 * (BODY_X ** 2 + BODY_Z ** 2) + _OF_MOTORS
INERTIA_Z = BOX_MASS / 12 * (BODY_X ** 2 + BODY_Y ** 2) + 4 * MOTOR_MASS * 2 * ARM ** 2
_BLADES = 4 * math.pi * PROPELLER_DIAMETER
_DRAG = 0.325 / 2 * AIR_DENSITY
DRAG_X = _DRAG * (BODY_Y * BODY_Z + _BLADES * PROPELLER_HEIGHT)  # [N s^2/m^2]
DRAG_Y = _DRAG * (BODY_X * BODY_Z + _BLADES * PROPELLER_HEIGHT)
DRAG_Z = _DRAG * (BODY_X * BODY_Y + _BLADES * PROPELLER_DIAMETER)
MIN_DRAG_SPEED = 0.1  # [m/s]
RESTITUTION, FRICTION = 0.55, 0.5
RADIUS = 0.2  # [m], of the sphere that touches the world
SPIN_KEPT = 0.9  # of the angular velocity in a contact
GROUND_SLOPE = 0.7  # cosine of the steepest slope to land on
LOCK_SPEED = 0.25  # [m/s], slower than this after touching the ground the drone stays there
SINK = 1e-3  # [m], how deep it then rests, so that resting counts as contact
CULL_STEPS = 34  # after so many steps the primitives within reach are looked up again
MAX_PUSH = (4 * MAX_THRUST / MASS + GRAVITY) * 1.5  # [m/s^2], no vehicle accelerates faster


@njit(cache=True, nogil=True)
def rotate(q: np.ndarray, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Rotate a body vector into NED."""
    a, b, c, d = q[0], q[1], q[2], q[3]
    return (
        (1 - 2 * (c * c + d * d)) * x + 2 * (b * c - a * d) * y + 2 * (b * d + a * c) * z,
        2 * (b * c + a * d) * x + (1 - 2 * (b * b + d * d)) * y + 2 * (c * d - a * b) * z,
        2 * (b * d - a * c) * x + 2 * (c * d + a * b) * y + (1 - 2 * (b * b + c * c)) * z)


@njit(cache=True, nogil=True)
def to_body(q: np.ndarray, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Rotate a NED vector into the body."""
    a, b, c, d = q[0], q[1], q[2], q[3]
    return (
        (1 - 2 * (c * c + d * d)) * x + 2 * (b * c + a * d) * y + 2 * (b * d - a * c) * z,
        2 * (b * c - a * d) * x + (1 - 2 * (b * b + d * d)) * y + 2 * (c * d + a * b) * z,
        2 * (b * d + a * c) * x + 2 * (c * d - a * b) * y + (1 - 2 * (b * b + c * c)) * z)


@njit(cache=True, nogil=True)
def drag(factor: float, speed: float) -> float:
    """Return the drag along one body axis [N]."""
    return -factor * speed * abs(speed) if abs(speed) > MIN_DRAG_SPEED else 0.0


@njit(cache=True, nogil=True)
def turn(q: np.ndarray, x: float, y: float, z: float) -> None:
    """Rotate q in place by a body rotation vector [rad], keeping it a unit quaternion."""
    angle = math.sqrt(x * x + y * y + z * z)
    if angle < 1e-12:
        return
    s = math.sin(angle / 2) / angle
    a, b, c, d = math.cos(angle / 2), x * s, y * s, z * s
    w, i, j, k = q[0], q[1], q[2], q[3]
    q[0] = w * a - i * b - j * c - k * d
    q[1] = w * b + i * a + j * d - k * c
    q[2] = w * c - i * d + j * a + k * b
    q[3] = w * d + i * c - j * b + k * a
    norm = math.sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    for n in range(4):
        q[n] /= norm


@njit(cache=True, nogil=True)
def command(i: int, state, goal, motors: np.ndarray) -> None:
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
            MODE_POSITION if mode == MODE_HOLD else mode, values, is_rate, state.position[i],
            state.velocity[i], state.orientation[i], state.angular_velocity[i],
            state.integral[i], motors)
    state.mode[i] = mode


@njit(cache=True, nogil=True)
def move(i: int, state, lift: float, torque: np.ndarray) -> None:
    """Move vehicle i freely for one step (velocity Verlet); lift [N], torque (3,) [N m; body]."""
    position, velocity, q = state.position[i], state.velocity[i], state.orientation[i]
    rates, push, spin = (
        state.angular_velocity[i], state.acceleration[i], state.angular_acceleration[i])
    half = STEP / 2
    vx = velocity[0] + push[0] * half
    vy = velocity[1] + push[1] * half
    vz = velocity[2] + push[2] * half
    wx, wy, wz = rates[0] + spin[0] * half, rates[1] + spin[1] * half, rates[2] + spin[2] * half
    bx, by, bz = to_body(q, vx, vy, vz)
    fx, fy, fz = rotate(q, drag(DRAG_X, bx), drag(DRAG_Y, by), drag(DRAG_Z, bz) - lift)
    new = (fx / MASS, fy / MASS, fz / MASS + GRAVITY)
    sx = (torque[0] - (INERTIA_Z - INERTIA_Y) * wy * wz) / INERTIA_X
    sy = (torque[1] - (INERTIA_X - INERTIA_Z) * wz * wx) / INERTIA_Y
    sz = (torque[2] - (INERTIA_Y - INERTIA_X) * wx * wy) / INERTIA_Z
    position[0] += vx * STEP
    position[1] += vy * STEP
    position[2] += vz * STEP
    turn(q, wx * STEP, wy * STEP, wz * STEP)
    for k in range(3):
        velocity[k] += (push[k] + new[k]) * half
        push[k] = new[k]
    rates[0] += (spin[0] + sx) * half
    rates[1] += (spin[1] + sy) * half
    rates[2] += (spin[2] + sz) * half
    spin[0], spin[1], spin[2] = sx, sy, sz


@njit(cache=True, nogil=True)
def touch(i: int, state, scenes, base: int, near: np.ndarray, count: int) -> bool:
    """Find the deepest contact of vehicle i with primitives `near`; note it in the state."""
    deepest = RADIUS
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
                    rotation[k, 0] * nx + rotation[k, 1] * ny + rotation[k, 2] * nz)
                state.impact_point[i, k] = position[k] - distance * state.collision_normal[i, k]
            state.penetration[i] = RADIUS - distance
    if deepest < RADIUS:
        state.collided[i] = True
        return True
    return False


@njit(cache=True, nogil=True)
def bounce(i: int, state, lift: float) -> bool:
    """Answer the contact of vehicle i if it moves into it; tell whether that took the step."""
    normal, velocity, position = state.collision_normal[i], state.velocity[i], state.position[i]
    push = state.acceleration[i]
    v = (velocity[0] + push[0] * STEP, velocity[1] + push[1] * STEP, velocity[2] + push[2] * STEP)
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
        position[k] += normal[k] * out + velocity[k] * STEP
    return True


@njit(cache=True, nogil=True)
def rest(i: int, state, lift: float) -> bool:
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


@njit(cache=True, nogil=True)
def within_reach(i: int, state, scenes, first: int, last: int, near: np.ndarray) -> int:
    """List the primitives that vehicle i can touch within CULL_STEPS; return how many."""
    time = CULL_STEPS * STEP
    position, velocity = state.position[i], state.velocity[i]
    speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
    # A push out of a contact adds at most its depth; the margin covers it.
    reach = RADIUS + (speed + MAX_PUSH * time) * time + 0.1
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
def advance(
    state, goal, scenes, scene_index: np.ndarray, steps: int, begin: int, end: int,
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
