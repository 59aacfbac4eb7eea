"""A drone behind AirSim's RPC, in REP 103 axes and SI units: NED and degrees end here."""

from collections.abc import Callable, Mapping
import json
import math
import threading
import time
from typing import Any, TypeVar

import numpy as np

from rapid_nav import geometry
from rapid_nav.airsim import compatibility, readings
from rapid_nav.airsim.compatibility import NoDrone, WrongSimulator
from rapid_nav.airsim.readings import BadImage, DEPTH_PLANAR, Pose, SCENE, Sense
from rapid_nav.airsim.rpc_client import Address, Client, Future, RPCError
from rapid_nav.drone.actions import BodyVelocity

__all__ = ['AirSimDrone', 'BadImage', 'NoDrone', 'RPCError', 'WrongSimulator', 'connect']

Reading = TypeVar('Reading')
_TAKE_OFF_TIMEOUT_S, _LAND_TIMEOUT_S = 20.0, 60.0
_TASK_TIMEOUT_S = 600.0  # for a task of the simulator's, whose own clock may run slowly
_STEP_TIMEOUT_S, _SLOWEST = 10.0, 10.0  # plus this many real seconds for each simulated one
_SETTLE_S, _STILL = 5.0, 0.05  # [m/s] below which AirSim takes off
_PAUSED_STRIDE_S = 0.102  # simulated time per step while a task runs in a paused simulator
_MAX_DEGREE_OF_FREEDOM = 0  # AirSim's DrivetrainType: the nose need not point ahead
_LIDAR = 6  # AirSim's SensorType


def connect(
    host: str = '127.0.0.1',
    port: int = 41451,
    vehicle: str = '',
    camera: str = '0',
    timeout_s: float = 10.0,
) -> 'AirSimDrone':
    """
    Return the drone at host:port, or raise NoDrone naming what is there instead and the remedy.

    timeout_s bounds every later call too, apart from tasks like taking off.
    """
    client = Client(Address(host, port), timeout_s)
    try:
        compatibility.check(client, f'{host}:{port}', vehicle, timeout_s)
    except BaseException:
        client.close()
        raise
    return AirSimDrone(client, vehicle, camera)


class AirSimDrone:
    """
    One vehicle. Every method may be called from any thread.

    A call raises RPCError for what the simulator refuses, or answers otherwise than AirSim 1.8.1.
    A lost simulator is an OSError (ConnectionError or TimeoutError); the next call tries to
    connect again.
    """

    def __init__(self, client: Client, vehicle: str, camera: str) -> None:
        self._client, self._vehicle, self._camera = client, vehicle, camera
        self._collision_lock = threading.Lock()
        self._unreported = False  # a collision that no Sense has told of yet

    def sense(self, depth: bool = True, rgb: bool = False) -> Sense:
        """Return images, motion and collisions of now; raise BadImage if an image is none."""
        types = [DEPTH_PLANAR] * depth + [SCENE] * rgb
        # Three requests at once: the answers take one round trip.
        ask = self._client.call_async
        images = (
            ask('simGetImages', self._requests(types), self._vehicle, False) if types else None
        )
        state = ask('getMultirotorState', self._vehicle)
        collision = ask('simGetCollisionInfo', self._vehicle).get()
        collided, name = _read(
            'simGetCollisionInfo',
            collision,
            lambda info: (bool(info['has_collided']), str(info.get('object_name', ''))),
        )
        with self._collision_lock:
            self._unreported = self._unreported or collided
        motion = state.get()
        stamp_ns = _read('getMultirotorState', motion, lambda state: int(state['timestamp']))
        found: readings.Images = {}
        if images:
            stamp_ns, found = readings.images(images.get(), types)
        with self._collision_lock:
            collided, self._unreported = self._unreported, False
        return _read(
            'getMultirotorState',
            motion,
            lambda state: readings.sense(
                stamp_ns, found.get(DEPTH_PLANAR), found.get(SCENE), state, collided, name
            ),
        )

    def _requests(self, types: list[int]) -> list[dict[str, Any]]:
        """Return AirSim's ImageRequests: floats of depth, raw bytes of colour."""
        return [
            {
                'camera_name': self._camera,
                'image_type': kind,
                'pixels_as_float': kind == DEPTH_PLANAR,
                'compress': False,
            }
            for kind in types
        ]

    def fly(self, velocity: BodyVelocity, duration_s: float) -> None:
        """Fly at a body velocity for a time, then hold; replaces what was flown. No waiting."""
        self._client.call_async(
            'moveByVelocityBodyFrame',
            velocity.forward,
            -velocity.left,
            -velocity.up,
            duration_s,
            _MAX_DEGREE_OF_FREEDOM,
            {'is_rate': True, 'yaw_or_rate': -math.degrees(velocity.yaw_rate)},
            self._vehicle,
        )

    def move(self, velocity: BodyVelocity, seconds: float) -> None:
        """Put it, level, where a body velocity leads in that time, or up to what is before it."""
        position, wxyz = self._pose()
        yaw = float(geometry.yaw_of(wxyz))
        along = [velocity.forward, velocity.left, velocity.up]
        way = geometry.rotate(geometry.yaw_to_quaternion(yaw), geometry.flu_to_frd(along))
        turned = geometry.yaw_to_quaternion(yaw - velocity.yaw_rate * seconds)
        self._set_pose(position + way * seconds, turned, ignore_collision=False)

    def arm(self) -> None:
        """Take control and start the motors."""
        self._client.call('enableApiControl', True, self._vehicle)
        self._client.call('armDisarm', True, self._vehicle)

    def take_off(self) -> bool:
        """Arm and rise; return whether the height was reached. Forgets the ground's touch."""
        self.arm()
        self._settle()
        done = self._finish(self._client.call_async('takeoff', _TAKE_OFF_TIMEOUT_S, self._vehicle))
        self._forget_collision()
        return done

    def land(self) -> bool:
        """Stop, and descend until the ground stops it; return whether that happened."""
        self.hover()
        self._settle()  # AirSim takes what does not sink yet for what has landed
        done = self._finish(self._client.call_async('land', _LAND_TIMEOUT_S, self._vehicle))
        return done and self.sense(depth=False).landed

    def hover(self) -> None:
        """Stay here. Does not wait."""
        self._client.call_async('hover', self._vehicle)

    def reset(self, pose: Pose | None = None) -> None:
        """Put the whole simulator back to its start, arm, and put this drone at a pose (ENU)."""
        self._client.call('reset')
        self.arm()
        if pose is not None:
            self.set_pose(pose)
        self._forget_collision()

    def set_pose(self, pose: Pose) -> None:
        """Teleport; the velocity survives, as it does in AirSim."""
        self._set_pose(
            geometry.enu_to_ned(pose.position),
            geometry.orientation_from_ros(pose.orientation),
            ignore_collision=True,
        )

    def pause(self, paused: bool) -> None:
        """Stop or release the simulator's clock."""
        self._client.call('simPause', paused)

    def step(self, seconds: float) -> None:
        """Let a paused simulator run for a time [simulated s]."""
        run = self._client.call_async('simContinueForTime', seconds)
        run.get(_STEP_TIMEOUT_S + seconds * _SLOWEST)

    def imu(self) -> readings.Imu:
        """Return the newest inertial measurement."""
        return self._reading('getImuData', readings.imu)

    def gps(self) -> readings.Gps:
        """Return the newest satellite fix."""
        return self._reading('getGpsData', readings.gps)

    def magnetometer(self) -> readings.Magnetometer:
        """Return the newest magnetic field."""
        return self._reading('getMagnetometerData', readings.magnetometer)

    def barometer(self) -> readings.Barometer:
        """Return the newest air pressure."""
        return self._reading('getBarometerData', readings.barometer)

    def distance(self, sensor: str = '') -> readings.Distance:
        """Return the newest distance along a beam; RPCError if there is no such sensor."""
        return self._reading('getDistanceSensorData', readings.distance, sensor)

    def lidar(self, sensor: str = '') -> readings.Lidar:
        """Return the newest sweep of points; RPCError if there is no such sensor."""
        local = self._lidar_in_sensor_frame(sensor)
        return self._reading('getLidarData', lambda data: readings.lidar(data, local), sensor)

    def camera_info(self) -> readings.CameraInfo:
        """Return the camera's size, opening and mounting. Best asked while standing still."""
        images = self._client.call(
            'simGetImages', self._requests([DEPTH_PLANAR]), self._vehicle, False
        )
        info = self._client.call('simGetCameraInfo', self._camera, self._vehicle, False)
        position, wxyz = self._pose()
        unturn = geometry.conjugate(wxyz)

        def read(image: Mapping[str, Any]) -> readings.CameraInfo:
            pose = info['pose']
            offset = readings.vector(pose['position']) - position
            mount = readings.mount(
                geometry.rotate(unturn, offset),
                geometry.multiply(unturn, readings.quaternion(pose['orientation'])),
            )
            fov = math.radians(info['fov'])
            return readings.CameraInfo(int(image['width']), int(image['height']), fov, mount)

        return _read('simGetCameraInfo', images, lambda images: read(images[0]))

    def vehicles(self) -> list[str]:
        """Return the names of all vehicles."""
        return list(self._client.call('listVehicles'))

    def scene(self) -> list[dict[str, Any]] | None:
        """
        Return the world's primitives in this vehicle's ENU frame, or None where AirSim is real.

        Each has kind, name, position (3,) [m], orientation (4,) x, y, z, w, size (3,) full
        extents along its own axes [m] and color (3,) of 0 to 255.
        """
        found = self._extra('rapidSceneDescription', self._vehicle)
        return found and [readings.primitive(item) for item in found]

    def new_world(self, spec: str, seed: int) -> bool:
        """Load another world and put all vehicles at its starts; False where AirSim is real."""
        if self._extra('rapidLoadWorld', spec, seed) is None:
            return False
        self.arm()
        self._forget_collision()
        return True

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _extra(self, method: str, *args: Any) -> Any:
        """Return what a method answers that only our own simulator has, or None."""
        try:
            return self._client.call(method, *args)
        except RPCError as error:
            if 'could not find function' in str(error):
                return None
            raise

    def _reading(self, method: str, read: Callable[[Any], Reading], sensor: str = '') -> Reading:
        """Return what a sensor says; '' is the first of its kind."""
        return _read(method, self._client.call(method, sensor, self._vehicle), read)

    def _pose(self) -> tuple[readings.Array, readings.Array]:
        """Return the position (3,) [m; NED] and the attitude (4,) w, x, y, z."""
        return _read(
            'simGetVehiclePose',
            self._client.call('simGetVehiclePose', self._vehicle),
            lambda pose: (
                readings.vector(pose['position']),
                readings.quaternion(pose['orientation']),
            ),
        )

    def _set_pose(
        self, position: readings.Array, wxyz: readings.Array, ignore_collision: bool
    ) -> None:
        """Go at once to a position (3,) [m; NED] and an attitude (4,) w, x, y, z."""
        x, y, z = position.tolist()
        w, i, j, k = wxyz.tolist()
        pose = {
            'position': {'x_val': x, 'y_val': y, 'z_val': z},
            'orientation': {'w_val': w, 'x_val': i, 'y_val': j, 'z_val': k},
        }
        self._client.call('simSetVehiclePose', pose, ignore_collision, self._vehicle)

    def _is_paused(self) -> bool:
        return bool(self._client.call('simIsPaused'))

    def _finish(self, task: Future) -> bool:
        """Wait for a task, driving the clock if it is paused, and return its outcome."""
        deadline = time.monotonic() + _TASK_TIMEOUT_S
        while not task.done() and time.monotonic() < deadline and self._is_paused():
            self.step(_PAUSED_STRIDE_S)
        return bool(task.get(_TASK_TIMEOUT_S))

    def _settle(self) -> None:
        """Wait until it is still: AirSim refuses to take off before."""
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            if np.linalg.norm(self.sense(depth=False).linear_velocity) < _STILL:
                return
            if self._is_paused():
                self.step(_PAUSED_STRIDE_S)
            else:
                time.sleep(_PAUSED_STRIDE_S)

    def _forget_collision(self) -> None:
        self._client.call('simGetCollisionInfo', self._vehicle)
        with self._collision_lock:
            self._unreported = False

    def _lidar_in_sensor_frame(self, sensor: str) -> bool:
        settings = json.loads(self._client.call('getSettingsString') or '{}')
        vehicles = settings.get('Vehicles') or {}
        mine: dict[str, Any] = vehicles.get(self._vehicle) or next(iter(vehicles.values()), {})
        lidars = {
            name: value
            for name, value in (mine.get('Sensors') or {}).items()
            if value.get('SensorType') == _LIDAR
        }
        about: dict[str, Any] = lidars.get(sensor) or next(iter(lidars.values()), {})
        return about.get('DataFrame') == 'SensorLocalFrame'


def _read(method: str, answer: Any, read: Callable[[Any], Reading]) -> Reading:
    """Return what is read from an answer; RPCError if it is not as AirSim 1.8.1 answers."""
    try:
        return read(answer)
    except (TypeError, ValueError, LookupError, OverflowError) as error:
        raise RPCError(f'{method} gave no usable answer: {error}') from error
