"""The settings of the bridge to one drone."""

from dataclasses import dataclass

from rapid_nav.drone.task import TASKS
from rapid_nav.nodes.lib.simulator import SimulatorConfig
from rapid_nav.options import setting
from rapid_nav.simulated_time import PHYSICS_STEP


@dataclass(frozen=True)
class BridgeConfig(SimulatorConfig):
    """Which drone is bridged, and how it is flown."""

    world: str = setting(
        '', 'Worlds of the flights, separated by commas; if empty, the simulator keeps its own.'
    )
    seed: int = setting(0, 'Seed of the first world; every flight takes the next.', low=0)
    task: str = setting(
        'drone',
        'Task: which image is decided on, how a command moves the drone, and its reward.',
        choices=tuple(TASKS),
    )
    lockstep: bool = setting(False, 'Step the simulator one decision at a time.')
    decision_period: float = setting(
        0.0, "Time between two images; 0 takes the task's.", unit='simulated s', low=0.0, high=10.0
    )
    command_timeout: float = setting(
        0.4, 'Time that a command is flown.', unit='simulated s', low=PHYSICS_STEP, high=0.44
    )
    max_command_age: float = setting(
        1.0,
        'Commands whose stamp differs more than this from the newest image are refused.',
        unit='simulated s',
        low=PHYSICS_STEP,
        high=60.0,
    )
    max_speed: float = setting(
        10.0, 'Faster commands are reduced to this speed.', unit='m/s', low=0.0, high=20.0
    )
    max_yaw_rate: float = setting(
        4.0, 'Faster turns are reduced to this rate.', unit='rad/s', low=0.0, high=20.0
    )
    answer_timeout: float = setting(
        30.0,
        'Time that lockstep waits for the command to an image.',
        unit='s',
        low=0.01,
        high=600.0,
    )
    cap: float = setting(
        100.0, 'Distance after which a flight ends; 0 for no limit.', unit='m', low=0.0
    )
    duration: float = setting(
        0.0, 'Duration of all flights together; 0 for no limit.', unit='simulated s', low=0.0
    )
    flights: int = setting(0, 'Flights after which the bridge ends; 0 for no limit.', low=0)
    rgb: bool = setting(
        True,
        'Publish the colour image while it has subscribers; it always is if it is decided on.',
    )
    publish_clock: bool = setting(
        True, 'Publish /clock; of several bridges to one simulator, one should.'
    )
    recorder: str = setting(
        '', 'Nodes that must subscribe before the first image, separated by commas.'
    )

    @property
    def period(self) -> float:
        """The time between two images [simulated s]."""
        return self.decision_period or TASKS[self.task].decision_period
