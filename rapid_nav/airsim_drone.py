"""A drone behind AirSim's RPC, in REP 103 axes and SI units: NED and degrees end here."""

import contextlib
import json
import math
import socket
import time
from typing import Any

import numpy as np

from rapid_nav import airsim_readings as readings
from rapid_nav import airsim_transport
from rapid_nav.airsim_readings import BadImage, Pose, Sense
from rapid_nav.airsim_transport import RPCError
from rapid_nav.flight import frames
from rapid_nav.flight.actions import BodyVelocity

airsim_transport.install()
import airsim  # noqa: E402  (it imports the transport installed above)

__all__ = ['AirSimDrone', 'BadImage', 'NoDrone', 'RPCError', 'connect']

_DEPTH, _SCENE = airsim.ImageType.DepthPlanar, airsim.ImageType.Scene
_TAKE_OFF_TIMEOUT_S = 20.0
_PATIENCE_S = 600.0  # for a task of the simulator's, whose own clock may run slowly
_PAUSED_STRIDE_S = 0.102  # simulated time per step while a task runs in a paused simulator


class NoDrone(ConnectionError):
    """There is nothing to fly at that address, or it speaks another dialect; says which."""


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
    where = f'{host}:{port}'
    with contextlib.suppress(socket.gaierror):
        host = socket.gethostbyname(host)
    client = airsim.MultirotorClient(host, port, timeout_value=timeout_s)
    try:
        client.ping()
        least = client.getMinRequiredClientVersion()
        pose = client.client.call('simGetVehiclePose', vehicle)
    except airsim_transport.TimeoutError as error:
        raise NoDrone(
            f'Something at {where} accepts connections but did not answer AirSim\'s ping within '
            f'{timeout_s:g} s; check host and port, or whether the simulator hangs'
        ) from error
    except airsim_transport.TransportError as error:
        raise NoDrone(
            f'No AirSim at {where} ({error}); start `rapid-nav sim`, or AirSim itself, or check '
            f'host and port'
        ) from error
    except RPCError as error:
        raise NoDrone(_other_vehicle(client, where, vehicle, error)) from error
    if least > client.getClientVersion():
        raise NoDrone(
            f'The simulator at {where} wants clients of version {least} or later (Cosys-AirSim?); '
            f'use AirSim 1.8.1 or Colosseum up to 2.2'
        )
    if not isinstance(pose, dict):
        raise NoDrone(
            f'The simulator at {where} sends structures as arrays (Colosseum 2.3 or later?); '
            f'use AirSim 1.8.1 or Colosseum up to 2.2'
        )
    return AirSimDrone(client, vehicle, camera)


def _other_vehicle(client: Any, where: str, vehicle: str, error: RPCError) -> str:
    with contextlib.suppress(RPCError):
        names = client.listVehicles()
        if vehicle and vehicle not in names:
            return f'No vehicle {vehicle!r} at {where}; there are {", ".join(names) or "none"}'
    return f'The simulator at {where} does not answer as AirSim 1.8.1 would: {error}'


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
        wanted = []
        if depth:
            wanted.append(airsim.ImageRequest(self._camera, _DEPTH, True, False))
        if rgb:
            wanted.append(airsim.ImageRequest(self._camera, _SCENE, False, False))
        # Three questions at once: the answers take one round trip.
        ask = self._client.client.call_async
        images = ask('simGetImages', wanted, self._vehicle, False) if wanted else None
        state = ask('getMultirotorState', self._vehicle)
        collision = airsim.CollisionInfo.from_msgpack(
            ask('simGetCollisionInfo', self._vehicle).get()
        )
        self._unreported = self._unreported or collision.has_collided
        state = airsim.MultirotorState.from_msgpack(state.get())
        stamp_ns, pictures = int(state.timestamp), {}
        if images is not None:
            stamp_ns, pictures = _pictures(images.get(), wanted)
        collided, self._unreported = self._unreported, False
        motion = state.kinematics_estimated
        turn = readings.quaternion(motion.orientation)
        velocity = frames.rotate(frames.conjugate(turn), readings.vector(motion.linear_velocity))
        return Sense(
            stamp_ns,
            pictures.get(_DEPTH),
            pictures.get(_SCENE),
            frames.ned_to_enu(readings.vector(motion.position)),
            frames.orientation_to_ros(turn),
            frames.frd_to_flu(velocity),
            frames.frd_to_flu(readings.vector(motion.angular_velocity)),
            state.landed_state == airsim.LandedState.Landed,
            collided,
            collision.object_name,
        )

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

    def arm(self) -> None:
        """Take control and start the motors."""
        self._client.enableApiControl(True, self._vehicle)
        self._client.armDisarm(True, self._vehicle)

    def take_off(self) -> bool:
        """Arm and rise; return whether the height was reached. Forgets the ground's touch."""
        self.arm()
        done = self._finish(self._client.takeoffAsync(_TAKE_OFF_TIMEOUT_S, self._vehicle))
        self._forget_collision()
        return done

    def land(self) -> bool:
        """Descend until the ground stops it; return whether that happened."""
        return self._finish(self._client.landAsync(vehicle_name=self._vehicle))

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
        x, y, z = frames.enu_to_ned(pose.position).tolist()
        w, i, j, k = frames.orientation_from_ros(pose.orientation).tolist()
        there = airsim.Pose(airsim.Vector3r(x, y, z), airsim.Quaternionr(i, j, k, w))
        self._client.simSetVehiclePose(there, True, self._vehicle)

    def pause(self, paused: bool) -> None:
        """Stop or release the simulator's clock."""
        self._client.simPause(paused)

    def step(self, seconds: float) -> None:
        """Let a paused simulator run for so long [simulated s]."""
        self._client.simContinueForTime(seconds)

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
        depth = self._client.simGetImages(
            [airsim.ImageRequest(self._camera, _DEPTH, True, False)], self._vehicle
        )[0]
        info = self._client.simGetCameraInfo(self._camera, self._vehicle)
        body = self._client.simGetVehiclePose(self._vehicle)
        unturn = frames.conjugate(readings.quaternion(body.orientation))
        offset = readings.vector(info.pose.position) - readings.vector(body.position)
        mount = readings.mount(
            frames.rotate(unturn, offset),
            frames.multiply(unturn, readings.quaternion(info.pose.orientation)),
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
        return found and [_primitive_to_ros(item) for item in found]

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

    def _forget_collision(self) -> None:
        self._client.simGetCollisionInfo(self._vehicle)
        self._unreported = False

    def _lidar_in_sensor_frame(self, sensor: str) -> bool:
        settings = json.loads(self._client.getSettingsString() or '{}')
        vehicles = settings.get('Vehicles') or {}
        mine = vehicles.get(self._vehicle) or next(iter(vehicles.values()), {})
        lidars = {
            name: value
            for name, value in (mine.get('Sensors') or {}).items()
            if value.get('SensorType') == 6
        }
        about = lidars.get(sensor) or next(iter(lidars.values()), {})
        return about.get('DataFrame') == 'SensorLocalFrame'


def _pictures(raw: Any, wanted: list[Any]) -> tuple[int, dict[int, np.ndarray]]:
    """Return the stamp [ns] of the first image and each image by its type."""
    try:
        answers = [airsim.ImageResponse.from_msgpack(one) for one in raw]
        if len(answers) != len(wanted):
            raise BadImage(f'{len(wanted)} images asked, {len(answers)} came')
        read = {_DEPTH: readings.depth_image, _SCENE: readings.rgb_image}
        pictures = {
            request.image_type: read[request.image_type](answer)
            for request, answer in zip(wanted, answers, strict=True)
        }
        return int(answers[0].time_stamp), pictures
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, BadImage):
            raise
        raise BadImage(f'the answer is no image: {error}') from error


def _primitive_to_ros(item: dict[str, Any]) -> dict[str, Any]:
    return {
        **item,
        'position': frames.ned_to_enu(item['position']),
        'orientation': frames.orientation_to_ros(item['orientation']),
        'size': np.asarray(item['size']),
        'color': tuple(item['color']),
    }
