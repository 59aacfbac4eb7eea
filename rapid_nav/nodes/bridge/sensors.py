"""The drone's other sensors as topics: each at its own rate, while it has subscribers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import FluidPressure, Imu, MagneticField, NavSatFix, PointCloud2, Range

from rapid_nav.airsim.drone import AirSimDrone, RPCError
from rapid_nav.nodes.lib import conversions
from rapid_nav.options import check, setting


def _rate(default: float, of: str) -> Any:
    return setting(default, f'Rate of {of}; 0 for none.', unit='Hz', low=0.0, high=400.0)


@dataclass(frozen=True)
class SensorConfig:
    """How often each sensor is read, while its topic has subscribers."""

    imu_rate: float = _rate(50.0, 'inertial measurements')
    gps_rate: float = _rate(5.0, 'satellite fixes')
    magnetic_field_rate: float = _rate(10.0, 'magnetic fields')
    pressure_rate: float = _rate(10.0, 'air pressures')
    range_rate: float = _rate(10.0, 'distances along a beam')
    points_rate: float = _rate(5.0, 'lidar sweeps')

    def __post_init__(self) -> None:
        check(self)


# topic: its type, how to read it, how to convert it
_SENSORS: dict[str, tuple[type, Callable[[AirSimDrone], Any], Callable[[Any], Any]]] = {
    'imu': (Imu, AirSimDrone.imu, conversions.imu),
    'gps': (NavSatFix, AirSimDrone.gps, conversions.gps),
    'magnetic_field': (MagneticField, AirSimDrone.magnetometer, conversions.magnetic_field),
    'pressure': (FluidPressure, AirSimDrone.barometer, conversions.pressure),
    'range': (Range, AirSimDrone.distance, conversions.distance),
    'points': (PointCloud2, AirSimDrone.lidar, conversions.points),
}


class Sensors:
    """Publishes the readings that are due; a sensor that the simulator lacks is left out."""

    def __init__(self, node: Node, config: SensorConfig) -> None:
        self.logger = node.get_logger()
        self.periods = {
            topic: 1.0 / rate for topic in _SENSORS if (rate := getattr(config, f'{topic}_rate'))
        }
        self.publishers = {
            topic: node.create_publisher(_SENSORS[topic][0], topic, 10) for topic in self.periods
        }
        self.due = dict.fromkeys(self.periods, 0.0)

    def publish_due(self, drone: AirSimDrone, now: float) -> float:
        """Read and publish what is due at `now` [s of any clock]; return when the next is."""
        subscribed = [
            topic for topic in self.due if self.publishers[topic].get_subscription_count()
        ]
        for topic in subscribed:
            if self.due[topic] > now:
                continue
            _, read, convert = _SENSORS[topic]
            try:
                self.publishers[topic].publish(convert(read(drone)))
            except RPCError as error:
                if isinstance(error, OSError):
                    raise  # the simulator is gone
                self.logger.warning(f'No {topic}: {error}')
                self.due[topic] = float('inf')
                continue
            self.due[topic] = max(self.due[topic] + self.periods[topic], now)
        return min((self.due[topic] for topic in subscribed), default=float('inf'))
