"""simple_flight's cascade of controllers: from a goal to the commands of four motors."""

import math

from numba import njit
import numpy as np

from rapid_nav.sim.rotation_kernels import euler, to_body
from rapid_nav.simulated_time import PHYSICS_STEP

# What the four values of a goal mean. Yaw is an angle, or a rate where yaw_is_rate says so.
MODE_OFF = 0  # propellers stand still
MODE_VELOCITY = 1  # vx, vy, vz [m/s; NED], yaw
MODE_VELOCITY_Z = 2  # vx, vy [m/s; NED], z [m], yaw
MODE_POSITION = 3  # x, y, z [m; NED], yaw
MODE_ATTITUDE_Z = 4  # roll, pitch [rad], z [m], yaw
MODE_ATTITUDE_THROTTLE = 5  # roll, pitch [rad], throttle 0..1, yaw
MODE_RATE_Z = 6  # roll rate, pitch rate [rad/s; body], z [m], yaw
MODE_RATE_THROTTLE = 7  # roll rate, pitch rate [rad/s; body], throttle 0..1, yaw
MODE_HOLD = 8  # stay where the vehicle was when this mode began; the values are ignored
MODE_MOTORS = 9  # PWM 0..1 of front right, rear left, front left, rear right
MODES = range(10)

MAX_TILT = math.pi / 5.5  # [rad]
MAX_POSITION_SPEED = 6.0  # [m/s]
MAX_RATE = 2.5  # [rad/s]
P_POSITION, P_VELOCITY, P_CLIMB, I_CLIMB, P_ANGLE, P_RATE = 0.25, 0.2, 2.0, 2.0, 2.5, 0.25
MIN_THROTTLE = 0.3
CLIMB_MEMORY = 0.9999  # of the climb controller's integral, each step
MIN_MIXING_THROTTLE = 0.05  # below this the mixer does not steer


@njit(cache=True, nogil=True)
def clip(x: float) -> float:
    """Bring a controller's output into [-1, 1]."""
    return min(max(x, -1.0), 1.0)


@njit(cache=True, nogil=True)
def to_angle(rate: float, measured: float, goal: float) -> float:
    """Return the normalised torque that turns `measured` into `goal` [rad] at `rate` [rad/s]."""
    error = goal - measured
    error -= 2 * math.pi * math.floor((error + math.pi) / (2 * math.pi))
    return to_rate(rate, MAX_RATE * clip(P_ANGLE * error))


@njit(cache=True, nogil=True)
def to_rate(rate: float, goal: float) -> float:
    """Return the normalised torque that brings `rate` to `goal` [rad/s]."""
    return clip(P_RATE * (goal - rate))


@njit(cache=True, nogil=True)
def to_place(measured: float, goal: float) -> float:
    """Return the speed towards a place [m/s]."""
    return MAX_POSITION_SPEED * clip(P_POSITION * (goal - measured))


@njit(cache=True, nogil=True)
def fly(
    mode: int,
    values: np.ndarray,
    yaw_is_rate: bool,
    position: np.ndarray,
    velocity: np.ndarray,
    q: np.ndarray,
    rates: np.ndarray,
    integral: float,
    motors: np.ndarray,
) -> float:
    """
    Write motor commands 0..1 (4,) for one step; return the climb controller's new integral.

    `mode` is none of MODE_OFF, MODE_HOLD, MODE_MOTORS; the rest is a vehicle's goal and state.
    """
    roll, pitch, yaw = euler(q)
    by_place = mode == MODE_POSITION
    by_velocity = by_place or mode in (MODE_VELOCITY, MODE_VELOCITY_Z)
    gx, gy, gz = values[0], values[1], values[2]
    if by_place:
        gx, gy = to_place(position[0], gx), to_place(position[1], gy)
    if mode != MODE_VELOCITY:
        gz = to_place(position[2], gz)
    if not by_velocity:
        gx, gy = velocity[0], velocity[1]
    ex, ey, ez = to_body(q, gx - velocity[0], gy - velocity[1], gz - velocity[2])
    if mode in (MODE_ATTITUDE_THROTTLE, MODE_RATE_THROTTLE):
        throttle = min(max(values[2], 0.0), 1.0)
    else:
        integral = clip(integral * CLIMB_MEMORY + I_CLIMB * ez * PHYSICS_STEP)
        throttle = max((1 - clip(P_CLIMB * ez + integral)) / 2, MIN_THROTTLE)
    if mode in (MODE_RATE_Z, MODE_RATE_THROTTLE):
        turn_x, turn_y = to_rate(rates[0], values[0]), to_rate(rates[1], values[1])
    elif by_velocity:
        turn_x = to_angle(rates[0], roll, MAX_TILT * clip(P_VELOCITY * ey))
        turn_y = to_angle(rates[1], pitch, -MAX_TILT * clip(P_VELOCITY * ex))
    else:
        turn_x = to_angle(rates[0], roll, values[0])
        turn_y = to_angle(rates[1], pitch, values[1])
    turn_z = to_rate(rates[2], values[3]) if yaw_is_rate else to_angle(rates[2], yaw, values[3])
    mix(throttle, turn_x, turn_y, turn_z, motors)
    return integral


@njit(cache=True, nogil=True)
def mix(throttle: float, x: float, y: float, z: float, motors: np.ndarray) -> None:
    """Spread throttle and torques over the motors of a quad X, keeping all within 0..1."""
    if throttle < MIN_MIXING_THROTTLE:
        for k in range(4):
            motors[k] = throttle
        return
    motors[0] = throttle - x + y + z
    motors[1] = throttle + x - y + z
    motors[2] = throttle + x + y - z
    motors[3] = throttle - x - y - z
    low = min(min(motors[0], motors[1]), min(motors[2], motors[3]), 0.0)
    high = max(max(motors[0], motors[1]), max(motors[2], motors[3]), 1.0 + low) - low
    for k in range(4):
        motors[k] = (motors[k] - low) / high
