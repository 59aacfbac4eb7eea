"""AirSim's motions, as generators that yield the time until their next update [simulated s]."""

import math
from typing import Any

import numpy as np

from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.rpc.arguments import YawMode
from rapid_nav.sim.vehicle import Motion, Vehicle

PERIOD = 0.02  # [s] between two updates
ACCURACY = 0.5  # [m] nearer than this is there
TAKEOFF_CLIMB = 2.0  # [m]
_STILL = 0.05  # [m/s]
_STILL_TURNING = 0.01  # [rad/s]
_LANDING_SPEED = 0.2  # [m/s]
_LANDING_UPDATES = 10
_GENTLE = 0.5  # [m/s]
_FORWARD_ONLY = 1
NO_TURN = YawMode(True, 0.0)


def adjust_yaw(x: float, y: float, drivetrain: int, yaw: YawMode) -> YawMode:
    """Add the direction of travel where the drone is to face where it flies."""
    if drivetrain != _FORWARD_ONLY or yaw.is_rate:
        return yaw
    if math.hypot(x, y) <= ACCURACY:
        return NO_TURN
    return YawMode(False, normalize(yaw.yaw_or_rate + math.degrees(math.atan2(y, x))))


def normalize(degrees: float) -> float:
    """Return an angle [deg] within -180 to 180."""
    return math.remainder(degrees, 360.0)


def timed(
    vehicle: Vehicle,
    duration: float,
    mode: int,
    a: float,
    b: float,
    c: float,
    yaw: YawMode,
    at_once: bool = True,
) -> Motion:
    """Keep one goal, as the physics' modes take it, for a time."""
    if duration <= 0:
        return at_once
    vehicle.order(mode, a, b, c, yaw)
    yield duration
    return True


def velocity(
    vehicle: Vehicle,
    x: float,
    y: float,
    third: float,
    duration: float,
    drivetrain: int,
    yaw: YawMode,
    mode: int = dynamics.MODE_VELOCITY,
    body: bool = False,
    at_once: bool = True,
) -> Motion:
    """
    Fly at a velocity, given in the world's axes or in the body's heading of now.

    The third value is a velocity or a height, as the mode says; without a duration the outcome is
    `at_once`.
    """
    if body:
        cos, sin = math.cos(vehicle.yaw), math.sin(vehicle.yaw)
        x, y = x * cos - y * sin, x * sin + y * cos
    turn = adjust_yaw(x, y, drivetrain, yaw)
    return timed(vehicle, duration, mode, x, y, third, turn, at_once)


def attitude(
    mode: int,
    yaw_is_rate: bool,
    vehicle: Vehicle,
    x: float,
    y: float,
    yaw: float,
    third: float,
    duration: float,
) -> Motion:
    """
    Keep angles or rates about the body's x and y [rad, rad/s], and a height or a throttle.

    The yaw is an angle [rad] or a rate [rad/s].
    """
    turn = YawMode(yaw_is_rate, math.degrees(yaw))
    return timed(vehicle, duration, mode, x, y, third, turn)


def rotate_by(vehicle: Vehicle, rate: float, duration: float) -> Motion:
    """Turn at a rate [deg/s] on the spot."""
    x, y, z = vehicle.position.tolist()
    return timed(vehicle, duration, dynamics.MODE_POSITION, x, y, z, YawMode(True, rate))


def motors(
    vehicle: Vehicle,
    front_right: float,
    rear_left: float,
    front_left: float,
    rear_right: float,
    duration: float,
) -> Motion:
    """Drive the four motors at powers of 0 to 1 for a time."""
    if duration > 0:
        vehicle.spin([front_right, rear_left, front_left, rear_right])
        yield duration
    return True


def take_off(vehicle: Vehicle, timeout: float) -> Motion:
    """Climb; refuses while moving."""
    speed = float(np.linalg.norm(vehicle.velocity))
    if speed > _STILL:
        raise RuntimeError(
            f'Cannot perform takeoff because vehicle is already moving with velocity {speed:f} m/s'
        )
    top = vehicle.position - (0.0, 0.0, TAKEOFF_CLIMB)
    return follow(vehicle, top[None], _GENTLE, timeout, 0, NO_TURN)


def go_home(vehicle: Vehicle, timeout: float) -> Motion:
    """Fly to where the vehicle started."""
    return follow(vehicle, np.zeros((1, 3)), _GENTLE, timeout, 0, NO_TURN)


def land(vehicle: Vehicle, timeout: float) -> Motion:
    """Sink until something, the ground at best, has kept it from sinking for some updates."""
    waited, still = 0.0, 0
    while waited < timeout:
        vehicle.order(dynamics.MODE_VELOCITY, 0.0, 0.0, _LANDING_SPEED, NO_TURN)
        still = still + 1 if vehicle.velocity[2] <= _STILL else 0
        if still > _LANDING_UPDATES:
            if vehicle.landed:
                vehicle.order(dynamics.MODE_OFF, 0.0, 0.0, 0.0, NO_TURN)
            return True
        yield PERIOD
        waited += PERIOD
    return False


def hover(vehicle: Vehicle) -> Motion:
    """Hold the place at once."""
    vehicle.order(dynamics.MODE_HOLD, 0.0, 0.0, 0.0, NO_TURN)
    yield from ()
    return True


def rotate_to(vehicle: Vehicle, yaw: float, timeout: float, margin: float) -> Motion:
    """Turn to a heading [deg] on the spot."""
    x, y, z = vehicle.position
    target, waited = normalize(yaw), 0.0
    if timeout <= 0:
        return True
    while waited < timeout:
        near = abs(normalize(math.degrees(vehicle.yaw) - target)) <= margin
        turn = NO_TURN if near else YawMode(False, target)
        vehicle.order(dynamics.MODE_POSITION, x, y, z, turn)
        if near and abs(vehicle.angular_velocity[2]) <= _STILL_TURNING:
            return True
        yield PERIOD
        waited += PERIOD
    return False


def to_position(vehicle: Vehicle, x: float, y: float, z: float, *how: Any) -> Motion:
    """Fly straight to a point [m; the vehicle's NED], as `follow` does."""
    return follow(vehicle, np.array([[x, y, z]]), *how)


def to_height(
    vehicle: Vehicle,
    z: float,
    speed: float,
    timeout: float,
    yaw: YawMode,
    lookahead: float,
    adaptive: float,
) -> Motion:
    """Fly straight up or down to a height [m; the vehicle's NED]."""
    x, y, _ = vehicle.position.tolist()
    return to_position(vehicle, x, y, z, speed, timeout, 0, yaw, lookahead, adaptive)


def follow(
    vehicle: Vehicle,
    points: np.ndarray,
    speed: float,
    timeout: float,
    drivetrain: int,
    yaw: YawMode,
    lookahead: float = -1.0,
    adaptive: float = 1.0,
) -> Motion:
    """
    Fly along points (N, 3) [m; the vehicle's NED] with AirSim's adaptive lookahead.

    True once within ACCURACY of the last one or past it, False when time is up before.
    """
    if drivetrain == _FORWARD_ONLY and yaw.is_rate:
        raise ValueError('Yaw cannot be specified as rate if drivetrain is ForwardOnly')
    if lookahead == 0:
        raise ValueError('lookahead distance cannot be 0')
    if 0 < lookahead < max(ACCURACY, speed * PERIOD):
        raise ValueError(
            f'lookahead value {lookahead:f} is too small for velocity {speed:f}. '
            f'It must be at least {max(ACCURACY, speed * PERIOD):f}'
        )
    if lookahead < 0:
        lookahead = max(speed * PERIOD * (30 if adaptive > 0 else 40), ACCURACY * 1.5)
    path = _Path(np.vstack([vehicle.position, points]))
    return _along(vehicle, path, speed, timeout, drivetrain, yaw, lookahead, adaptive)


def _along(
    vehicle: Vehicle,
    path: '_Path',
    speed: float,
    timeout: float,
    drivetrain: int,
    yaw: YawMode,
    lookahead: float,
    adaptive: float,
) -> Motion:
    done, error, waited = 0.0, 0.0, 0.0  # [m] flown of the path, [m] beside it, [s]
    while waited < timeout:
        target = path.at(done + lookahead + error)
        _towards(vehicle, target, speed, drivetrain, yaw)
        yield PERIOD
        waited += PERIOD
        foot = path.at(done)
        ahead, gone = target - foot, vehicle.position - foot
        reach = float(np.linalg.norm(ahead))
        if reach == 0:
            return True
        progress = float(gone @ ahead) / reach
        if adaptive:
            error = float(np.linalg.norm(gone - ahead * (progress / reach))) * adaptive
        done = min(done + max(progress, 0.0), path.length)
        left = float(np.linalg.norm(path.points[-1] - vehicle.position))
        if done + lookahead >= path.length and progress <= 0 and left <= ACCURACY:
            return True
    return False


def _towards(
    vehicle: Vehicle, target: np.ndarray, speed: float, drivetrain: int, yaw: YawMode
) -> None:
    """Order the velocity that leads to a point, without shooting past it in one period."""
    way = target - vehicle.position
    distance = float(np.linalg.norm(way))
    pace = 0.0 if distance < ACCURACY else min(speed, distance / PERIOD) / distance
    x, y, z = way * pace
    if abs(way[2]) <= ACCURACY:
        z = 0.0
    turn = adjust_yaw(way[0], way[1], drivetrain, yaw)
    vehicle.order(dynamics.MODE_VELOCITY, x, y, z, turn)


class _Path:
    """A polyline, walked by its length."""

    def __init__(self, points: np.ndarray) -> None:
        self.points = points  # (N, 3) [m]
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=1)
        self._marks = np.concatenate([[0.0], np.cumsum(steps)])  # (N,) [m] from the start
        self.length = float(self._marks[-1])

    def at(self, distance: float) -> np.ndarray:
        """Return the point (3,) so far along, or the last one."""
        return np.array([np.interp(distance, self._marks, axis) for axis in self.points.T])
