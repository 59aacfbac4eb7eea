"""Many drones in the embedded simulator at once, in one process, as a gymnasium environment."""

from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv
import numpy as np

from rapid_nav.agent.training_state import generator_state, set_generator_state
from rapid_nav.drone.actions import ActionGrid, free_way
from rapid_nav.drone.reward import reward
from rapid_nav.drone.task import FlightTask
from rapid_nav.geometry import yaw_of
from rapid_nav.offline.drone.pose_steps import move
from rapid_nav.offline.drone.render import renderer_of
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.worlds.world import pack, World

CELL = 1.0  # side of the floor's cells for coverage [m]
GRID = 256  # cells along each side of the floor

Start = tuple[int, int]
"""A world's index and one of its start poses'."""


def random_starts(worlds: Sequence[World], rng: np.random.Generator) -> Iterator[Start]:
    """Yield start poses without end, from every world alike."""
    while True:
        world = int(rng.integers(len(worlds)))
        yield world, int(rng.integers(len(worlds[world].start_poses)))


class DroneVectorEnv(VectorEnv):
    """
    Drones that fly by a FlightTask until they crash or have flown `cap_m`.

    Observations (N, C, H, W) uint8, see drone.observation. After the last step of a flight the
    next step starts another one and ignores the action (gymnasium's NEXT_STEP). `info` of a step
    has `distance_m`, `cells` and `collided` of the flight so far, each (N,).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (gymnasium's own declaration)
        'autoreset_mode': AutoresetMode.NEXT_STEP,
        'render_modes': [],
    }

    def __init__(
        self,
        task: FlightTask,
        worlds: Sequence[World],
        num_envs: int,
        *,
        cap_m: float = 100.0,
        starts: Iterator[Start] | None = None,
        render_scale: int = 2,
    ) -> None:
        self.task, self.worlds, self.num_envs = task, worlds, num_envs
        self.cap_m = cap_m
        # Several times what the full speed takes, so that a drone that hangs somewhere ends too.
        self.max_decisions = int(8 * cap_m / (max(task.actions.speed, 0.1) * task.decision_period))
        self.starts, self.given_starts = starts, starts is not None
        self.rng = np.random.default_rng(0)  # of start poses and of steps that err
        self.scenes = pack(worlds)
        self.grid = grid = ActionGrid(task.actions)
        self.velocities = np.array(
            [(v.forward, v.left, v.up, v.yaw_rate) for v in grid.velocities]
        )
        self.renderer = renderer_of(task, render_scale)
        self.single_observation_space = gymnasium.spaces.Box(
            0, 255, task.observation.shape, np.uint8
        )
        self.single_action_space = gymnasium.spaces.Discrete(grid.num_actions)
        self.observation_space = gymnasium.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.state = dynamics.make_state(np.zeros((num_envs, 4)))
        self.goal = dynamics.make_goal(num_envs)
        self.goal.mode[:] = dynamics.MODE_VELOCITY
        self.goal.yaw_is_rate[:] = True
        self.scene_index = np.zeros(num_envs, np.int64)
        self.free = np.full(num_envs, np.inf)  # way ahead [m]
        self.frames = np.zeros((num_envs, *task.observation.shape), np.uint8)
        self.visited = np.zeros((num_envs, GRID, GRID), bool)
        self.cells = np.zeros(num_envs, np.int64)
        self.distance = np.zeros(num_envs)
        self.decisions = np.zeros(num_envs, np.int64)
        self.over = np.zeros(num_envs, bool)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start all the flights; a seed starts the sequence of start poses anew."""
        if isinstance(seed, list):
            seed = seed[0]
        if seed is not None or self.starts is None:
            self.rng = np.random.default_rng(seed)
            if not self.given_starts:
                self.starts = random_starts(self.worlds, self.rng)
        self._start(np.arange(self.num_envs))
        self.over[:] = False
        return self.frames.copy(), self._info()

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Fly one decision; see gymnasium.vector.VectorEnv.step."""
        actions = np.asarray(actions)
        if actions.shape != (self.num_envs,):
            raise ValueError(f'actions have shape {actions.shape}; expected ({self.num_envs},)')
        started = np.flatnonzero(self.over)
        flying = ~self.over
        before = self.state.position[:, :2].copy()
        self._move(actions)
        self.decisions += 1
        self.distance += np.linalg.norm(self.state.position[:, :2] - before, axis=1)
        if len(started):
            self._start(started)
        new_cells = self._visit(np.flatnonzero(flying))
        depth, frame = self._render()
        self.frames = np.concatenate([self.frames[:, frame.shape[1] :], frame], axis=1)
        self.frames[started] = self._repeated(frame[started])
        collided = self.state.collided.astype(bool) & flying
        value, terminated = reward(self.task.reward, depth, collided, new_cells)
        value[started], terminated[started] = 0.0, False
        truncated = (
            ~terminated
            & flying
            & ((self.distance >= self.cap_m) | (self.decisions >= self.max_decisions))
        )
        self.over = terminated | truncated
        return self.frames.copy(), value, terminated, truncated, self._info()

    def _start(self, rows: np.ndarray) -> None:
        """Put the drones of these rows at their next start poses and render."""
        assert self.starts is not None
        poses = np.empty((len(rows), 4))
        for i, row in enumerate(rows):
            world, pose = next(self.starts)
            self.scene_index[row] = world
            poses[i] = self.worlds[world].start_poses[pose]
        dynamics.reset_rows(self.state, rows, poses)
        self.visited[rows], self.cells[rows] = False, 0
        self.distance[rows], self.decisions[rows] = 0.0, 0
        self._visit(rows)
        self.cells[rows] = 0  # the first cell does not count
        if len(rows) == self.num_envs:
            self.frames[:] = self._repeated(self._render()[1])

    def _move(self, actions: np.ndarray) -> None:
        """Fly for one decision's time, or move the drones to where it leads."""
        if self.task.actions.motion == 'pose':
            errors = self.rng.uniform(-1.0, 1.0, (self.num_envs, 2))
            move(
                self.state,
                self.scenes,
                self.scene_index,
                self.grid.steps(actions, self.task.decision_period, errors),
            )
            return
        self._command(actions)
        dynamics.step(
            self.state, self.goal, self.scenes, self.scene_index, self.task.decision_steps
        )

    def _command(self, actions: np.ndarray) -> None:
        """Set the goals as moveByVelocityBodyFrame does: turned by the yaw at this moment."""
        velocity = self.velocities[actions]  # (N, 4) forward, left, up [m/s], yaw rate [rad/s]
        velocity[:, :3] *= self.grid.speed_share(self.free)[:, None]
        yaw = yaw_of(self.state.orientation)
        north = velocity[:, 0] * np.cos(yaw) + velocity[:, 1] * np.sin(yaw)
        east = velocity[:, 0] * np.sin(yaw) - velocity[:, 1] * np.cos(yaw)
        self.goal.values[:] = np.stack([north, east, -velocity[:, 2], -velocity[:, 3]], axis=1)

    def _render(self) -> tuple[np.ndarray, np.ndarray]:
        """Render depth (N, h, w) [m] and frames (N, c, h, w) uint8."""
        depth, frame = self.renderer(
            self.scenes, self.scene_index, self.state.position, self.state.orientation
        )
        self.free = free_way(depth)
        return depth, frame

    def _repeated(self, frame: np.ndarray) -> np.ndarray:
        """Return observations (N, C, h, w) that repeat a flight's first frame."""
        return np.tile(frame, (1, self.task.observation.history, 1, 1))

    def _visit(self, rows: np.ndarray) -> np.ndarray:
        """Mark the cells of the drones as visited; return the number of new ones (N,)."""
        new = np.zeros(self.num_envs, np.int64)
        cell = np.floor(self.state.position[rows, :2] / CELL).astype(np.int64) % GRID
        seen = self.visited[rows, cell[:, 0], cell[:, 1]]
        self.visited[rows, cell[:, 0], cell[:, 1]] = True
        new[rows] = ~seen
        self.cells += new
        return new

    def _info(self) -> dict[str, Any]:
        return {
            'distance_m': self.distance.copy(),
            'cells': self.cells.copy(),
            'collided': self.state.collided.astype(bool),
        }

    def keep(self, rows: np.ndarray) -> None:
        """Keep these drones alone, in this order."""
        self.num_envs = len(rows)
        self.state = dynamics.State(*(array[rows] for array in self.state))
        self.goal = dynamics.Goal(*(array[rows] for array in self.goal))
        for name in _FLIGHTS:
            setattr(self, name, getattr(self, name)[rows])
        self.observation_space = gymnasium.vector.utils.batch_space(
            self.single_observation_space, len(rows)
        )
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, len(rows))

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return the state of all flights and of the start poses, for training_state.save."""
        physics = {f'physics.{name}': array for name, array in self.state._asdict().items()}
        flights = {name: getattr(self, name).copy() for name in _FLIGHTS}
        return {**physics, **flights, 'rng': generator_state(self.rng)}

    def load_state_dict(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned, from an environment with the same worlds."""
        for name, array in self.state._asdict().items():
            array[:] = arrays[f'physics.{name}']
        for name in _FLIGHTS:
            getattr(self, name)[:] = arrays[name]
        set_generator_state(self.rng, arrays['rng'])


_FLIGHTS = ('scene_index', 'frames', 'free', 'visited', 'cells', 'distance', 'decisions', 'over')


class DroneEnv(gymnasium.Env):
    """One drone of DroneVectorEnv as an ordinary gymnasium environment."""

    metadata: dict[str, Any] = {'render_modes': []}  # noqa: RUF012  (gymnasium's declaration)

    def __init__(self, task: FlightTask, worlds: Sequence[World], cap_m: float = 100.0) -> None:
        self.vector = DroneVectorEnv(task, worlds, 1, cap_m=cap_m)
        self.observation_space = self.vector.single_observation_space
        self.action_space = self.vector.single_action_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start a flight."""
        super().reset(seed=seed)
        observation, info = self.vector.reset(seed=seed)
        return observation[0], {key: value[0] for key, value in info.items()}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Fly one decision."""
        observation, value, terminated, truncated, info = self.vector.step(np.array([action]))
        return (
            observation[0],
            float(value[0]),
            bool(terminated[0]),
            bool(truncated[0]),
            {key: column[0] for key, column in info.items()},
        )
