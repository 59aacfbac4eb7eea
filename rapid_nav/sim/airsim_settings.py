"""AirSim's settings.json: the keys that matter to us, checked, with AirSim's defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import json
from pathlib import Path
from typing import Annotated, Any

from msgspec import field, Meta, Struct

from rapid_nav.sim.outside import convert, decode_json, read_bytes

SENSOR_TYPES = {1: 'barometer', 2: 'imu', 3: 'gps', 4: 'magnetometer', 5: 'distance', 6: 'lidar'}
DEFAULT_SENSORS = {
    'imu': {'SensorType': 2},
    'magnetometer': {'SensorType': 4},
    'gps': {'SensorType': 3},
    'barometer': {'SensorType': 1},
}
# The extra sensors that a bare `rapid-nav sim` carries, so that every topic has something to say.
DEFAULT_SETTINGS = {
    'SettingsVersion': 1.2,
    'SimMode': 'Multirotor',
    'Vehicles': {
        'SimpleFlight': {
            'VehicleType': 'SimpleFlight',
            'Sensors': {
                **DEFAULT_SENSORS,
                'distance': {'SensorType': 5},
                'lidar': {
                    'SensorType': 6,
                    'DataFrame': 'SensorLocalFrame',
                    'VerticalFOVUpper': 10,
                    'VerticalFOVLower': -10,
                },
            },
        }
    },
}
MAX_PIXELS = 4096  # along a side of an image
MOST_BYTES = 2**20  # of a settings file
MOST_PARTS = 100  # vehicles, or cameras or sensors of one
_Metres = Annotated[float, Meta(ge=-1e5, le=1e5)]
_Degrees = Annotated[float, Meta(ge=-1e4, le=1e4)]
_Pixels = Annotated[float, Meta(ge=1, le=MAX_PIXELS)]
# Checked one by one, so that a complaint has their names.
_Parts = Annotated[dict[str, Any], Meta(max_length=MOST_PARTS)]
_Positive = Annotated[float, Meta(ge=1e-3, le=1e6)]


class MountKeys(Struct, rename='pascal'):
    """Where something is fixed to the body, as far as a file says."""

    x: _Metres | None = None
    y: _Metres | None = None
    z: _Metres | None = None
    pitch: _Degrees | None = None
    roll: _Degrees | None = None
    yaw: _Degrees | None = None


class CaptureKeys(Struct, rename='pascal'):
    """The images of one type of a camera."""

    image_type: Annotated[float, Meta(ge=-1, le=9)] = 0
    width: _Pixels = 256
    height: _Pixels = 144
    fov: Annotated[float, Meta(ge=1, le=175)] = field(default=90.0, name='FOV_Degrees')


class CameraKeys(MountKeys, rename='pascal'):
    """A camera, or what all cameras have unless they say otherwise."""

    capture_settings: Annotated[list[CaptureKeys], Meta(max_length=MOST_PARTS)] = []


class SensorKeys(MountKeys, rename='pascal', kw_only=True):
    """A sensor; which keys matter depends on its type."""

    sensor_type: int
    enabled: bool = True
    # Of a distance sensor [m].
    min_distance: _Metres = 0.2
    max_distance: _Metres = 40.0
    # Of a lidar: [m], [1/s], [deg].
    range: _Positive = 100.0
    number_of_channels: Annotated[float, Meta(ge=1, le=1000)] = 16
    rotations_per_second: _Positive = 10.0
    points_per_second: Annotated[float, Meta(ge=0, le=1e9)] = 100_000
    vertical_upper: _Degrees = field(default=-15.0, name='VerticalFOVUpper')
    vertical_lower: _Degrees = field(default=-45.0, name='VerticalFOVLower')
    horizontal_start: _Degrees = field(default=0.0, name='HorizontalFOVStart')
    horizontal_end: _Degrees = field(default=359.0, name='HorizontalFOVEnd')
    data_frame: str = 'VehicleInertialFrame'


class VehicleKeys(MountKeys, rename='pascal'):
    """A vehicle."""

    vehicle_type: str = 'SimpleFlight'
    auto_create: bool = True
    default_vehicle_state: str = 'Armed'
    cameras: _Parts | None = None
    sensors: _Parts | None = None


class OriginKeys(Struct, rename='pascal'):
    """Where the world's origin lies on Earth."""

    latitude: Annotated[float, Meta(ge=-90, le=90)] = 47.641468  # [deg]
    longitude: Annotated[float, Meta(ge=-180, le=180)] = -122.140165  # [deg]
    altitude: _Metres = 122.0  # [m]


class SettingsKeys(Struct, rename='pascal'):
    """A settings.json; other keys are for others."""

    sim_mode: str = ''
    clock_speed: Annotated[float, Meta(ge=0.001, le=1000)] = 1.0
    origin_geopoint: OriginKeys | None = None
    camera_defaults: CameraKeys | None = None
    default_sensors: _Parts | None = None
    vehicles: _Parts | None = None


@dataclass(frozen=True)
class Mount:
    """Where something is fixed to the body: x, y, z [m; FRD] and angles [deg]."""

    x: float = 0.0
    y: float = 0.0
    z: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True)
class Capture:
    """The size and opening of one image type of a camera."""

    width: int = 256  # [pixels]
    height: int = 144  # [pixels]
    fov: float = 90.0  # [deg] horizontal


@dataclass(frozen=True)
class CameraSettings:
    """A camera: where it is and what its images are like, by image type."""

    mount: Mount
    captures: Mapping[int, Capture]

    def capture(self, image_type: int) -> Capture:
        """Return what the images of a type are like."""
        return self.captures.get(image_type, Capture())


@dataclass(frozen=True)
class SensorSettings:
    """A sensor and the keys that its kind understands."""

    kind: str  # of SENSOR_TYPES
    mount: Mount
    keys: SensorKeys


@dataclass(frozen=True)
class VehicleSettings:
    """A vehicle: where it starts (None: at a start pose of the world) and what it carries."""

    start: Mount | None
    armed: bool
    cameras: Mapping[str, CameraSettings]
    sensors: Mapping[str, SensorSettings]


@dataclass(frozen=True)
class Settings:
    """What the server needs to know."""

    text: str  # as the client may read it
    vehicles: Mapping[str, VehicleSettings]
    clock_speed: float  # simulated seconds in one real one
    origin: tuple[float, float, float]  # latitude [deg], longitude [deg], altitude [m]


CAMERA_ALIASES = {
    '': 'front_center',
    'fpv': 'front_center',
    '0': 'front_center',
    '1': 'front_right',
    '2': 'front_left',
    '3': 'bottom_center',
    '4': 'back_center',
}
# AirSim's own offsets hide in an Unreal asset; the 25 cm between left and right are documented.
_CAMERAS = {
    'front_center': Mount(x=0.1),
    'front_right': Mount(x=0.1, y=0.125),
    'front_left': Mount(x=0.1, y=-0.125),
    'bottom_center': Mount(z=0.1, pitch=-90.0),
    'back_center': Mount(x=-0.1, yaw=180.0),
}


def read_settings(source: Mapping[str, Any] | str | Path | None = None) -> Settings:
    """Return checked settings of a mapping or a file; ValueError names the key that is wrong."""
    if source is None:
        source = DEFAULT_SETTINGS
    if isinstance(source, str | Path):
        where = f'settings file {source}'
        data = read_bytes(Path(source), MOST_BYTES, "give AirSim's settings.json")
        keys, text = decode_json(data, SettingsKeys, where), data.decode('utf-8-sig')
    else:
        where, text = 'settings', json.dumps(source)
        keys = convert(source, SettingsKeys, where)
    if keys.sim_mode not in ('', 'Multirotor', 'ComputerVision'):
        raise ValueError(
            f'{where}: SimMode is {keys.sim_mode!r:.100}; only Multirotor is simulated'
        )
    vehicles = {}
    for name, value in (keys.vehicles or {'SimpleFlight': {}}).items():
        place = f'{where}: Vehicles.{name}'
        about = convert(value, VehicleKeys, place)
        if about.auto_create:
            vehicles[name] = _vehicle(place, about, keys)
    if not vehicles:
        raise ValueError(f'{where}: Vehicles has none with AutoCreate; give it at least one')
    origin = keys.origin_geopoint or OriginKeys()
    return Settings(
        text, vehicles, keys.clock_speed, (origin.latitude, origin.longitude, origin.altitude)
    )


def _vehicle(where: str, keys: VehicleKeys, shared: SettingsKeys) -> VehicleSettings:
    if keys.vehicle_type.lower() != 'simpleflight':
        raise ValueError(
            f'{where}.VehicleType is {keys.vehicle_type!r:.100}; only SimpleFlight is simulated'
        )
    started = any(axis is not None for axis in (keys.x, keys.y, keys.z))
    own = keys.cameras or {}
    cameras = {}
    for name in [*_CAMERAS, *own]:
        about = convert(own.get(name) or {}, CameraKeys, f'{where}.Cameras.{name}')
        alias = CAMERA_ALIASES.get(name, name)
        captures = _captures(shared.camera_defaults) | _captures(about)
        cameras[alias] = CameraSettings(_mount(about, _CAMERAS.get(alias, Mount())), captures)
    sensors = {}
    for name, value in {
        **(shared.default_sensors or DEFAULT_SENSORS),
        **(keys.sensors or {}),
    }.items():
        part = convert(value, SensorKeys, f'{where}.Sensors.{name}')
        kind = SENSOR_TYPES.get(part.sensor_type)
        if kind is None:
            raise ValueError(
                f'{where}.Sensors.{name}: SensorType is {part.sensor_type}; '
                f'choose one of {", ".join(map(str, sorted(SENSOR_TYPES)))}'
            )
        if part.enabled:
            sensors[name] = SensorSettings(kind, _mount(part, Mount()), part)
    armed = keys.default_vehicle_state in ('', 'Armed')
    return VehicleSettings(_mount(keys, Mount()) if started else None, armed, cameras, sensors)


def _mount(keys: MountKeys, default: Mount) -> Mount:
    given = {name: getattr(keys, name) for name in MountKeys.__struct_fields__}
    return replace(default, **{name: value for name, value in given.items() if value is not None})


def _captures(keys: CameraKeys | None) -> dict[int, Capture]:
    return {
        int(one.image_type): Capture(int(one.width), int(one.height), one.fov)
        for one in (keys.capture_settings if keys else [])
    }
