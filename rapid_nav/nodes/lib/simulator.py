"""The drone in a simulator that a node connects to."""

from dataclasses import dataclass

from rapid_nav.airsim.drone import AirSimDrone, connect
from rapid_nav.options import check, setting


@dataclass(frozen=True)
class SimulatorConfig:
    """Where the simulator is, and which drone and camera of it."""

    host: str = setting('127.0.0.1', 'Address of the simulator.')
    port: int = setting(41451, 'Port of the simulator.', low=1, high=65535)
    vehicle: str = setting('', 'Name of the drone in the simulator; if empty, the first one.')
    camera: str = setting('0', 'Name of the camera in the simulator.')

    def __post_init__(self) -> None:
        check(self)

    def connect(self) -> AirSimDrone:
        """Return the drone; NoDrone says what is there instead."""
        return connect(self.host, self.port, self.vehicle, self.camera)
