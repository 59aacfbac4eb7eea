"""AirSim's RPCs for what a vehicle's sensors say."""

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Executor

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.rpc.arguments import rpc, text
from rapid_nav.sim.rpc.server import Encoded
from rapid_nav.sim.rpc.structs import Map
from rapid_nav.sim.sensors.sensors import Sensors

Reading = Map | Awaitable[Encoded]  # what takes many rays is left to a thread


class SensorMethods:
    """What a vehicle's sensors say."""

    def __init__(self, engine: Engine, pool: Executor) -> None:
        self._engine, self._pool = engine, pool

    def _read(self, kind: str, name: str, vehicle: str) -> Reading:
        with self._engine.lock:
            mine = self._engine.vehicle(vehicle)
            reading = Sensors(self._engine, mine).read(kind, name)
        if not callable(reading):
            return reading
        slow = reading
        return asyncio.get_running_loop().run_in_executor(self._pool, lambda: Encoded(slow()))

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
