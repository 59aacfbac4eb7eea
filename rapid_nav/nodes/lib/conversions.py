"""From numpy and the drone's readings to ROS messages, and back."""

import array
from collections.abc import Mapping
import math

from builtin_interfaces.msg import Time
from cv_bridge import CvBridge
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Quaternion, TwistStamped, Vector3
from nav_msgs.msg import Odometry
import numpy as np
from sensor_msgs.msg import (
    CameraInfo,
    FluidPressure,
    Image,
    Imu,
    MagneticField,
    NavSatFix,
    NavSatStatus,
    PointCloud2,
    PointField,
    Range,
)
from std_msgs.msg import Header

from rapid_nav import geometry
from rapid_nav.airsim import readings
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.inference.exit_rule import Decision
from rapid_nav.msg import ExitLevel, Outcome

ODOM, BASE = 'odom', 'base_link'
CAMERA, CAMERA_OPTICAL = 'camera', 'camera_optical'
_BEAM_WIDTH = 0.01  # [rad] AirSim's distance sensor is a single ray
_ENCODINGS = {('float32', 1): '32FC1', ('uint8', 3): 'rgb8'}
_bridge = CvBridge()


class BadMessage(ValueError):
    """A message that cannot be used; says what is wrong with it."""


def header(stamp_ns: int, frame: str) -> Header:
    """Return a header of its own; messages must not share one, rclpy keeps references."""
    return Header(stamp=time(stamp_ns), frame_id=frame)


def time(stamp_ns: int) -> Time:
    """Return nanoseconds as a message."""
    seconds, nanoseconds = divmod(int(stamp_ns), 10**9)
    return Time(sec=seconds, nanosec=nanoseconds)


def nanoseconds(stamp: Time) -> int:
    """Return a stamp as nanoseconds."""
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def image(pixels: np.ndarray, stamp_ns: int, frame: str = CAMERA_OPTICAL) -> Image:
    """Return an image (H, W) float32 or (H, W, 3) uint8 as a message, without a slow copy."""
    height, width = pixels.shape[:2]
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    # rclpy takes an array.array as it is, but checks bytes one by one.
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(pixels).data.cast('B'))
    return Image(
        header=header(stamp_ns, frame),
        height=height,
        width=width,
        encoding=_ENCODINGS[pixels.dtype.name, channels],
        step=width * channels * pixels.itemsize,
        data=data,
    )


def depth_image(message: Image) -> np.ndarray:
    """Return a depth image as (H, W) float32 [m]; BadMessage if it is none."""
    if message.encoding != '32FC1':
        raise BadMessage(f'a depth image is 32FC1, in metres, and not {message.encoding!r}')
    if message.height * message.width == 0 or not message.data:
        raise BadMessage(f'the depth image is empty: {message.width} x {message.height}')
    if message.step != message.width * np.dtype(np.float32).itemsize:
        raise BadMessage(f'{message.step} bytes a row of {message.width} pixels: it is padded')
    try:
        depth: np.ndarray = _bridge.imgmsg_to_cv2(message, 'passthrough')
        return depth
    except (TypeError, ValueError, AttributeError) as error:
        raise BadMessage(f'the depth image is broken: {error}') from error


def color_image(message: Image) -> np.ndarray:
    """Return a colour image as (H, W, 3) uint8 RGB; BadMessage if it is none."""
    if message.encoding != 'rgb8':
        raise BadMessage(f'a colour image is rgb8, and not {message.encoding!r}')
    width = 3 * message.width
    if message.step != width or len(message.data) != message.height * width or not message.data:
        raise BadMessage(
            f'the colour image is broken: {message.width} x {message.height} pixels in '
            f'{len(message.data)} bytes'
        )
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def camera_info(camera: readings.CameraInfo, stamp_ns: int) -> CameraInfo:
    """Return the pinhole camera as a message; the first pixel's centre is at (0, 0)."""
    f, cx, cy = camera.focal_length, (camera.width - 1) / 2, (camera.height - 1) / 2
    return CameraInfo(
        header=header(stamp_ns, CAMERA_OPTICAL),
        height=camera.height,
        width=camera.width,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=[f, 0.0, cx, 0.0, f, cy, 0.0, 0.0, 1.0],
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[f, 0.0, cx, 0.0, 0.0, f, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
    )


def odometry(sense: readings.Sense) -> Odometry:
    """Return pose (odom -> base_link) and velocity (base_link); exact, so covariances are 0."""
    message = Odometry(header=header(sense.stamp_ns, ODOM), child_frame_id=BASE)
    message.pose.pose.position = point(sense.position)
    message.pose.pose.orientation = quaternion(sense.orientation)
    message.twist.twist.linear = vector(sense.linear_velocity)
    message.twist.twist.angular = vector(sense.angular_velocity)
    return message


def command(velocity: BodyVelocity, stamp_ns: int) -> TwistStamped:
    """Return a body velocity as a message."""
    message = TwistStamped(header=header(stamp_ns, BASE))
    message.twist.linear = vector((velocity.forward, velocity.left, velocity.up))
    message.twist.angular.z = velocity.yaw_rate
    return message


def exit_level(
    decision: Decision,
    image: Header,
    spent: float,
    wait: float,
    weights: int = 0,
    explored: bool = False,
) -> ExitLevel:
    """Return a decision on an image as a message; `spent` in the network and `wait` in all [s]."""
    return ExitLevel(
        header=Header(stamp=image.stamp, frame_id=image.frame_id),
        level=decision.level,
        num_levels=decision.num_levels,
        confidence=decision.confidence,
        threshold=decision.threshold,
        action=decision.action,
        explored=explored,
        weights=weights,
        macs=decision.macs,
        macs_ratio=decision.macs_ratio,
        inference_time=spent,
        latency=wait,
    )


def body_velocity(message: TwistStamped) -> BodyVelocity:
    """Return a command; BadMessage if it is not finite."""
    linear, turn = message.twist.linear, message.twist.angular.z
    return BodyVelocity(*_finite('command', linear.x, linear.y, linear.z, turn))


def position(message: Odometry) -> np.ndarray:
    """Return the position (3,) [m]; BadMessage if it is not finite."""
    p = message.pose.pose.position
    return np.array(_finite('position', p.x, p.y, p.z))


def orientation(message: Odometry) -> np.ndarray:
    """Return the orientation (4,) x, y, z, w; BadMessage if it is not finite, or no rotation."""
    q = message.pose.pose.orientation
    values = np.array(_finite('orientation', q.x, q.y, q.z, q.w))
    if not values.any():
        raise BadMessage('the orientation is all zero')
    return values


def checked_outcome(message: Outcome) -> Outcome:
    """Return an outcome; BadMessage if its numbers are not finite."""
    _finite('reward', message.reward)
    _finite('clearance', message.clearance)
    return message


def checked_exit_level(message: ExitLevel) -> ExitLevel:
    """Return an exit level; BadMessage if it has no such exit or its numbers are not finite."""
    if message.level >= message.num_levels:
        raise BadMessage(f'exit {message.level} of {message.num_levels} exits, counted from 0')
    _finite('confidence', message.confidence, message.threshold)
    _finite('cost of a decision', message.macs_ratio, message.inference_time, message.latency)
    return message


def _finite(what: str, *values: float) -> tuple[float, ...]:
    if not all(map(math.isfinite, values)):
        shown = ', '.join(f'{value:g}' for value in values)
        raise BadMessage(f'the {what} is not finite: {shown}')
    return values


def imu(reading: readings.Imu) -> Imu:
    """Return an inertial measurement as a message."""
    return Imu(
        header=header(reading.stamp_ns, BASE),
        orientation=quaternion(reading.orientation),
        angular_velocity=vector(reading.angular_velocity),
        linear_acceleration=vector(reading.linear_acceleration),
    )


def gps(reading: readings.Gps) -> NavSatFix:
    """Return a satellite fix as a message."""
    fixed = NavSatStatus.STATUS_FIX if reading.fix >= 2 else NavSatStatus.STATUS_NO_FIX
    across, up = reading.eph**2, reading.epv**2
    return NavSatFix(
        header=header(reading.stamp_ns, BASE),
        status=NavSatStatus(status=fixed, service=NavSatStatus.SERVICE_GPS),
        latitude=reading.latitude,
        longitude=reading.longitude,
        altitude=reading.altitude,
        position_covariance=[across, 0.0, 0.0, 0.0, across, 0.0, 0.0, 0.0, up],
        position_covariance_type=NavSatFix.COVARIANCE_TYPE_DIAGONAL_KNOWN,
    )


def magnetic_field(reading: readings.Magnetometer) -> MagneticField:
    """Return the magnetic field as a message."""
    return MagneticField(
        header=header(reading.stamp_ns, BASE), magnetic_field=vector(reading.field)
    )


def pressure(reading: readings.Barometer) -> FluidPressure:
    """Return the air's pressure as a message."""
    return FluidPressure(
        header=header(reading.stamp_ns, BASE), fluid_pressure=float(reading.pressure)
    )


def distance(reading: readings.Distance) -> Range:
    """Return one beam as a message: +inf where it met nothing (REP 117)."""
    met = reading.distance < reading.high
    return Range(
        header=header(reading.stamp_ns, BASE),
        radiation_type=Range.INFRARED,
        field_of_view=_BEAM_WIDTH,
        min_range=float(reading.low),
        max_range=float(reading.high),
        range=float(reading.distance) if met else float('inf'),
    )


def points(reading: readings.Lidar) -> PointCloud2:
    """Return a sweep of points as a message, in the odom frame: it moved while it was taken."""
    x, y, z, w = reading.pose.orientation
    turned = geometry.rotate(np.array([w, x, y, z]), reading.points) + reading.pose.position
    cloud = np.ascontiguousarray(turned, np.float32)
    data = array.array('B')
    data.frombytes(cloud.reshape(-1).data.cast('B'))
    fields = [
        PointField(name=axis, offset=4 * index, datatype=PointField.FLOAT32, count=1)
        for index, axis in enumerate('xyz')
    ]
    return PointCloud2(
        header=header(reading.stamp_ns, ODOM),
        height=1,
        width=len(cloud),
        fields=fields,
        point_step=12,
        row_step=12 * len(cloud),
        data=data,
        is_dense=True,
    )


def diagnostics(
    stamp: Time, name: str, complaint: str, values: Mapping[str, object]
) -> DiagnosticArray:
    """Return one status: an error if there is a complaint."""
    status = DiagnosticStatus(
        level=DiagnosticStatus.ERROR if complaint else DiagnosticStatus.OK,
        name=name,
        hardware_id='rapid_nav',
        message=complaint or 'ok',
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def vector(values: np.ndarray | tuple[float, ...]) -> Vector3:
    """Return (3,) as a message."""
    x, y, z = map(float, values)
    return Vector3(x=x, y=y, z=z)


def point(values: np.ndarray) -> Point:
    """Return (3,) as a message."""
    x, y, z = map(float, values)
    return Point(x=x, y=y, z=z)


def quaternion(values: np.ndarray) -> Quaternion:
    """Return (4,) x, y, z, w as a message."""
    x, y, z, w = map(float, values)
    return Quaternion(x=x, y=y, z=z, w=w)
