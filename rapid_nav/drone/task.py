"""A whole flying task: what is seen, what can be done, what it is worth, how often."""

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from rapid_nav.drone import reward
from rapid_nav.drone.actions import ActionConfig
from rapid_nav.drone.observation import ObservationConfig
from rapid_nav.drone.reward import RewardConfig
from rapid_nav.options import check, from_dict, setting
from rapid_nav.simulated_time import PHYSICS_STEP


@dataclass(frozen=True)
class FlightTask:
    """The settings that a policy is trained for and must be flown with."""

    actions: ActionConfig = field(default_factory=ActionConfig)
    observation: ObservationConfig = field(default_factory=ObservationConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    decision_steps: int = setting(
        34, 'Physics steps of 3 ms between two decisions.', low=1, high=1000
    )
    fov: float = setting(
        90.0, 'Horizontal field of view of the camera.', unit='deg', low=20.0, high=150.0
    )
    aspect: float = setting(
        16 / 9, "Width of the camera's colour image by its height.", low=0.2, high=5.0
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def decision_period(self) -> float:
        """The time between two decisions [s]."""
        return self.decision_steps * PHYSICS_STEP

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, as a checkpoint keeps them."""
        return {'name': 'flight', **dataclasses.asdict(self)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> 'FlightTask':
        """Rebuild a task; ValueError if the values are of another task or not whole."""
        values = dict(values)
        if values.pop('name', None) != 'flight':
            raise ValueError('this checkpoint was not trained to fly; choose one that was')
        return from_dict(FlightTask, values)


_STRIDE, _SPEED = 0.4, 0.4  # [m] and [m/s]


def _pedra(motion: str) -> FlightTask:
    """
    Return PEDRA's task: one RGB image, 25 directions, its reward and its end near a wall.

    Steps by pose take no time and come as often as the drone's decisions. A velocity is flown for
    as long as a free running bridge lets a command last, which is our choice.
    """
    pose = motion == 'pose'
    steps = FlightTask().decision_steps if pose else 133
    period = steps * PHYSICS_STEP
    return FlightTask(
        actions=ActionConfig(
            max_yaw=64 / 3,  # two fifths of 80 degrees / 1.5
            speed=_STRIDE / period if pose else _SPEED,
            slow_distance=0.0,
            turn_time=period,
            motion=motion,
            noise=1 / 6 if pose else 0.0,
        ),
        observation=ObservationConfig(kind='rgb', width=103, height=103, history=1),
        reward=reward.pedra(),
        decision_steps=steps,
        fov=80.0,
    )


TASKS = {'drone': FlightTask(), 'pedra': _pedra('pose'), 'pedra-velocity': _pedra('velocity')}
"""Whole tasks by their names: ours, and PEDRA's with either way to move."""


def name_of(task: FlightTask) -> str:
    """Return the name of the task that sees and moves as this one does, 'drone' if none does."""

    def kind(one: FlightTask) -> tuple[str, str]:
        return one.observation.kind, one.actions.motion

    return next((name for name, one in TASKS.items() if kind(one) == kind(task)), 'drone')
