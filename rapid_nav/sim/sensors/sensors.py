"""AirSim's sensors with its default noise. What a sensor says depends on seed and time alone."""

from collections.abc import Callable
import math
import zlib

import numpy as np

from rapid_nav import geometry
from rapid_nav.sim.airsim_settings import SensorSettings
from rapid_nav.sim.engine import Engine
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.rpc.arguments import Pose
from rapid_nav.sim.rpc.structs import Map, pose_map, quaternion4, vector3
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.sensors.lidar import sweep
from rapid_nav.sim.sensors.mounts import mounted
from rapid_nav.sim.vehicle import Vehicle
from rapid_nav.simulated_time import PHYSICS_STEP, PHYSICS_STEP_NS

_GYRO_WALK = math.radians(0.30) / 60  # [rad/sqrt(s)]
_GYRO_DRIFT = math.radians(4.6 / 3600) / math.sqrt(500)  # [rad/s/sqrt(s)]
_ACCEL_WALK = 0.24e-3 * earth.GRAVITY  # [m/s/sqrt(s)]
_ACCEL_DRIFT = 36e-6 * earth.GRAVITY / math.sqrt(800)  # [m/s^2/sqrt(s)]
_PRESSURE_DRIFT, _PRESSURE_TAU = 0.0365 / 20, 3600.0  # share of the pressure, [s]
_PRESSURE_NOISE = 2.7  # [Pa]
_FIELD_NOISE = 0.005  # [gauss]
_DISTANCE_NOISE = 0.2  # [m]
_GPS_LATENCY, _GPS_STARTUP, _GPS_TAU = 0.2, 1.0, 0.9  # [s]
_EPH_FIRST, _EPH_LAST = 100.0, 0.1  # [m]
_GRAVITY_NED = np.array([0.0, 0.0, earth.GRAVITY])


class Sensors:
    """What one vehicle carries."""

    def __init__(self, engine: Engine, vehicle: Vehicle) -> None:
        self._engine, self._vehicle = engine, vehicle
        self._began = vehicle.began

    def read(self, kind: str, name: str) -> Map | Callable[[], Map]:
        """Return what a sensor of a kind says ('': the first one); LookupError if none is."""
        of_kind = {k: v for k, v in self._vehicle.settings.sensors.items() if v.kind == kind}
        if not of_kind or (name and name not in of_kind):
            raise LookupError(
                f'No {kind} with name {name!r} exist on vehicle {self._vehicle.name!r}'
            )
        name = name or next(iter(of_kind))
        reading: Map | Callable[[], Map] = getattr(self, f'_{kind}')(name, of_kind[name])
        return reading

    def _noise(self, name: str, count: int) -> np.ndarray:
        """Return unit noise (count,) that belongs to this sensor and this moment."""
        key = zlib.crc32(f'{self._vehicle.name}/{name}'.encode())
        seed = (self._engine.seed, key, self._engine.steps)
        return np.random.default_rng(seed).standard_normal(count)

    def _drift(self, name: str, noise: np.ndarray, pull: float = 0.0) -> np.ndarray:
        """Return a bias (n,) that walks with unit steps a square-rooted second."""
        when, bias = self._vehicle.drifts.get(name, (self._began, np.zeros(len(noise))))
        if (elapsed := (self._engine.steps - when) * PHYSICS_STEP) > 0:
            bias = bias * math.exp(-pull * elapsed) + noise * math.sqrt(elapsed)
            self._vehicle.drifts[name] = self._engine.steps, bias
        return bias

    def _to_body(self, ned: np.ndarray) -> np.ndarray:
        return geometry.rotate(geometry.conjugate(self._vehicle.orientation), ned)

    def _imu(self, name: str, _about: SensorSettings) -> Map:
        noise = self._noise(name, 12)
        drift = self._drift(name, noise[6:])
        force = self._to_body(self._engine.state.acceleration[self._vehicle.row] - _GRAVITY_NED)
        turning = self._vehicle.angular_velocity
        rate = 1 / math.sqrt(PHYSICS_STEP)
        return {
            'time_stamp': self._engine.now_ns,
            'orientation': quaternion4(self._vehicle.orientation),
            'angular_velocity': vector3(
                turning + noise[:3] * _GYRO_WALK * rate + drift[:3] * _GYRO_DRIFT
            ),
            'linear_acceleration': vector3(
                force + noise[3:6] * _ACCEL_WALK * rate + drift[3:] * _ACCEL_DRIFT
            ),
        }

    def _barometer(self, name: str, _about: SensorSettings) -> Map:
        slow, fast = self._noise(name, 2)
        # A first-order process that reaches _PRESSURE_DRIFT in the long run.
        walk = self._drift(name, np.array([slow]), 1 / _PRESSURE_TAU)[0]
        share = walk * _PRESSURE_DRIFT * math.sqrt(2 / _PRESSURE_TAU)
        altitude = self._engine.settings.origin[2] - float(self._vehicle.position[2])
        pressure = earth.air(altitude)[0] * (1 + share) + fast * _PRESSURE_NOISE
        return {
            'time_stamp': self._engine.now_ns,
            'altitude': earth.pressure_altitude(pressure),
            'pressure': float(pressure),
            'qnh': earth.SEA_LEVEL_PRESSURE / 100,
        }

    def _magnetometer(self, name: str, _about: SensorSettings) -> Map:
        geo = earth.to_geo(self._vehicle.position, self._engine.settings.origin)
        field = self._to_body(earth.magnetic_field(geo))
        return {
            'time_stamp': self._engine.now_ns,
            'magnetic_field_body': vector3(field + self._noise(name, 3) * _FIELD_NOISE),
            'magnetic_field_covariance': [],
        }

    def _gps(self, _name: str, _about: SensorSettings) -> Map:
        age = (self._engine.steps - self._began) * PHYSICS_STEP
        step, position, velocity = self._vehicle.seen_at(
            self._engine.steps - round(_GPS_LATENCY / PHYSICS_STEP)
        )
        valid = age >= _GPS_STARTUP
        spread = _EPH_LAST + (_EPH_FIRST - _EPH_LAST) * math.exp(-age / _GPS_TAU)
        geo = earth.to_geo(position, self._engine.settings.origin)
        stamp = self._engine.start_ns + step * PHYSICS_STEP_NS
        return {
            'time_stamp': stamp if valid else 0,
            'gnss': {
                'geo_point': earth.geo_point(geo if valid else (0.0, 0.0, 0.0)),
                'eph': spread,
                'epv': spread,
                'velocity': vector3(velocity if valid else np.zeros(3)),
                'fix_type': (3 if spread <= 3 else 2 if spread <= 4 else 0) if valid else 0,
                'time_utc': stamp // 1000 if valid else 0,
            },
            'is_valid': valid,
        }

    def _distance(self, name: str, about: SensorSettings) -> Map:
        low, high = about.keys.min_distance, about.keys.max_distance
        position, orientation = mounted(about.mount)
        eye = self._vehicle.carried(position, orientation)
        beam = geometry.rotate(eye.orientation, [[1.0, 0.0, 0.0]])
        origin = eye.position + self._vehicle.origin
        reach = float(cast_rays(self._engine.scenes, 0, origin, beam, high)[0])
        return {
            'time_stamp': self._engine.now_ns,
            'distance': min(reach, high) + float(self._noise(name, 1)[0]) * _DISTANCE_NOISE,
            'min_distance': low,
            'max_distance': high,
            'relative_pose': pose_map(Pose(position, orientation)),
        }

    def _lidar(self, _name: str, about: SensorSettings) -> Callable[[], Map]:
        """Return the sweep still to be made: rays take a while, so not here."""
        pose = self._vehicle.carried(*mounted(about.mount))
        engine, origin, now = self._engine, self._vehicle.origin.copy(), self._engine.now_ns
        scenes, ids = engine.scenes, engine.ids
        return lambda: {
            'time_stamp': now,
            'pose': pose_map(pose),
            **sweep(scenes, ids, pose, origin, about.keys),
        }
