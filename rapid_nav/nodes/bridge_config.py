"""The settings of the bridge to one drone."""

from dataclasses import dataclass

from rapid_nav.flight.task import FlightTask
from rapid_nav.settings import check, setting


@dataclass(frozen=True)
class BridgeConfig:
    """Which drone is bridged, and how it is flown."""

    host: str = setting('127.0.0.1', 'where the simulator listens')
    port: int = setting(41451, "of the simulator's RPC", low=1, high=65535)
    vehicle: str = setting('', "the simulator's name of the drone; empty: its first")
    camera: str = setting('0', "the simulator's name of the camera")
    world: str = setting(
        '', 'loaded for every flight, several (separated by commas) turn about; empty: the one '
        'that the simulator has')
    seed: int = setting(0, "of the first flight's world; every flight takes the next", low=0)
    lockstep: bool = setting(False, 'step the simulator one decision at a time')
    decision_period: float = setting(
        FlightTask().decision_period, 'between two images', unit='simulated s',
        low=0.003, high=10.0)
    command_timeout: float = setting(
        0.4, 'after which a command is over', unit='simulated s', low=0.003, high=0.44)
    answer_timeout: float = setting(
        30.0, 'that lockstep waits for the command to an image', unit='s', low=0.01, high=600.0)
    cap: float = setting(100.0, 'after which a flight ends; 0: never', unit='m', low=0.0)
    duration: float = setting(0.0, 'of all flights; 0: no end', unit='simulated s', low=0.0)
    flights: int = setting(0, 'after which the bridge ends; 0: no end', low=0)
    rgb: bool = setting(True, 'publish camera/image while somebody listens')
    publish_clock: bool = setting(True, 'of several bridges to one simulator, one says the time')
    recorder: str = setting('', 'node that must listen before the first image; empty: none')

    def __post_init__(self) -> None:
        check(self)
