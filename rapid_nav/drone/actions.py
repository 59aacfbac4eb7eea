"""What a drone can decide: a grid of directions, each a velocity or a step in its own frame."""

from dataclasses import dataclass
import math

import numpy as np

from rapid_nav.options import check, setting


@dataclass(frozen=True)
class BodyVelocity:
    """A velocity command in the body frame of REP 103: x forward, y left, z up."""

    forward: float = 0.0  # [m/s]
    left: float = 0.0  # [m/s]
    up: float = 0.0  # [m/s]
    yaw_rate: float = 0.0  # [rad/s], counter-clockwise seen from above


@dataclass(frozen=True)
class ActionConfig:
    """PEDRA's grid of directions (5 x 5, up to 12 and 21.3 degrees)."""

    pitch_steps: int = setting(5, 'Number of directions from up to down.', low=1, high=15)
    yaw_steps: int = setting(5, 'Number of directions from left to right.', low=1, high=15)
    max_pitch: float = setting(
        12.0, 'Angle of the steepest direction.', unit='deg', low=0.0, high=80.0
    )
    max_yaw: float = setting(
        21.3, 'Angle of the widest direction.', unit='deg', low=0.0, high=80.0
    )
    speed: float = setting(
        3.0, 'Speed along the chosen direction.', unit='m/s', low=0.0, high=20.0
    )
    slow_distance: float = setting(
        4.0,
        'Free way ahead below which the speed shrinks in proportion; 0 for never.',
        unit='m',
        low=0.0,
        high=100.0,
    )
    slowest: float = setting(
        0.15, 'Least share of the speed, however little way is free.', low=0.0, high=1.0
    )
    turn_time: float = setting(
        0.2,
        'Time in which the nose turns into the chosen direction.',
        unit='s',
        low=0.01,
        high=10.0,
    )
    motion: str = setting(
        'velocity',
        'How a decision moves the drone: velocity flies, pose sets it down where the velocity '
        'would lead until the next decision.',
        choices=('velocity', 'pose'),
    )
    noise: float = setting(
        0.0,
        'Largest error of a step by pose, as a share of the angle between two directions.',
        low=0.0,
        high=1.0,
    )

    def __post_init__(self) -> None:
        check(self)


class ActionGrid:
    """The grid's directions: index = yaw_steps * row + column, row 0 up, column 0 left."""

    def __init__(self, config: ActionConfig) -> None:
        self.config = config
        self.num_actions = config.pitch_steps * config.yaw_steps
        rows, columns = np.divmod(np.arange(self.num_actions), config.yaw_steps)
        # (A, 2) [rad] up and to the left, and the angles between two neighbours (2,).
        self.angles = np.radians(
            np.stack(
                [
                    config.max_pitch * _spread(rows, config.pitch_steps),
                    config.max_yaw * _spread(columns, config.yaw_steps),
                ],
                axis=1,
            )
        )
        self.cell = np.radians(
            [
                2 * config.max_pitch / max(config.pitch_steps - 1, 1),
                2 * config.max_yaw / max(config.yaw_steps - 1, 1),
            ]
        )
        self.velocities = tuple(
            BodyVelocity(*velocity) for velocity in self._along(self.angles).tolist()
        )

    @property
    def straight(self) -> int:
        """The action that flies level and ahead."""
        return self.num_actions // 2

    def velocity(self, action: int, free: float = math.inf) -> BodyVelocity:
        """
        Return the velocity of an action, with a free way ahead [m].

        Turning is never slowed, so that a drone can turn out of a narrow place on the spot.
        IndexError if there is no such action.
        """
        if not 0 <= action < self.num_actions:
            raise IndexError(f'action {action}: the grid has 0 to {self.num_actions - 1}')
        fast, share = self.velocities[action], float(self.speed_share(np.float64(free)))
        return BodyVelocity(
            fast.forward * share, fast.left * share, fast.up * share, fast.yaw_rate
        )

    def speed_share(self, free: np.ndarray | np.float64) -> np.ndarray:
        """Return the share of the speed that is flown with a free way ahead [m], of any shape."""
        if self.config.slow_distance <= 0:
            return np.ones_like(np.asarray(free))
        return np.clip(free / self.config.slow_distance, self.config.slowest, 1.0)

    def steps(self, actions: np.ndarray, seconds: float, errors: np.ndarray) -> np.ndarray:
        """
        Return where actions (N,) put a drone that is moved by pose, in its own level frame.

        That is forward, left, up [m] and turn [rad], counter-clockwise (N, 4); `errors` (N, 2) in
        [-1, 1] are those of pitch and yaw, as shares of the largest.
        """
        angles = self.angles[actions] + errors * self.config.noise * self.cell
        return self._along(angles) * seconds

    def _along(self, angles: np.ndarray) -> np.ndarray:
        """Return forward, left, up [m/s] and yaw rate [rad/s] (N, 4) of directions (N, 2)."""
        pitch, yaw = angles.T
        along = self.config.speed * np.cos(pitch)
        return np.stack(
            [
                along * np.cos(yaw),
                along * np.sin(yaw),
                self.config.speed * np.sin(pitch),
                yaw / self.config.turn_time,
            ],
            axis=1,
        )


def free_way(depth: np.ndarray) -> np.ndarray:
    """Return the least depth (...) [m] in the middle of depth images (..., H, W) [m]."""
    height, width = depth.shape[-2:]
    ahead = depth[..., height // 3 : height - height // 3, width // 4 : width - width // 4]
    nearest: np.ndarray = ahead.min(axis=(-2, -1))
    return nearest


def _spread(index: np.ndarray, steps: int) -> np.ndarray:
    """Return 1 for the first of the steps, -1 for the last, evenly between."""
    return np.zeros(len(index)) if steps == 1 else 1.0 - 2.0 * index / (steps - 1)
