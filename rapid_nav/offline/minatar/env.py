"""MinAtar's games side by side as one gymnasium environment (optional package, GPL)."""

from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv
import numpy as np

GAMES = ('breakout', 'space_invaders', 'asterix', 'freeway')
MAX_STEPS = 2500  # a game that goes on longer is cut off


class MinAtarVectorEnv(VectorEnv):
    """
    Copies of one game (Young and Tian 2019, arXiv 1903.03176), with sticky actions.

    Observations (N, channels, 10, 10) uint8, 0 or 255. `info` of a step has the `score` of the
    episode so far (N,).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (gymnasium's own declaration)
        'autoreset_mode': AutoresetMode.NEXT_STEP,
        'render_modes': [],
    }

    def __init__(self, game: str, num_envs: int) -> None:
        try:
            import minatar
        except ModuleNotFoundError as error:
            raise ValueError(
                "MinAtar is not installed; pip install '.[minatar]' brings it"
            ) from error
        if game not in GAMES:
            raise ValueError(f'game {game!r}: choose one of {", ".join(GAMES)}')
        self.games = [minatar.Environment(game) for _ in range(num_envs)]
        self.num_envs = num_envs
        self.actions = np.array(self.games[0].minimal_action_set())
        self.single_observation_space = gymnasium.spaces.Box(
            0, 255, (self.games[0].n_channels, 10, 10), np.uint8
        )
        self.single_action_space = gymnasium.spaces.Discrete(len(self.actions))
        self.observation_space = gymnasium.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.over = np.zeros(num_envs, bool)
        self.steps = np.zeros(num_envs, np.int64)
        self.score = np.zeros(num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start every game; from a seed, the games' chances are seed, seed + 1, ..."""
        if isinstance(seed, list):
            seed = seed[0]
        for index, game in enumerate(self.games):
            if seed is not None:
                game.seed(1000 * seed + index)
            game.reset()
        self.over[:], self.steps[:], self.score[:] = False, 0, 0.0
        return self._observe(), {'score': self.score.copy()}

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one step of each game; see gymnasium.vector.VectorEnv.step."""
        reward = np.zeros(self.num_envs, np.float32)
        terminated = np.zeros(self.num_envs, bool)
        for index, game in enumerate(self.games):
            if self.over[index]:
                game.reset()
                self.steps[index], self.score[index] = 0, 0.0
            else:
                reward[index], terminated[index] = game.act(self.actions[actions[index]])
                self.steps[index] += 1
        self.score += reward
        truncated = ~terminated & (self.steps >= MAX_STEPS)
        self.over = terminated | truncated
        return self._observe(), reward, terminated, truncated, {'score': self.score.copy()}

    def _observe(self) -> np.ndarray:
        states = np.stack([game.state() for game in self.games])  # (N, 10, 10, channels) bool
        return np.ascontiguousarray(states.transpose(0, 3, 1, 2)).astype(np.uint8) * 255
