"""A drone behind AirSim's RPC, in REP 103 axes and SI units: NED and degrees end here."""

import json
import math
import time
from typing import Any

import numpy as np

from rapid_nav import geometry
from rapid_nav.airsim import compatibility, readings, rpc_client
from rapid_nav.airsim import images as airsim_images
from rapid_nav.airsim.compatibility import NoDrone
from rapid_nav.airsim.images import BadImage, DEPTH_PLANAR, SCENE
from rapid_nav.airsim.readings import Pose, Sense
from rapid_nav.airsim.rpc_client import RPCError
from rapid_nav.drone.actions import BodyVelocity

rpc_client.install()
import airsim  # noqa  (it must come after the transport that it imports)

__all__ = ['AirSimDrone', 'BadImage', 'NoDrone', 'RPCError', 'connect']

_TAKE_OFF_TIMEOUT_S = 20.0
_PATIENCE_S = 600.0  # for a task of the simulator's, whose own clock may run slowly
_STEP_TIMEOUT_S, _SLOWEST = 10.0, 10.0  # plus so many real seconds for each simulated one
_SETTLE_S, _STILL = 5.0, 0.05  # [m/s] below which AirSim takes off
_PAUSED_STRIDE_S = 0.102  # simulated time per step while a task runs in a paused simulator


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
    client = airsim.MultirotorClient(host, port, timeout_value=timeout_s)
    compatibility.check(client, f'{host}:{port}', vehicle, timeout_s)
    return AirSimDrone(client, vehicle, camera)


class AirSimDrone:
    """
    One vehicle. Every method may be called from any thread.

    A call raises RPCError for what the simulator refuses. A lost simulator is an OSError
    (ConnectionError or TimeoutError); the next call tries to connect again.
    """

    def __init__(self, client: Any, vehicle: str, camera: str) -> None:
        self._client, self._vehicle, self._camera = client, vehicle, camera
        self._unreported = False  # a collision seen by a look whose image was bad

    def sense(self, depth: bool = True, rgb: bool = False) -> Sense:
        """Return images, motion and collisions of now; raise BadImage if an image is none."""
        types = [DEPTH_PLANAR] * depth + [SCENE] * rgb
        # Three questions at once: the answers take one round trip.
        ask = self._client.client.call_async
        wanted = self._requests(types)
        images = ask('simGetImages', wanted, self._vehicle, False) if wanted else None
        state = ask('getMultirotorState', self._vehicle)
        collision = ask('simGetCollisionInfo', self._vehicle).get()
        collision = airsim.CollisionInfo.from_msgpack(collision)
        self._unreported = self._unreported or collision.has_collided
        state = airsim.MultirotorState.from_msgpack(state.get())
        stamp_ns: int = state.timestamp
        found: airsim_images.Pictures = {}
        if images:
            stamp_ns, found = airsim_images.pictures(images.get(), types)
        collided, self._unreported = self._unreported, False
        return readings.sense(
            stamp_ns,
            found.get(DEPTH_PLANAR),
            found.get(SCENE),
            state,
            collided,
            collision.object_name,
        )

    def _requests(self, types: list[int]) -> list[Any]:
        """Ask for floats of depth and raw bytes of colour."""
        return [
            airsim.ImageRequest(self._camera, kind, kind == DEPTH_PLANAR, False) for kind in types
        ]

    def fly(self, velocity: BodyVelocity, duration_s: float) -> None:
        """Fly at a body velocity for so long, then hold; replaces what was flown. No waiting."""
        turn = airsim.YawMode(True, -math.degrees(velocity.yaw_rate))
        self._client.moveByVelocityBodyFrameAsync(
            velocity.forward,
            -velocity.left,
            -velocity.up,
            duration_s,
            airsim.DrivetrainType.MaxDegreeOfFreedom,
            turn,
            self._vehicle,
        )

    def move(self, velocity: BodyVelocity, seconds: float) -> None:
        """Put it, level, where a body velocity would lead in so long, or up to what is before."""
        body = self._client.simGetVehiclePose(self._vehicle)
        yaw = float(geometry.yaw_of(readings.quaternion(body.orientation)))
        turned = yaw - velocity.yaw_rate * seconds
        way = (
            geometry.rotate(
                geometry.yaw_to_quaternion(yaw),
                geometry.flu_to_frd([velocity.forward, velocity.left, velocity.up]),
            )
            * seconds
        )
        x, y, z = (readings.vector(body.position) + way).tolist()
        there = airsim.Pose(airsim.Vector3r(x, y, z), airsim.to_quaternion(0, 0, turned))
        self._client.simSetVehiclePose(there, False, self._vehicle)

    def arm(self) -> None:
        """Take control and start the motors."""
        self._client.enableApiControl(True, self._vehicle)
        self._client.armDisarm(True, self._vehicle)

    def take_off(self) -> bool:
        """Arm and rise; return whether the height was reached. Forgets the ground's touch."""
        self.arm()
        self._settle()
        done = self._finish(self._client.takeoffAsync(_TAKE_OFF_TIMEOUT_S, self._vehicle))
        self._forget_collision()
        return done

    def land(self) -> bool:
        """Stop, and descend until the ground stops it; return whether that happened."""
        self.hover()
        self._settle()  # AirSim takes what does not sink yet for what has landed
        done = self._finish(self._client.landAsync(vehicle_name=self._vehicle))
        return done and self.sense(depth=False).landed

    def hover(self) -> None:
        """Stay here. Does not wait."""
        self._client.hoverAsync(self._vehicle)

    def reset(self, pose: Pose | None = None) -> None:
        """Put the whole simulator back to its start, arm, and put this drone at a pose (ENU)."""
        self._client.reset()
        self.arm()
        if pose is not None:
            self.set_pose(pose)
        self._forget_collision()

    def set_pose(self, pose: Pose) -> None:
        """Teleport; the velocity survives, as it does in AirSim."""
        x, y, z = geometry.enu_to_ned(pose.position).tolist()
        w, i, j, k = geometry.orientation_from_ros(pose.orientation).tolist()
        there = airsim.Pose(airsim.Vector3r(x, y, z), airsim.Quaternionr(i, j, k, w))
        self._client.simSetVehiclePose(there, True, self._vehicle)

    def pause(self, paused: bool) -> None:
        """Stop or release the simulator's clock."""
        self._client.simPause(paused)

    def step(self, seconds: float) -> None:
        """Let a paused simulator run for so long [simulated s]."""
        run = self._client.client.call_async('simContinueForTime', seconds)
        run.get(_STEP_TIMEOUT_S + seconds * _SLOWEST)

    def imu(self) -> readings.Imu:
        """Return the newest inertial measurement."""
        return readings.imu(self._client.getImuData('', self._vehicle))

    def gps(self) -> readings.Gps:
        """Return the newest satellite fix."""
        return readings.gps(self._client.getGpsData('', self._vehicle))

    def magnetometer(self) -> readings.Magnetometer:
        """Return the newest magnetic field."""
        return readings.magnetometer(self._client.getMagnetometerData('', self._vehicle))

    def barometer(self) -> readings.Barometer:
        """Return the newest air pressure."""
        data = self._client.getBarometerData('', self._vehicle)
        return readings.Barometer(int(data.time_stamp), data.pressure, data.altitude)

    def distance(self, sensor: str = '') -> readings.Distance:
        """Return the newest distance along a beam; RPCError if there is no such sensor."""
        return readings.distance(self._client.getDistanceSensorData(sensor, self._vehicle))

    def lidar(self, sensor: str = '') -> readings.Lidar:
        """Return the newest sweep of points; RPCError if there is no such sensor."""
        data = self._client.getLidarData(sensor, self._vehicle)
        return readings.lidar(data, self._lidar_in_sensor_frame(sensor))

    def camera_info(self) -> readings.CameraInfo:
        """Return the camera's size, opening and mounting. Best asked while standing still."""
        depth = self._client.simGetImages(self._requests([DEPTH_PLANAR]), self._vehicle)[0]
        info = self._client.simGetCameraInfo(self._camera, self._vehicle)
        body = self._client.simGetVehiclePose(self._vehicle)
        unturn = geometry.conjugate(readings.quaternion(body.orientation))
        offset = readings.vector(info.pose.position) - readings.vector(body.position)
        mount = readings.mount(
            geometry.rotate(unturn, offset),
            geometry.multiply(unturn, readings.quaternion(info.pose.orientation)),
        )
        return readings.CameraInfo(depth.width, depth.height, math.radians(info.fov), mount)

    def vehicles(self) -> list[str]:
        """Return the names of all vehicles."""
        return self._client.listVehicles()

    def scene(self) -> list[dict[str, Any]] | None:
        """
        Return the world's primitives in this vehicle's ENU frame, or None where AirSim is real.

        Each has kind, name, position (3,) [m], orientation (4,) x, y, z, w, size (3,) full
        extents along its own axes [m] and color (3,) of 0 to 255.
        """
        found = self._extra('rapidSceneDescription', self._vehicle)
        return found and [readings.primitive(item) for item in found]

    def new_world(self, spec: str, seed: int) -> bool:
        """Load another world and put everybody at its starts; False where AirSim is real."""
        if self._extra('rapidLoadWorld', spec, seed) is None:
            return False
        self.arm()
        self._forget_collision()
        return True

    def close(self) -> None:
        """Hang up."""
        self._client.client.close()

    def _extra(self, method: str, *args: Any) -> Any:
        """Return what a method answers that only our own simulator has, or None."""
        try:
            return self._client.client.call(method, *args)
        except RPCError as error:
            if 'could not find function' in str(error):
                return None
            raise

    def _finish(self, task: Any) -> bool:
        """Wait for a task, driving the clock if it is paused, and return its outcome."""
        deadline = time.monotonic() + _PATIENCE_S
        while not task.done() and time.monotonic() < deadline and self._client.simIsPause():
            self.step(_PAUSED_STRIDE_S)
        return bool(task.get(_PATIENCE_S))

    def _settle(self) -> None:
        """Wait until it is still: AirSim refuses to take off before."""
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            if np.linalg.norm(self.sense(depth=False).linear_velocity) < _STILL:
                return
            if self._client.simIsPause():
                self.step(_PAUSED_STRIDE_S)
            else:
                time.sleep(_PAUSED_STRIDE_S)

    def _forget_collision(self) -> None:
        self._client.simGetCollisionInfo(self._vehicle)
        self._unreported = False

    def _lidar_in_sensor_frame(self, sensor: str) -> bool:
        settings = json.loads(self._client.getSettingsString() or '{}')
        vehicles = settings.get('Vehicles') or {}
        mine: dict[str, Any] = vehicles.get(self._vehicle) or next(iter(vehicles.values()), {})
        lidars = {
            name: value
            for name, value in (mine.get('Sensors') or {}).items()
            if value.get('SensorType') == 6
        }
        about: dict[str, Any] = lidars.get(sensor) or next(iter(lidars.values()), {})
        return about.get('DataFrame') == 'SensorLocalFrame'
