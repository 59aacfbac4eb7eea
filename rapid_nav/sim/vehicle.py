"""One multirotor of the simulation: what it is told, where it is, what it carries."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future
from dataclasses import dataclass, field
import math

import numpy as np

from rapid_nav import geometry
from rapid_nav.sim.airsim_settings import CAMERA_ALIASES, VehicleSettings
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.rpc.arguments import Pose, YawMode
from rapid_nav.sim.sensors.mounts import Camera, mounted

# A motion in progress: yields how long to leave it alone [simulated s], returns its outcome.
Motion = Generator[float, None, bool]
MakeMotion = Callable[..., Motion]
GRACE = 0.06  # [s] after a motion ended, simple_flight holds the place where it is then
_NEVER = 2**62  # steps
_LOST = 1e9  # [m, m/s, rad/s, m/s^2]
_TRAIL = 16  # entries that are remembered for sensors that lag


@dataclass
class Task:
    """A motion under way and the Future of its end."""

    motion: Motion
    ended: Future[bool]
    began: int  # [steps]
    due: float = 0.0  # [s] after its beginning, when it is next to be continued


@dataclass
class Collision:
    """The last contact; all in the world's NED."""

    stamp_ns: int = 0
    primitive: int = -1  # its row in the world
    position: np.ndarray = field(default_factory=lambda: np.zeros(3))  # [m] of the vehicle
    point: np.ndarray = field(default_factory=lambda: np.zeros(3))  # [m]
    normal: np.ndarray = field(default_factory=lambda: np.zeros(3))
    penetration: float = 0.0  # [m]


class Vehicle:
    """
    A row of the physics with its own origin and orders.

    Clients speak of positions in the vehicle's NED frame, whose origin is where it started;
    the physics knows only the world's.
    """

    def __init__(
        self,
        name: str,
        row: int,
        settings: VehicleSettings,
        state: dynamics.State,
        goal: dynamics.Goal,
        now: int,
    ) -> None:
        self.name, self.row, self.settings = name, row, settings
        self._state, self._goal = state, goal
        self.origin = state.position[row].copy()
        self.reset(now)

    def reset(self, now: int) -> None:
        """Forget orders, contacts and what clients did to the cameras; sensors start anew."""
        self.began = now  # [steps]
        self.api_enabled = False
        self.armed = self.settings.armed
        self.task: Task | None = None
        self.hold_at = _NEVER  # [steps] when the last order is stale
        self.collision = Collision()
        self.has_collided = False  # since a client last asked
        self.drifts: dict[str, tuple[int, np.ndarray]] = {}  # of sensors: when [steps], bias
        self._trail: deque[tuple[int, np.ndarray, np.ndarray]] = deque(maxlen=_TRAIL)
        self.cameras = {
            name: Camera(camera, *mounted(camera.mount))
            for name, camera in self.settings.cameras.items()
        }
        self._stand_by(dynamics.MODE_OFF)

    @property
    def position(self) -> np.ndarray:
        """Where it is, (3,) [m] in the vehicle's own NED frame."""
        return np.asarray(self._state.position[self.row] - self.origin)

    @property
    def velocity(self) -> np.ndarray:
        """How fast it is, (3,) [m/s; NED]."""
        return np.array(self._state.velocity[self.row])

    @property
    def orientation(self) -> np.ndarray:
        """How it is turned, (4,) w, x, y, z."""
        return np.array(self._state.orientation[self.row])

    @property
    def angular_velocity(self) -> np.ndarray:
        """The turning (3,) [rad/s; body FRD]."""
        return np.array(self._state.angular_velocity[self.row])

    @property
    def yaw(self) -> float:
        """The heading [rad], clockwise from north."""
        return float(geometry.yaw_of(self._state.orientation[self.row]))

    @property
    def landed(self) -> bool:
        """Whether the ground carries it."""
        return bool(self._state.grounded[self.row])

    @property
    def lost(self) -> bool:
        """Whether its state is no longer finite, or so large that it soon will not be."""
        state, row = self._state, self.row
        parts = (state.position, state.velocity, state.angular_velocity, state.acceleration)
        return not all(abs(value) < _LOST for part in parts for value in part[row].tolist())

    def order(self, mode: int, a: float, b: float, c: float, yaw: YawMode) -> None:
        """Set the goal; positions among the values are in the vehicle's own frame, yaw in deg."""
        if not (self.armed and self.api_enabled):
            return
        values = np.array([a, b, c, math.radians(yaw.yaw_or_rate)])
        if mode == dynamics.MODE_POSITION:
            values[:3] += self.origin
        elif mode in (dynamics.MODE_VELOCITY_Z, dynamics.MODE_ATTITUDE_Z, dynamics.MODE_RATE_Z):
            values[2] += self.origin[2]
        self._goal.mode[self.row] = mode
        self._goal.values[self.row] = values
        self._goal.yaw_is_rate[self.row] = yaw.is_rate
        self.hold_at = _NEVER

    def spin(self, motors: list[float]) -> None:
        """Set the four motors [0..1] directly."""
        if self.armed and self.api_enabled:
            self._goal.mode[self.row] = dynamics.MODE_MOTORS
            self._goal.values[self.row] = motors
            self.hold_at = _NEVER

    def hold(self) -> None:
        """Stay where it is now."""
        if self.armed:
            self._stand_by(dynamics.MODE_HOLD)

    def enable_api(self, enabled: bool) -> None:
        """Give control to the client; a drone in the air then keeps its place until told."""
        self.api_enabled = enabled
        if enabled and not self.landed:
            self.hold()

    def arm(self, armed: bool) -> bool:
        """Switch the motors on or off; only a client that has control may."""
        if not self.api_enabled:
            return False
        if self.armed != armed:
            self.armed = armed
            self._stand_by(dynamics.MODE_OFF)
        return True

    def end(self, now: int, grace: int) -> None:
        """Let an order stand for a grace [steps] after its motion ended."""
        if self._goal.mode[self.row] not in (dynamics.MODE_HOLD, dynamics.MODE_OFF):
            self.hold_at = now + grace

    def _stand_by(self, mode: int) -> None:
        self._goal.mode[self.row] = mode
        self._goal.values[self.row] = 0.0
        self._goal.yaw_is_rate[self.row] = True
        self.hold_at = _NEVER

    def place(self, pose: Pose, on_ground: bool) -> None:
        """Teleport to a pose in the vehicle's own frame; NaN leaves a part; velocities survive."""
        there = np.where(np.isnan(pose.position), self.position, pose.position)
        self._state.position[self.row] = there + self.origin
        if not np.isnan(pose.orientation).any():
            self._state.orientation[self.row] = pose.orientation
        self._state.grounded[self.row] = on_ground
        if on_ground:
            self._state.rotors[self.row] = 0.0
            self._stand_by(dynamics.MODE_OFF)
        elif self.armed and self._goal.mode[self.row] in (dynamics.MODE_HOLD, dynamics.MODE_OFF):
            # The physics keeps the place where holding began, so it must begin anew.
            self._state.mode[self.row] = dynamics.MODE_OFF
            self._stand_by(dynamics.MODE_HOLD)

    def move(self, kinematics: dict[str, np.ndarray]) -> None:
        """Overwrite parts of the physics' state, by the names of dynamics.State."""
        for name, value in kinematics.items():
            known = ~np.isnan(value)
            getattr(self._state, name)[self.row][known] = value[known]

    def remember(self, step: int) -> None:
        """Note where it is, for sensors that lag."""
        self._trail.append((step, self.position, self.velocity))

    def seen_at(self, step: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Return step, position (3,) and velocity (3,) as they were at a step, or just after."""
        later = (entry for entry in self._trail if entry[0] >= step)
        return next(later, (step, self.position, self.velocity))

    def camera(self, name: str) -> Camera:
        """Return a camera by name or number; LookupError if there is none."""
        camera = self.cameras.get(CAMERA_ALIASES.get(name, name))
        if camera is None:
            raise LookupError(f'Camera {name!r} not found on vehicle {self.name!r}')
        return camera

    def carried(self, position: np.ndarray, orientation: np.ndarray) -> Pose:
        """Return the pose in the vehicle's own frame of something fixed to its body."""
        turn = self.orientation
        return Pose(
            self.position + geometry.rotate(turn, position), geometry.multiply(turn, orientation)
        )

    def note_contact(self, now_ns: int) -> None:
        """Take over a contact that the physics reported."""
        row, state = self.row, self._state
        if state.collided[row]:
            state.collided[row] = False
            self.has_collided = True
            self.collision = Collision(
                now_ns,
                int(state.collision_primitive[row]),
                state.position[row].copy(),
                state.impact_point[row].copy(),
                state.collision_normal[row].copy(),
                float(state.penetration[row]),
            )
