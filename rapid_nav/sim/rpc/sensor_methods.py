"""AirSim's RPCs for what a vehicle's sensors say."""

from functools import partial

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.rpc.arguments import Method, text
from rapid_nav.sim.rpc.server import Deferred
from rapid_nav.sim.rpc.structs import Map
from rapid_nav.sim.sensors.lidar import LIDAR_BYTES
from rapid_nav.sim.sensors.sensors import Sensors

SENSORS = {
    'getImuData': 'imu',
    'getBarometerData': 'barometer',
    'getMagnetometerData': 'magnetometer',
    'getGpsData': 'gps',
    'getDistanceSensorData': 'distance',
    'getLidarData': 'lidar',
}


def sensor_methods(engine: Engine) -> dict[str, Method]:
    """Return the methods of SENSORS, each of which takes a sensor's and a vehicle's name."""
    return {
        name: Method((text, text), partial(_read, engine, kind)) for name, kind in SENSORS.items()
    }


def _read(engine: Engine, kind: str, name: str, vehicle: str) -> Map | Deferred:
    """Return a reading; one that takes many rays is made by a thread."""
    with engine.locked(vehicle) as mine:
        reading = Sensors(engine, mine).read(kind, name)
    return Deferred(reading, LIDAR_BYTES) if callable(reading) else reading
