"""AirSim's RPCs for control and motion."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import numpy as np

from rapid_nav.sim import motions
from rapid_nav.sim.engine import Engine
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.rpc.arguments import (
    boolean,
    finite_vector,
    integer,
    length,
    list_of,
    number,
    rpc,
    text,
    yaw_mode,
    YawMode,
)
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.vehicle import Motion

Answer = Awaitable[bool] | bool
_TO_Z, _TO_THROTTLE = dynamics.MODE_ATTITUDE_Z, dynamics.MODE_ATTITUDE_THROTTLE
_RATES_TO_Z, _RATES_TO_THROTTLE = dynamics.MODE_RATE_Z, dynamics.MODE_RATE_THROTTLE


class FlightMethods:
    """Who has control, and where to fly. One motion at a time for each vehicle."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _begin(self, vehicle: str, make: Callable[..., Motion], *args: object) -> Answer:
        """Start a motion of tasks.py, and answer when it ends."""
        engine = self._engine
        with engine.lock:
            mine = engine.vehicle(vehicle)
            ended: Future = engine.begin(mine, make(mine, *args))
        return asyncio.wrap_future(ended)

    @rpc(boolean, text)
    def enableApiControl(self, enabled: bool, vehicle: str) -> None:
        with self._engine.lock:
            self._engine.vehicle(vehicle).enable_api(enabled)

    @rpc(text)
    def isApiControlEnabled(self, vehicle: str) -> bool:
        return self._engine.vehicle(vehicle).api_enabled

    @rpc(boolean, text)
    def armDisarm(self, armed: bool, vehicle: str) -> bool:
        with self._engine.lock:
            return self._engine.vehicle(vehicle).arm(armed)

    @rpc(text)
    def cancelLastTask(self, vehicle: str) -> None:
        self._engine.cancel(self._engine.vehicle(vehicle))

    @rpc(number, text)
    def takeoff(self, timeout: float, vehicle: str) -> Answer:
        return self._begin(vehicle, motions.take_off, timeout)

    @rpc(number, text)
    def land(self, timeout: float, vehicle: str) -> Answer:
        return self._begin(vehicle, motions.land, timeout)

    @rpc(number, text)
    def goHome(self, timeout: float, vehicle: str) -> Answer:
        return self._begin(vehicle, motions.go_home, timeout)

    @rpc(text)
    def hover(self, vehicle: str) -> Answer:
        return self._begin(vehicle, motions.hover)

    @rpc(length, length, length, number, integer, yaw_mode, text)
    def moveByVelocity(
        self,
        vx: float,
        vy: float,
        vz: float,
        duration: float,
        drivetrain: int,
        yaw: YawMode,
        vehicle: str,
    ) -> Answer:
        return self._begin(vehicle, motions.velocity, (vx, vy, vz), duration, drivetrain, yaw)

    @rpc(length, length, length, number, integer, yaw_mode, text)
    def moveByVelocityBodyFrame(
        self,
        vx: float,
        vy: float,
        vz: float,
        duration: float,
        drivetrain: int,
        yaw: YawMode,
        vehicle: str,
    ) -> Answer:
        goal, mode = (vx, vy, vz), dynamics.MODE_VELOCITY
        return self._begin(vehicle, motions.velocity, goal, duration, drivetrain, yaw, mode, True)

    @rpc(length, length, length, number, integer, yaw_mode, text)
    def moveByVelocityZ(
        self,
        vx: float,
        vy: float,
        z: float,
        duration: float,
        drivetrain: int,
        yaw: YawMode,
        vehicle: str,
    ) -> Answer:
        goal, mode = (vx, vy, z), dynamics.MODE_VELOCITY_Z
        answer = self._begin(vehicle, motions.velocity, goal, duration, drivetrain, yaw, mode)
        return answer if duration > 0 else False  # the odd one out, in AirSim as here

    @rpc(length, length, length, number, integer, yaw_mode, text)
    def moveByVelocityZBodyFrame(
        self,
        vx: float,
        vy: float,
        z: float,
        duration: float,
        drivetrain: int,
        yaw: YawMode,
        vehicle: str,
    ) -> Answer:
        goal, mode = (vx, vy, z), dynamics.MODE_VELOCITY_Z
        return self._begin(vehicle, motions.velocity, goal, duration, drivetrain, yaw, mode, True)

    @rpc(length, length, length, length, number, integer, yaw_mode, number, number, text)
    def moveToPosition(
        self,
        x: float,
        y: float,
        z: float,
        speed: float,
        timeout: float,
        drivetrain: int,
        yaw: YawMode,
        lookahead: float,
        adaptive: float,
        vehicle: str,
    ) -> Answer:
        points = [np.array([x, y, z])]
        return self._begin(
            vehicle, motions.follow, points, speed, timeout, drivetrain, yaw, lookahead, adaptive
        )

    @rpc(list_of(finite_vector), length, number, integer, yaw_mode, number, number, text)
    def moveOnPath(
        self,
        points: list[np.ndarray],
        speed: float,
        timeout: float,
        drivetrain: int,
        yaw: YawMode,
        lookahead: float,
        adaptive: float,
        vehicle: str,
    ) -> Answer:
        if not points:
            return True
        return self._begin(
            vehicle, motions.follow, points, speed, timeout, drivetrain, yaw, lookahead, adaptive
        )

    @rpc(number, number, number, length, number, integer, yaw_mode, number, number, text)
    def moveToGPS(
        self,
        lat: float,
        lon: float,
        alt: float,
        speed: float,
        timeout: float,
        drivetrain: int,
        yaw: YawMode,
        lookahead: float,
        adaptive: float,
        vehicle: str,
    ) -> Answer:
        there = finite_vector(
            dict(
                zip(
                    ('x_val', 'y_val', 'z_val'),
                    earth.to_ned((lat, lon, alt), self._engine.settings.origin).tolist(),
                    strict=True,
                )
            )
        )
        return self._begin(
            vehicle, motions.follow, [there], speed, timeout, drivetrain, yaw, lookahead, adaptive
        )

    @rpc(length, length, number, yaw_mode, number, number, text)
    def moveToZ(
        self,
        z: float,
        speed: float,
        timeout: float,
        yaw: YawMode,
        lookahead: float,
        adaptive: float,
        vehicle: str,
    ) -> Answer:
        x, y, _ = self._engine.vehicle(vehicle).position
        points = [np.array([x, y, z])]
        return self._begin(
            vehicle, motions.follow, points, speed, timeout, 0, yaw, lookahead, adaptive
        )

    @rpc(number, number, number, text)
    def rotateToYaw(self, yaw: float, timeout: float, margin: float, vehicle: str) -> Answer:
        return self._begin(vehicle, motions.rotate_to, yaw, timeout, margin)

    @rpc(number, number, text)
    def rotateByYawRate(self, rate: float, duration: float, vehicle: str) -> Answer:
        place, turn = self._engine.vehicle(vehicle).position, YawMode(True, rate)
        return self._timed(vehicle, duration, dynamics.MODE_POSITION, *place, turn)

    @rpc(number, number, number, number, number, text)
    def moveByMotorPWMs(
        self,
        front_right: float,
        rear_left: float,
        front_left: float,
        rear_right: float,
        duration: float,
        vehicle: str,
    ) -> Answer:
        pwm = [front_right, rear_left, front_left, rear_right]
        return self._begin(vehicle, motions.motors, pwm, duration)

    @rpc(length, length, length, length, number, text)
    def moveByRollPitchYawZ(
        self, roll: float, pitch: float, yaw: float, z: float, duration: float, vehicle: str
    ) -> Answer:
        return self._timed(vehicle, duration, _TO_Z, roll, pitch, z, angle(yaw))

    @rpc(length, length, length, length, number, text)
    def moveByRollPitchYawThrottle(
        self, roll: float, pitch: float, yaw: float, throttle: float, duration: float, vehicle: str
    ) -> Answer:
        return self._timed(vehicle, duration, _TO_THROTTLE, roll, pitch, throttle, angle(yaw))

    @rpc(length, length, length, length, number, text)
    def moveByRollPitchYawrateThrottle(
        self,
        roll: float,
        pitch: float,
        rate: float,
        throttle: float,
        duration: float,
        vehicle: str,
    ) -> Answer:
        return self._timed(vehicle, duration, _TO_THROTTLE, roll, pitch, throttle, turning(rate))

    @rpc(length, length, length, length, number, text)
    def moveByRollPitchYawrateZ(
        self, roll: float, pitch: float, rate: float, z: float, duration: float, vehicle: str
    ) -> Answer:
        return self._timed(vehicle, duration, _TO_Z, roll, pitch, z, turning(rate))

    @rpc(length, length, length, length, number, text)
    def moveByAngleRatesZ(
        self, roll: float, pitch: float, rate: float, z: float, duration: float, vehicle: str
    ) -> Answer:
        return self._timed(vehicle, duration, _RATES_TO_Z, roll, pitch, z, turning(rate))

    @rpc(length, length, length, length, number, text)
    def moveByAngleRatesThrottle(
        self,
        roll: float,
        pitch: float,
        rate: float,
        throttle: float,
        duration: float,
        vehicle: str,
    ) -> Answer:
        goal = roll, pitch, throttle
        return self._timed(vehicle, duration, _RATES_TO_THROTTLE, *goal, turning(rate))

    def _timed(self, vehicle: str, duration: float, mode: int, *goal: object) -> Answer:
        return self._begin(vehicle, motions.timed, duration, mode, *goal)


def angle(radians: float) -> YawMode:
    """Return the YawMode of a heading [rad]."""
    return YawMode(False, float(np.degrees(radians)))


def turning(rate: float) -> YawMode:
    """Return the YawMode of a turning rate [rad/s]."""
    return YawMode(True, float(np.degrees(rate)))
