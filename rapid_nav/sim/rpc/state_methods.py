"""AirSim's RPCs for what a vehicle is doing."""

import math
from typing import Any, NamedTuple

import numpy as np

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.physics.airframe import MAX_THRUST, MAX_TORQUE, MAX_TURNING, REVOLUTIONS
from rapid_nav.sim.rpc.arguments import BadCast, boolean, Pose, pose, rpc, text, vector
from rapid_nav.sim.rpc.structs import Map, pose_map, quaternion4, vector3
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.vehicle import Vehicle

_NO_CONTACT = {
    'has_collided': False,
    'penetration_depth': 0.0,
    'time_stamp': 0,
    'normal': vector3(np.zeros(3)),
    'impact_point': vector3(np.zeros(3)),
    'position': vector3(np.zeros(3)),
    'object_name': '',
    'object_id': -1,
}
_NO_REMOTE = {
    'timestamp': 0,
    'pitch': 0.0,
    'roll': 0.0,
    'throttle': 0.0,
    'yaw': 0.0,
    'left_z': 0.0,
    'right_z': 0.0,
    'switches': 0,
    'vendor_id': '',
    'is_initialized': False,
    'is_valid': False,
}
# simSetKinematics' names, the physics' own, and the most that its steps can integrate.
_SETTABLE = {
    'linear_velocity': ('velocity', 500.0),  # [m/s]
    'angular_velocity': ('angular_velocity', MAX_TURNING),  # [rad/s]
    'linear_acceleration': ('acceleration', 1e4),  # [m/s^2]
    'angular_acceleration': ('angular_acceleration', 1e3),  # [rad/s^2]
}


class Kinematics(NamedTuple):
    """What simSetKinematics is to set; NaN in the pose leaves a part."""

    pose: Pose
    motion: dict[str, np.ndarray]  # (3,) each, by the physics' names


def kinematics(value: Any) -> Kinematics:
    """Take a KinematicsState of which any part may be missing."""
    if not isinstance(value, dict):
        raise BadCast
    nowhere = {'x_val': math.nan, 'y_val': math.nan, 'z_val': math.nan}
    turn = {'w_val': math.nan, **nowhere}
    there = {
        'position': value.get('position', nowhere),
        'orientation': value.get('orientation', turn),
    }
    motion = {}
    for key, (name, most) in _SETTABLE.items():
        if key in value:
            motion[name] = found = vector(value[key])
            if float(np.nansum(found**2)) > most**2:
                raise ValueError(f'{key} is {found.tolist()}; at most {most:g} can be simulated')
    return Kinematics(pose(there), motion)


class StateMethods:
    """What a vehicle is doing."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _kinematics(self, vehicle: Vehicle) -> Map:
        state, row = self._engine.state, vehicle.row
        return {
            'position': vector3(vehicle.position),
            'orientation': quaternion4(vehicle.orientation),
            'linear_velocity': vector3(vehicle.velocity),
            'angular_velocity': vector3(vehicle.angular_velocity),
            'linear_acceleration': vector3(state.acceleration[row]),
            'angular_acceleration': vector3(state.angular_acceleration[row]),
        }

    def _geo_point(self, vehicle: Vehicle) -> Map:
        return earth.geo_point(earth.to_geo(vehicle.position, self._engine.settings.origin))

    @rpc(text)
    def getMultirotorState(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle) as mine:
            return {
                'collision': _NO_CONTACT,  # AirSim never fills it
                'kinematics_estimated': self._kinematics(mine),
                'gps_location': self._geo_point(mine),
                'timestamp': self._engine.now_ns,
                'landed_state': 0 if mine.landed else 1,
                'rc_data': _NO_REMOTE,
            }

    @rpc(text)
    def simGetGroundTruthKinematics(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle) as mine:
            return self._kinematics(mine)

    @rpc(kinematics, boolean, text)
    def simSetKinematics(self, state: Kinematics, _through: bool, vehicle: str) -> None:
        with self._engine.locked(vehicle) as mine:
            self._engine.place(mine, state.pose)
            mine.move(state.motion)

    @rpc(text)
    def simGetGroundTruthEnvironment(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle) as mine:
            altitude = self._engine.settings.origin[2] - float(mine.position[2])
            pressure, temperature, density = earth.air(altitude)
            return {
                'position': vector3(mine.position),
                'geo_point': self._geo_point(mine),
                'gravity': vector3(np.array([0.0, 0.0, earth.GRAVITY])),
                'air_pressure': pressure,
                'temperature': temperature,
                'air_density': density,
            }

    @rpc(text)
    def getHomeGeoPoint(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle):
            return earth.geo_point(self._engine.settings.origin)

    @rpc(text)
    def getRotorStates(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle) as mine:
            shares = self._engine.state.rotors[mine.row].tolist()
            rotors = [
                {
                    'thrust': share * MAX_THRUST,
                    'torque_scaler': share * MAX_TORQUE,
                    'speed': math.tau * REVOLUTIONS * math.sqrt(max(share, 0.0)),
                }
                for share in shares
            ]
            return {'rotors': rotors, 'timestamp': self._engine.now_ns}

    @rpc(text)
    def simGetVehiclePose(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle) as mine:
            return pose_map(Pose(mine.position, mine.orientation))

    @rpc(pose, boolean, text)
    def simSetVehiclePose(self, there: Pose, ignore_collision: bool, vehicle: str) -> None:
        with self._engine.locked(vehicle) as mine:
            self._engine.place(mine, there, ignore_collision)

    @rpc(text)
    def simGetCollisionInfo(self, vehicle: str) -> Map:
        with self._engine.locked(vehicle) as mine:
            had, mine.has_collided = mine.has_collided, False
            last = mine.collision
            if last.primitive < 0:
                return _NO_CONTACT
            return {
                'has_collided': had,
                'penetration_depth': last.penetration,
                'time_stamp': last.stamp_ns,
                'normal': vector3(last.normal),
                'impact_point': vector3(last.point - mine.origin),
                'position': vector3(last.position - mine.origin),
                'object_name': self._engine.world.primitives[last.primitive].name,
                'object_id': int(self._engine.ids[last.primitive]),
            }
