"""The settings of the bridge to one drone."""

from dataclasses import dataclass

from rapid_nav.drone.task import FlightTask, TASKS
from rapid_nav.options import check, setting


@dataclass(frozen=True)
class BridgeConfig:
    """Which drone is bridged, and how it is flown."""

    host: str = setting('127.0.0.1', 'The simulator listens at this address.')
    port: int = setting(41451, "The simulator's RPC has this port.", low=1, high=65535)
    vehicle: str = setting(
        '', 'The drone has this name in the simulator; if empty, it is the first one.'
    )
    camera: str = setting('0', 'The camera has this name in the simulator.')
    world: str = setting(
        '', 'This world is loaded for every flight; if empty, the simulator keeps its own.'
    )
    seed: int = setting(
        0, "The first flight's world has this seed; every flight takes the next.", low=0
    )
    task: str = setting(
        'drone',
        'The task says which image is decided on, how a command moves the drone, and what it '
        'earns.',
        choices=tuple(TASKS),
    )
    lockstep: bool = setting(False, 'The simulator steps one decision at a time.')
    decision_period: float = setting(
        FlightTask().decision_period,
        'So much time lies between two images.',
        unit='simulated s',
        low=0.003,
        high=10.0,
    )
    command_timeout: float = setting(
        0.4, 'A command is over after this time.', unit='simulated s', low=0.003, high=0.44
    )
    answer_timeout: float = setting(
        30.0, 'Lockstep waits so long for the command to an image.', unit='s', low=0.01, high=600.0
    )
    cap: float = setting(
        100.0, 'A flight ends after this distance; 0 sets no end.', unit='m', low=0.0
    )
    duration: float = setting(
        0.0, 'The flights last so long together; 0 sets no end.', unit='simulated s', low=0.0
    )
    flights: int = setting(0, 'The bridge ends after so many flights; 0 sets no end.', low=0)
    rgb: bool = setting(
        True,
        'The colour image is published while somebody listens, or always if it is decided on.',
    )
    publish_clock: bool = setting(
        True, 'This bridge tells the time; of several bridges to one simulator, one should.'
    )
    recorder: str = setting(
        '', 'These nodes (by commas) must listen before the first image; if empty, none must.'
    )

    def __post_init__(self) -> None:
        check(self)
