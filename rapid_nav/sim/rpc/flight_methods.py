"""AirSim's RPCs for control and motion."""

from concurrent.futures import Future
from functools import partial

import numpy as np

from rapid_nav.sim import motions
from rapid_nav.sim.engine import Engine
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.rpc.arguments import (
    boolean,
    Convert,
    integer,
    length,
    Method,
    number,
    path,
    rpc,
    text,
    yaw_mode,
)
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.vehicle import MakeMotion

_VELOCITY = (length, length, length, number, integer, yaw_mode)  # x, y, z, duration, drivetrain
_FOLLOW = (length, number, integer, yaw_mode, number, number)  # speed, timeout, drivetrain, ...
_ATTITUDE = (length, length, length, length, number)  # x, y, yaw, z or throttle, duration
_BY_Z, _BY_THROTTLE = dynamics.MODE_ATTITUDE_Z, dynamics.MODE_ATTITUDE_THROTTLE
_RATES_BY_Z, _RATES_BY_THROTTLE = dynamics.MODE_RATE_Z, dynamics.MODE_RATE_THROTTLE

# What each call takes before the vehicle's name, and what makes its motion of them.
MOTIONS: dict[str, tuple[tuple[Convert, ...], MakeMotion]] = {
    'takeoff': ((number,), motions.take_off),
    'land': ((number,), motions.land),
    'goHome': ((number,), motions.go_home),
    'hover': ((), motions.hover),
    'moveByVelocity': (_VELOCITY, motions.velocity),
    'moveByVelocityBodyFrame': (_VELOCITY, partial(motions.velocity, body=True)),
    # The odd one out, in AirSim as here: without a duration it answers False.
    'moveByVelocityZ': (
        _VELOCITY,
        partial(motions.velocity, mode=dynamics.MODE_VELOCITY_Z, at_once=False),
    ),
    'moveByVelocityZBodyFrame': (
        _VELOCITY,
        partial(motions.velocity, mode=dynamics.MODE_VELOCITY_Z, body=True),
    ),
    'moveToPosition': ((length, length, length, *_FOLLOW), motions.to_position),
    'moveToZ': ((length, length, number, yaw_mode, number, number), motions.to_height),
    'rotateToYaw': ((number, number, number), motions.rotate_to),
    'rotateByYawRate': ((number, number), motions.rotate_by),
    'moveByMotorPWMs': ((number,) * 5, motions.motors),
    'moveByRollPitchYawZ': (_ATTITUDE, partial(motions.attitude, _BY_Z, False)),
    'moveByRollPitchYawThrottle': (_ATTITUDE, partial(motions.attitude, _BY_THROTTLE, False)),
    'moveByRollPitchYawrateThrottle': (_ATTITUDE, partial(motions.attitude, _BY_THROTTLE, True)),
    'moveByRollPitchYawrateZ': (_ATTITUDE, partial(motions.attitude, _BY_Z, True)),
    'moveByAngleRatesZ': (_ATTITUDE, partial(motions.attitude, _RATES_BY_Z, True)),
    'moveByAngleRatesThrottle': (_ATTITUDE, partial(motions.attitude, _RATES_BY_THROTTLE, True)),
}


class FlightMethods:
    """Who has control, and where to fly. One motion at a time for each vehicle."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def methods(self) -> dict[str, Method]:
        """Return the methods that MOTIONS names."""
        return {
            name: Method((*takes, text), partial(self._begin, make))
            for name, (takes, make) in MOTIONS.items()
        }

    def _begin(self, make: MakeMotion, *args: object) -> Future[bool]:
        """Start a motion of the vehicle that the last argument names; the Future is its end."""
        *goal, vehicle = args
        with self._engine.locked(str(vehicle)) as mine:
            return self._engine.begin(mine, make(mine, *goal))

    @rpc(boolean, text)
    def enableApiControl(self, enabled: bool, vehicle: str) -> None:
        with self._engine.locked(vehicle) as mine:
            mine.enable_api(enabled)

    @rpc(text)
    def isApiControlEnabled(self, vehicle: str) -> bool:
        with self._engine.locked(vehicle) as mine:
            return mine.api_enabled

    @rpc(boolean, text)
    def armDisarm(self, armed: bool, vehicle: str) -> bool:
        with self._engine.locked(vehicle) as mine:
            return mine.arm(armed)

    @rpc(text)
    def cancelLastTask(self, vehicle: str) -> None:
        with self._engine.locked(vehicle) as mine:
            self._engine.cancel(mine)

    @rpc(path, *_FOLLOW, text)
    def moveOnPath(self, points: np.ndarray, *args: object) -> Future[bool] | bool:
        return self._begin(motions.follow, points, *args) if len(points) else True

    @rpc(number, number, number, *_FOLLOW, text)
    def moveToGPS(self, lat: float, lon: float, alt: float, *args: object) -> Future[bool]:
        there = earth.to_ned((lat, lon, alt), self._engine.settings.origin)
        x, y, z = (length(axis) for axis in there.tolist())
        return self._begin(motions.to_position, x, y, z, *args)
