"""AirSim's settings.json: the keys that matter to us, checked, with AirSim's defaults."""

from collections.abc import Mapping
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any

from rapid_nav.sim.json_validation import Keys

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
_IMAGE_TYPES = 10


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
    values: Mapping[str, Any]


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
    clock_speed: float = 1.0  # simulated seconds in one real one
    origin: tuple[float, float, float] = (47.641468, -122.140165, 122.0)  # [deg], [deg], [m]


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
        try:
            source = json.loads(Path(source).read_text(encoding='utf-8-sig'))
        except json.JSONDecodeError as error:
            raise ValueError(f'settings file {source}: no JSON: {error}') from error
    top = Keys(source, 'settings')
    mode = top.get('SimMode', str, '')
    if mode not in ('', 'Multirotor', 'ComputerVision'):
        raise ValueError(f'settings.SimMode is {mode!r}; only Multirotor is simulated')
    origin = top.sub('OriginGeopoint')
    shared = top.sub('CameraDefaults')
    default_sensors = top.sub('DefaultSensors').raw or DEFAULT_SENSORS
    found = top.sub('Vehicles').raw or {'SimpleFlight': {}}
    vehicles = {
        name: _vehicle(Keys(value, f'settings.Vehicles.{name}'), shared, default_sensors)
        for name, value in found.items()
        if Keys(value, f'settings.Vehicles.{name}').get('AutoCreate', bool, True)
    }
    if not vehicles:
        raise ValueError('settings.Vehicles has none with AutoCreate; give it at least one')
    return Settings(
        json.dumps(source),
        vehicles,
        top.number('ClockSpeed', 1.0, 0.001, 1000.0),
        (
            origin.number('Latitude', Settings.origin[0], -90, 90),
            origin.number('Longitude', Settings.origin[1], -180, 180),
            origin.number('Altitude', Settings.origin[2]),
        ),
    )


def _vehicle(keys: Keys, shared: Keys, default_sensors: Mapping[str, Any]) -> VehicleSettings:
    kind = keys.get('VehicleType', str, 'SimpleFlight').lower()
    if kind != 'simpleflight':
        raise ValueError(f'{keys.path}.VehicleType is {kind!r}; only SimpleFlight is simulated')
    start = _mount(keys, Mount()) if any(key in keys.raw for key in 'XYZ') else None
    own = keys.sub('Cameras')
    cameras = {}
    for name in [*_CAMERAS, *own.raw]:
        about = own.sub(name)
        alias = CAMERA_ALIASES.get(name, name)
        mount = _mount(about, _CAMERAS.get(alias, Mount()))
        captures = {**_captures(shared), **_captures(about)}
        cameras[alias] = CameraSettings(mount, captures)
    sensors = {}
    for name, value in {**default_sensors, **keys.sub('Sensors').raw}.items():
        about = Keys(value, f'{keys.path}.Sensors.{name}')
        kind = SENSOR_TYPES.get(about.get('SensorType', int, 0))
        if kind is None:
            raise ValueError(f'{about.path}.SensorType must be one of {sorted(SENSOR_TYPES)}')
        if about.get('Enabled', bool, True):
            sensors[name] = SensorSettings(kind, _mount(about, Mount()), about.raw)
    armed = keys.get('DefaultVehicleState', str, 'Armed') in ('', 'Armed')
    return VehicleSettings(start, armed, cameras, sensors)


def _mount(keys: Keys, default: Mount) -> Mount:
    names = ('X', 'Y', 'Z', 'Pitch', 'Roll', 'Yaw')
    return Mount(*(keys.number(key, getattr(default, key.lower())) for key in names))


def _captures(keys: Keys) -> dict[int, Capture]:
    found = {}
    for number, one in enumerate(keys.get('CaptureSettings', list, [])):
        about = Keys(one, f'{keys.path}.CaptureSettings[{number}]')
        image_type = int(about.number('ImageType', 0, -1, _IMAGE_TYPES - 1))
        found[image_type] = Capture(
            int(about.number('Width', Capture.width, 1, MAX_PIXELS)),
            int(about.number('Height', Capture.height, 1, MAX_PIXELS)),
            about.number('FOV_Degrees', Capture.fov, 1, 175),
        )
    return found
