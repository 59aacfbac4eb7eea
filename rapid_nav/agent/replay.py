"""Experience replay: each frame stored once, n-step transitions built when they are sampled."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from rapid_nav.agent import training_state


class Batch(NamedTuple):
    """Transitions ready to learn from."""

    s_tm1: np.ndarray  # (B, C, H, W), of the replay's type
    a_tm1: np.ndarray  # (B,) int64
    r_t: np.ndarray  # (B,) float32, the discounted sum of up to n rewards
    discount_t: np.ndarray  # (B,) float32, of the bootstrap; 0 behind a terminal
    s_t: np.ndarray  # (B, C, H, W)
    importance_weights: np.ndarray  # (B,) float32, at most 1
    indices: np.ndarray  # (B,) int64, for update_priorities
    teacher_q: np.ndarray | None = None  # (B, A) float32, of s_tm1; NaN where none is known


class SumTree:
    """Priorities (size,); their sum, and the index at a partial sum, take logarithmic time."""

    def __init__(self, size: int) -> None:
        self.depth = max(1, int(np.ceil(np.log2(size))))
        self.leaves = 1 << self.depth
        self.nodes = np.zeros(2 * self.leaves, np.float64)

    @property
    def total(self) -> float:
        """The sum of all the priorities."""
        return float(self.nodes[1])

    def set(self, index: np.ndarray, priority: np.ndarray) -> None:
        """Set the priorities (B,) at index (B,)."""
        node = index + self.leaves
        self.nodes[node] = priority
        for _ in range(self.depth):
            node = np.unique(node >> 1)
            self.nodes[node] = self.nodes[2 * node] + self.nodes[2 * node + 1]

    def get(self, index: np.ndarray) -> np.ndarray:
        """Return the priorities (B,) at index (B,)."""
        priority: np.ndarray = self.nodes[index + self.leaves]
        return priority

    def find(self, partial_sum: np.ndarray) -> np.ndarray:
        """Return the index (B,) at which the running sum of priorities passes partial_sum (B,)."""
        node = np.ones(len(partial_sum), np.int64)
        rest = partial_sum.astype(np.float64)
        for _ in range(self.depth):
            left = self.nodes[2 * node]
            # Never into an empty branch: rounding may leave a rest just past the last leaf.
            right = (rest >= left) & (self.nodes[2 * node + 1] > 0)
            rest = np.where(right, rest - left, rest)
            node = 2 * node + right
        return node - self.leaves


class Replay:
    """
    A ring of the newest steps of several environments, sampled by priority.

    A row holds, for every environment, the newest frame, the age of its episode, the action
    and its outcome. Stacks and n-step sums never cross an episode's edge. Priorities:
    Schaul et al. 2015, proportional.
    """

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        frame_shape: tuple[int, int, int],
        history: int,
        n_step: int,
        discount: float,
        priority_exponent: float,
        seed: int,
        dtype: np.dtype | type = np.uint8,
        teacher_actions: int = 0,
    ) -> None:
        self.rows = max(capacity // num_envs, history + n_step + 2)
        self.num_envs, self.history, self.n_step = num_envs, history, n_step
        self.discount, self.priority_exponent = discount, priority_exponent
        self.frames = np.zeros((self.rows, num_envs, *frame_shape), dtype)
        self.age = np.zeros((self.rows, num_envs), np.int32)
        self.action = np.zeros((self.rows, num_envs), np.int16)
        self.reward = np.zeros((self.rows, num_envs), np.float32)
        self.terminated = np.zeros((self.rows, num_envs), bool)
        self.truncated = np.zeros((self.rows, num_envs), bool)
        self.valid = np.zeros((self.rows, num_envs), bool)
        self.teacher_q = np.full((self.rows, num_envs, teacher_actions), np.nan, np.float32)
        self.tree = SumTree(self.rows * num_envs)
        self.added = 0  # rows ever written
        self.max_priority = 1.0
        self.rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Return the number of steps held."""
        return min(self.added, self.rows) * self.num_envs

    @property
    def ready(self) -> bool:
        """Whether there is a complete transition to sample."""
        return self.tree.total > 0

    def add(
        self,
        frame: np.ndarray,
        age: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        valid: np.ndarray,
        teacher_q: np.ndarray | float = np.nan,
    ) -> None:
        """
        Write a row: the frame (N, c, H, W), the episode's age, the action, and its outcome.

        ``teacher_q`` (N, A) are a teacher's Q-values. A step that is no transition (the one in
        which an environment resets) has valid false: its frame, the episode's last, is kept for
        those before it.
        """
        row = self.added % self.rows
        self.frames[row], self.age[row], self.action[row] = frame, age, action
        self.reward[row], self.terminated[row] = reward, terminated
        self.truncated[row], self.valid[row] = truncated, valid
        self.teacher_q[row] = teacher_q
        # Neither the overwritten row nor those whose stack reaches back into it are sampled.
        gone = (row + np.arange(self.history)) % self.rows
        self.tree.set(self._index(gone), np.zeros(len(gone) * self.num_envs))
        self.added += 1
        ready = self.added - 1 - self.n_step
        if ready >= 0:
            ready %= self.rows
            self.tree.set(
                self._index(np.array([ready])), np.where(self.valid[ready], self.max_priority, 0.0)
            )

    def _index(self, rows: np.ndarray) -> np.ndarray:
        return (rows[:, None] * self.num_envs + np.arange(self.num_envs)).ravel()

    def stack(self, row: np.ndarray, env: np.ndarray) -> np.ndarray:
        """Return the observations (B, C, H, W) at (row, env), oldest frame first."""
        back = np.minimum(np.arange(self.history - 1, -1, -1), self.age[row, env][:, None])
        stacked = self.frames[(row[:, None] - back) % self.rows, env[:, None]]
        observations: np.ndarray = stacked.reshape(len(row), -1, *stacked.shape[-2:])
        return observations

    def sample(self, batch_size: int, importance_exponent: float) -> Batch:
        """Draw transitions by priority, with importance weights; ValueError if there are none."""
        if not self.ready:
            raise ValueError('the replay holds no complete transition yet')
        total = self.tree.total
        strata = (np.arange(batch_size) + self.rng.random(batch_size)) / batch_size
        index = self.tree.find(strata * total)
        probability = self.tree.get(index) / total
        weights = (len(self) * probability) ** -importance_exponent
        row, env = np.divmod(index, self.num_envs)
        r_t = np.zeros(batch_size, np.float32)
        discount_t = np.ones(batch_size, np.float32)
        running = np.ones(batch_size, bool)
        last = row
        for step in range(self.n_step):
            at = (row + step) % self.rows
            r_t += np.where(running, discount_t * self.reward[at, env], 0)
            last = np.where(running, at, last)
            discount_t = np.where(running, discount_t * self.discount, discount_t)
            discount_t = np.where(running & self.terminated[at, env], 0, discount_t)
            running &= ~(self.terminated[at, env] | self.truncated[at, env])
        return Batch(
            self.stack(row, env),
            self.action[row, env].astype(np.int64),
            r_t,
            discount_t.astype(np.float32),
            self.stack((last + 1) % self.rows, env),
            (weights / weights.max()).astype(np.float32),
            index,
            self.teacher_q[row, env] if self.teacher_q.shape[2] else None,
        )

    def excerpt(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return all rewards held (rows, N), and observations (count, C, H, W) spread evenly."""
        rows = min(self.added, self.rows)
        row = np.linspace(0, rows - 1, count).astype(np.int64)
        return self.reward[:rows], self.stack(row, np.arange(count) % self.num_envs)

    def forget_priorities(self) -> None:
        """Make every transition as likely as any other."""
        index = self.tree.nodes[self.tree.leaves :].nonzero()[0]
        self.tree.set(index, np.ones(len(index)))
        self.max_priority = 1.0

    def update_priorities(self, index: np.ndarray, td_error: np.ndarray) -> None:
        """Set the priorities of sampled transitions from their absolute TD errors (B,)."""
        priority = (np.abs(td_error) + 1e-3) ** self.priority_exponent
        self.max_priority = max(self.max_priority, float(priority.max()))
        self.tree.set(index, priority)

    def state_dict(self) -> training_state.Arrays:
        """Return its contents, for training_state.save."""
        rows = min(self.added, self.rows)
        return {
            **{name: getattr(self, name)[:rows] for name in _COLUMNS},
            'priority': self.tree.nodes[self.tree.leaves :][: rows * self.num_envs],
            'added': np.array(self.added),
            'max_priority': np.array(self.max_priority),
            'rng': training_state.generator_state(self.rng),
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned; StateError if it is of another replay."""
        for name in _COLUMNS:
            column, saved = getattr(self, name), state[name]
            if name == 'teacher_q' and not saved.size:
                continue  # none was kept
            if saved.shape[1:] != column.shape[1:] or len(saved) > len(column):
                raise training_state.StateError(
                    f'its replay holds {name} of shape {saved.shape}, this one {column.shape}'
                )
            column[: len(saved)] = saved
        priority = state['priority']
        self.tree.set(np.arange(len(priority)), priority)
        self.added, self.max_priority = int(state['added']), float(state['max_priority'])
        training_state.set_generator_state(self.rng, state['rng'])


_COLUMNS = ('frames', 'age', 'action', 'reward', 'terminated', 'truncated', 'valid', 'teacher_q')
