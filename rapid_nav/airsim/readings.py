"""AirSim's answers as the drone's readings, in REP 103 axes and SI units."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rapid_nav import geometry

Array = NDArray[np.float64]
SCENE, DEPTH_PLANAR = 0, 1  # AirSim's ImageType
NO_HIT = 65504.0  # [m] the largest half float: AirSim's depth of the sky
Images = dict[int, np.ndarray]  # (H, W) or (H, W, 3) by ImageType
_TESLA_PER_GAUSS = 1e-4
_LANDED = 0  # AirSim's LandedState


class BadImage(ValueError):
    """The simulator's image is not one; says what is wrong with it."""


@dataclass(frozen=True)
class Pose:
    """Where a frame is in its parent: ENU for the drone's own pose, FLU for what it carries."""

    position: Array  # (3,) [m]
    orientation: Array  # (4,) x, y, z, w


@dataclass(frozen=True)
class Sense:
    """What the drone knows at one instant."""

    stamp_ns: int  # the simulator's clock
    depth: NDArray[np.float32] | None  # (H, W) [m] along the optical axis, +inf: nothing there
    rgb: NDArray[np.uint8] | None  # (H, W, 3)
    position: Array  # (3,) [m; ENU, from where the vehicle started]
    orientation: Array  # (4,) x, y, z, w, FLU -> ENU
    linear_velocity: Array  # (3,) [m/s; FLU]
    angular_velocity: Array  # (3,) [rad/s; FLU]
    landed: bool
    collided: bool  # at any time since the last Sense
    collision_name: str  # of what was last touched


@dataclass(frozen=True)
class CameraInfo:
    """A pinhole camera and where it is mounted."""

    width: int
    height: int
    fov: float  # [rad] horizontal
    mount: Pose  # its body (x forward along the optical axis, y left, z up) in base_link

    @property
    def focal_length(self) -> float:
        """The focal length [pixels], the same in both directions."""
        return self.width / 2 / float(np.tan(self.fov / 2))


@dataclass(frozen=True)
class Imu:
    """An inertial measurement."""

    stamp_ns: int
    orientation: Array  # (4,) x, y, z, w, FLU -> ENU
    angular_velocity: Array  # (3,) [rad/s; FLU]
    linear_acceleration: Array  # (3,) [m/s^2; FLU], +9.8 up at rest


@dataclass(frozen=True)
class Gps:
    """A satellite fix."""

    stamp_ns: int
    latitude: float  # [deg]
    longitude: float  # [deg]
    altitude: float  # [m]
    velocity: Array  # (3,) [m/s; ENU]
    eph: float  # [m] standard deviation, horizontal
    epv: float  # [m] standard deviation, vertical
    fix: int  # dimensions known: 0 none, 2 or 3


@dataclass(frozen=True)
class Magnetometer:
    """The magnetic field."""

    stamp_ns: int
    field: Array  # (3,) [T; FLU]


@dataclass(frozen=True)
class Barometer:
    """The air's pressure."""

    stamp_ns: int
    pressure: float  # [Pa]
    altitude: float  # [m]


@dataclass(frozen=True)
class Distance:
    """One beam along a sensor's x axis."""

    stamp_ns: int
    distance: float  # [m]
    low: float  # [m] the nearest it can tell
    high: float  # [m] the farthest, and what it says where nothing is
    mount: Pose


@dataclass(frozen=True)
class Lidar:
    """A sweep of points."""

    stamp_ns: int
    points: NDArray[np.float32]  # (N, 3) [m] in the sensor's own FLU frame
    pose: Pose  # the sensor's, in ENU


def vector(v: Mapping[str, Any]) -> Array:
    """Return the (3,) of AirSim's Vector3r."""
    return np.array([v['x_val'], v['y_val'], v['z_val']], np.float64)


def quaternion(q: Mapping[str, Any]) -> Array:
    """Return the (4,) w, x, y, z of AirSim's Quaternionr."""
    return np.array([q['w_val'], q['x_val'], q['y_val'], q['z_val']], np.float64)


def mount(position: Array, wxyz: Array) -> Pose:
    """Return where a carried frame is, given its position and w, x, y, z in the FRD body."""
    return Pose(geometry.frd_to_flu(position), geometry.mounting_to_ros(wxyz))


def sense(
    stamp_ns: int,
    depth: NDArray[np.float32] | None,
    rgb: NDArray[np.uint8] | None,
    state: Mapping[str, Any],
    collided: bool,
    collision_name: str,
) -> Sense:
    """Return a Sense, given images and AirSim's MultirotorState; ValueError if not finite."""
    motion = state['kinematics_estimated']
    turn, position = quaternion(motion['orientation']), vector(motion['position'])
    velocity, spin = vector(motion['linear_velocity']), vector(motion['angular_velocity'])
    if not np.isfinite([*turn, *position, *velocity, *spin]).all():
        raise ValueError('position, attitude or velocity of the drone are not finite')
    return Sense(
        stamp_ns,
        depth,
        rgb,
        geometry.ned_to_enu(position),
        geometry.orientation_to_ros(turn),
        geometry.frd_to_flu(geometry.rotate(geometry.conjugate(turn), velocity)),
        geometry.frd_to_flu(spin),
        state['landed_state'] == _LANDED,
        collided,
        collision_name,
    )


def imu(data: Mapping[str, Any]) -> Imu:
    """Return AirSim's ImuData in REP 103 axes."""
    return Imu(
        int(data['time_stamp']),
        geometry.orientation_to_ros(quaternion(data['orientation'])),
        geometry.frd_to_flu(vector(data['angular_velocity'])),
        geometry.frd_to_flu(vector(data['linear_acceleration'])),
    )


def gps(data: Mapping[str, Any]) -> Gps:
    """Return AirSim's GpsData in REP 103 axes."""
    gnss, point = data['gnss'], data['gnss']['geo_point']
    return Gps(
        int(data['time_stamp']),
        point['latitude'],
        point['longitude'],
        point['altitude'],
        geometry.ned_to_enu(vector(gnss['velocity'])),
        gnss['eph'],
        gnss['epv'],
        int(gnss['fix_type']) if data['is_valid'] else 0,
    )


def magnetometer(data: Mapping[str, Any]) -> Magnetometer:
    """Return AirSim's MagnetometerData in tesla and REP 103 axes."""
    field = geometry.frd_to_flu(vector(data['magnetic_field_body'])) * _TESLA_PER_GAUSS
    return Magnetometer(int(data['time_stamp']), field)


def barometer(data: Mapping[str, Any]) -> Barometer:
    """Return AirSim's BarometerData."""
    return Barometer(int(data['time_stamp']), data['pressure'], data['altitude'])


def distance(data: Mapping[str, Any]) -> Distance:
    """Return AirSim's DistanceSensorData in REP 103 axes."""
    at = data['relative_pose']
    return Distance(
        int(data['time_stamp']),
        data['distance'],
        data['min_distance'],
        data['max_distance'],
        mount(vector(at['position']), quaternion(at['orientation'])),
    )


def lidar(data: Mapping[str, Any], in_sensor_frame: bool) -> Lidar:
    """Return AirSim's LidarData; its points are in the vehicle's NED or the sensor's FRD frame."""
    position, wxyz = vector(data['pose']['position']), quaternion(data['pose']['orientation'])
    flat = np.asarray(data['point_cloud'], np.float64)
    points = flat[: len(flat) // 3 * 3].reshape(-1, 3)  # an empty sweep may come as one zero
    if not in_sensor_frame:
        points = geometry.rotate(geometry.conjugate(wxyz), points - position)
    pose = Pose(geometry.ned_to_enu(position), geometry.orientation_to_ros(wxyz))
    return Lidar(int(data['time_stamp']), geometry.frd_to_flu(points).astype(np.float32), pose)


def primitive(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return a primitive of rapidSceneDescription in REP 103 axes."""
    return {
        **item,
        'position': geometry.ned_to_enu(item['position']),
        'orientation': geometry.orientation_to_ros(item['orientation']),
        'size': np.asarray(item['size']),
        'color': tuple(item['color']),
    }


def images(raw: Any, types: Sequence[int]) -> tuple[int, Images]:
    """Return the stamp [ns] and each image by its type, of the raw answer to simGetImages."""
    try:
        if len(raw) != len(types):
            raise BadImage(f'{len(types)} images asked, {len(raw)} came')
        found: Images = {kind: _READ[kind](one) for kind, one in zip(types, raw, strict=True)}
        return int(raw[0]['time_stamp']), found
    except BadImage:
        raise
    except (TypeError, ValueError, LookupError) as error:
        raise BadImage(f'the answer is no image: {error!r}') from error


def depth_image(response: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the (H, W) depth [m] of an ImageResponse with floats, +inf where nothing was hit."""
    flat = np.asarray(response['image_data_float'], np.float32)
    depth = flat.reshape(_shape(response, flat.size, 1)[:2])
    if not flat.any():
        raise BadImage('the depth image is all zero')
    return np.where(depth >= NO_HIT, np.float32(np.inf), depth)  # NaN stays NaN


def rgb_image(response: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the (H, W, 3) RGB of an uncompressed ImageResponse, whose bytes are B, G, R."""
    flat = np.frombuffer(response['image_data_uint8'], np.uint8)
    picture = flat.reshape(_shape(response, flat.size, 3))[..., ::-1]
    if not flat.any():
        raise BadImage('the colour image is all zero')
    return picture


def _shape(response: Mapping[str, Any], got: int, channels: int) -> tuple[int, int, int]:
    """Return height, width and channels if there are as many values."""
    width, height = response['width'], response['height']
    expected = width * height * channels
    if width <= 0 or height <= 0 or got != expected:
        message = response.get('message')
        said = f'; the simulator says: {message}' if message else ''
        raise BadImage(f'a {width}x{height} image should have {expected} values, not {got}{said}')
    return height, width, channels


_READ: dict[int, Callable[[Any], np.ndarray]] = {DEPTH_PLANAR: depth_image, SCENE: rgb_image}
