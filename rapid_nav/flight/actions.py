"""What a drone can decide: a grid of directions, each a velocity in the body's frame."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BodyVelocity:
    """A velocity command in the body frame of REP 103: x forward, y left, z up."""

    forward: float = 0.0  # [m/s]
    left: float = 0.0  # [m/s]
    up: float = 0.0  # [m/s]
    yaw_rate: float = 0.0  # [rad/s], counter-clockwise seen from above
