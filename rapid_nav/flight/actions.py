"""What a drone can decide: a grid of directions, each a velocity in the body's frame."""

from dataclasses import dataclass
import math

from rapid_nav.settings import check, setting


@dataclass(frozen=True)
class BodyVelocity:
    """A velocity command in the body frame of REP 103: x forward, y left, z up."""

    forward: float = 0.0  # [m/s]
    left: float = 0.0  # [m/s]
    up: float = 0.0  # [m/s]
    yaw_rate: float = 0.0  # [rad/s], counter-clockwise seen from above


@dataclass(frozen=True)
class ActionConfig:
    """PEDRA's grid of directions (5 x 5, up to 12 and 21.3 degrees), flown as velocities."""

    pitch_steps: int = setting(5, 'directions from up to down', low=1, high=15)
    yaw_steps: int = setting(5, 'directions from left to right', low=1, high=15)
    max_pitch: float = setting(12.0, 'steepest direction', unit='deg', low=0.0, high=80.0)
    max_yaw: float = setting(21.3, 'widest direction', unit='deg', low=0.0, high=80.0)
    speed: float = setting(2.0, 'along the chosen direction', unit='m/s', low=0.0, high=20.0)
    turn_time: float = setting(
        0.2, 'in which the nose turns into the chosen direction', unit='s', low=0.01, high=10.0)

    def __post_init__(self) -> None:
        check(self)


class ActionGrid:
    """The grid's directions: index = yaw_steps * row + column, row 0 up, column 0 left."""

    def __init__(self, config: ActionConfig) -> None:
        self.config = config
        self.num_actions = config.pitch_steps * config.yaw_steps
        self.velocities = tuple(self._velocity(action) for action in range(self.num_actions))

    @property
    def straight(self) -> int:
        """The action that flies level and ahead."""
        return self.num_actions // 2

    def velocity(self, action: int) -> BodyVelocity:
        """Return the velocity of an action; IndexError if there is no such action."""
        if not 0 <= action < self.num_actions:
            raise IndexError(f'action {action}: the grid has 0 to {self.num_actions - 1}')
        return self.velocities[action]

    def _velocity(self, action: int) -> BodyVelocity:
        row, column = divmod(action, self.config.yaw_steps)
        pitch = math.radians(self.config.max_pitch) * _spread(row, self.config.pitch_steps)
        yaw = math.radians(self.config.max_yaw) * _spread(column, self.config.yaw_steps)
        along = self.config.speed * math.cos(pitch)
        return BodyVelocity(
            forward=along * math.cos(yaw), left=along * math.sin(yaw),
            up=self.config.speed * math.sin(pitch), yaw_rate=yaw / self.config.turn_time)


def _spread(index: int, steps: int) -> float:
    """Return 1 for the first of the steps, -1 for the last, evenly between."""
    return 0.0 if steps == 1 else 1.0 - 2.0 * index / (steps - 1)
