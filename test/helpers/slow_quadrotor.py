"""simple_flight and its quadrotor in matrices and objects, slowly, to compare with."""

import math

import numpy as np

DT, GRAVITY, MASS, DENSITY = 0.003, 9.80665, 1.0, 1.225
DIAMETER, SPIN = 0.2286, 6396.667 / 60
THRUST = 0.109919 * DENSITY * SPIN**2 * DIAMETER**4
TORQUE = 0.040164 * DENSITY * SPIN**2 * DIAMETER**5 / (2 * math.pi)
BODY = np.array([0.18, 0.11, 0.04])
ARM = 0.2275 * np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]]) / math.sqrt(2)  # FR, RL, FL, RR
ROTORS = np.hstack([ARM, np.full((4, 1), -0.025)])
TURNS = np.array([1, 1, -1, -1])


def inertia() -> np.ndarray:
    """A box of the body's mass and four motors as points."""
    box = (MASS - 4 * 0.055) / 12 * np.diag((BODY**2).sum() - BODY**2)
    points = sum(0.055 * ((r @ r) * np.eye(3) - np.outer(r, r)) for r in ROTORS)
    return np.asarray(box + points)


def drag_factors() -> np.ndarray:
    """Faces of the box and the propellers edge on, or from above."""
    faces = np.array([BODY[1] * BODY[2], BODY[0] * BODY[2], BODY[0] * BODY[1]])
    blades = 4 * math.pi * DIAMETER * np.array([0.01, 0.01, DIAMETER])
    return 0.325 / 2 * DENSITY * (faces + blades)


def matrix(q: np.ndarray) -> np.ndarray:
    """Rotation of a quaternion, built from its own product with the axes."""
    w, v = q[0], q[1:]
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.asarray(np.eye(3) + 2 * w * cross + 2 * cross @ cross)


def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Quaternion product."""
    return np.concatenate(
        [[a[0] * b[0] - a[1:] @ b[1:]], a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:])]
    )


def saturate(x: float) -> float:
    return float(np.clip(x, -1, 1))


class SlowQuadrotor:
    """One vehicle that flies to velocity goals (vx, vy, vz, yaw or yaw rate) in free air."""

    def __init__(self, pose: np.ndarray) -> None:
        self.p, self.v, self.a = np.array(pose[:3], dtype=float), np.zeros(3), np.zeros(3)
        self.q = np.array([math.cos(pose[3] / 2), 0, 0, math.sin(pose[3] / 2)])
        self.w, self.alpha = np.zeros(3), np.zeros(3)
        self.rotors = np.full(4, MASS * GRAVITY / 4 / THRUST)
        self.climb = 1 - 2 * self.rotors[0]
        self.J = inertia()

    def angles(self) -> tuple[float, float, float]:
        m = matrix(self.q)
        return (
            math.atan2(m[2, 1], m[2, 2]),
            -math.asin(saturate(m[2, 0])),
            math.atan2(m[1, 0], m[0, 0]),
        )

    def motors(self, goal: np.ndarray, yaw_is_rate: bool) -> np.ndarray:
        """The cascade: velocity to tilt and throttle, tilt to rate, rate to torque."""
        roll, pitch, yaw = self.angles()
        error = matrix(self.q).T @ (goal[:3] - self.v)
        self.climb = saturate(self.climb * 0.9999 + 2.0 * error[2] * DT)
        throttle = max((1 - saturate(2.0 * error[2] + self.climb)) / 2, 0.3)
        tilt = math.pi / 5.5 * np.array([saturate(0.2 * error[1]), -saturate(0.2 * error[0])])
        turn = math.remainder(goal[3] - yaw, 2 * math.pi)
        rates = 2.5 * np.array(
            [saturate(2.5 * e) for e in (tilt[0] - roll, tilt[1] - pitch, turn)]
        )
        if yaw_is_rate:
            rates[2] = goal[3]
        x, y, z = (saturate(0.25 * e) for e in rates - self.w)
        mixed = throttle + np.array([-x + y + z, x - y + z, x + y - z, -x - y - z])
        mixed -= min(mixed.min(), 0)
        return np.asarray(mixed / max(mixed.max(), 1))

    def step(self, goal: np.ndarray, yaw_is_rate: bool) -> None:
        """Advance by 3 ms."""
        keep = math.exp(-DT / 0.005)
        self.rotors = self.rotors * keep + self.motors(goal, yaw_is_rate) * (1 - keep)
        forces = np.array([[0, 0, -THRUST * r] for r in self.rotors])
        torque = np.cross(ROTORS, forces).sum(axis=0)
        torque[2] += TORQUE * (TURNS * self.rotors).sum()
        m = matrix(self.q)
        v = self.v + self.a * DT / 2
        w = self.w + self.alpha * DT / 2
        along = m.T @ v
        drag = -drag_factors() * along * np.abs(along) * (np.abs(along) > 0.1)
        a = m @ (forces.sum(axis=0) + drag) / MASS + [0, 0, GRAVITY]
        alpha = np.linalg.solve(self.J, torque - np.cross(w, self.J @ w))
        self.p = self.p + v * DT
        angle = np.linalg.norm(w) * DT
        if angle > 0:
            axis = w / np.linalg.norm(w)
            self.q = times(
                self.q, np.concatenate([[math.cos(angle / 2)], math.sin(angle / 2) * axis])
            )
            self.q /= np.linalg.norm(self.q)
        self.v = self.v + (self.a + a) * DT / 2
        self.w = self.w + (self.alpha + alpha) * DT / 2
        self.a, self.alpha = a, alpha
