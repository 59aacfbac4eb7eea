"""AirSim's RPCs for what a vehicle's sensors say."""

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.rpc.arguments import rpc, text
from rapid_nav.sim.rpc.server import Deferred
from rapid_nav.sim.rpc.structs import Map
from rapid_nav.sim.sensors.lidar import LIDAR_BYTES
from rapid_nav.sim.sensors.sensors import Sensors

Reading = Map | Deferred  # what takes many rays is left to a thread


class SensorMethods:
    """What a vehicle's sensors say."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _read(self, kind: str, name: str, vehicle: str) -> Reading:
        with self._engine.locked(vehicle) as mine:
            reading = Sensors(self._engine, mine).read(kind, name)
        return Deferred(reading, LIDAR_BYTES) if callable(reading) else reading

    @rpc(text, text)
    def getImuData(self, name: str, vehicle: str) -> Reading:
        return self._read('imu', name, vehicle)

    @rpc(text, text)
    def getBarometerData(self, name: str, vehicle: str) -> Reading:
        return self._read('barometer', name, vehicle)

    @rpc(text, text)
    def getMagnetometerData(self, name: str, vehicle: str) -> Reading:
        return self._read('magnetometer', name, vehicle)

    @rpc(text, text)
    def getGpsData(self, name: str, vehicle: str) -> Reading:
        return self._read('gps', name, vehicle)

    @rpc(text, text)
    def getDistanceSensorData(self, name: str, vehicle: str) -> Reading:
        return self._read('distance', name, vehicle)

    @rpc(text, text)
    def getLidarData(self, name: str, vehicle: str) -> Reading:
        return self._read('lidar', name, vehicle)
