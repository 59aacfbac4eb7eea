"""Atari games side by side as one gymnasium environment (optional package ale-py, GPL)."""

from typing import Any

import gymnasium
from gymnasium.vector import AutoresetMode, VectorEnv
import numpy as np

from rapid_nav.agent.training_state import generator_state, set_generator_state
from rapid_nav.offline.atari.task import AtariTask

RESEED = 4000


class AtariVectorEnv(VectorEnv):
    """
    Copies of one game on ale-py's own vector environment, on the caller's thread.

    Observations (N, C, H, W) uint8, the newest image last; an episode's first one fills the
    stack. With `life_loss` a lost life ends the episode for the learner, and the game goes on
    after it. `info` of a step has `score`, the unclipped points of the game so far, and `ended`,
    whether the game itself is over, each (N,).

    ALE cannot be saved, but it is deterministic: a seed and the actions since are a game's
    state, and going on means to replay them. To keep those few, a game is seeded anew at its
    first start after `RESEED` actions (not at every start: that takes a fifth of a second).
    """

    metadata: dict[str, Any] = {  # noqa: RUF012  (gymnasium's own declaration)
        'autoreset_mode': AutoresetMode.NEXT_STEP,
        'render_modes': [],
    }

    def __init__(self, task: AtariTask, num_envs: int) -> None:
        self.task, self.num_envs = task, num_envs
        self.ale = make_ale(task, num_envs)
        self.single_observation_space = gymnasium.spaces.Box(0, 255, task.shape, np.uint8)
        self.num_actions = int(self.ale.single_action_space.n)
        self.single_action_space = gymnasium.spaces.Discrete(self.num_actions)
        self.observation_space = gymnasium.vector.utils.batch_space(
            self.single_observation_space, num_envs
        )
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, num_envs)
        self.rng = np.random.default_rng()
        self.frames = np.zeros((num_envs, *task.shape), np.uint8)
        self.seeds = np.zeros(num_envs, np.int64)
        self.played = np.zeros((num_envs, RESEED + task.max_steps), np.uint8)
        self.count = np.zeros(num_envs, np.int64)  # actions since the seed
        self.score = np.zeros(num_envs)
        self.lives = np.zeros(num_envs, np.int64)
        self.over = np.zeros(num_envs, bool)  # for the learner
        self.ended = np.zeros(num_envs, bool)  # the game itself

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start every game; a seed starts the sequence of the games' seeds anew."""
        if isinstance(seed, list):
            seed = seed[0]
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.frames[:] = self._seed(np.ones(self.num_envs, bool))[:, None]
        self.score[:], self.over[:], self.ended[:] = 0.0, False, False
        return self.frames.copy(), self._info()

    def step(
        self, actions: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play one action in each game; see gymnasium.vector.VectorEnv.step."""
        actions = np.asarray(actions, np.int64)
        if actions.shape != (self.num_envs,):
            raise ValueError(f'actions have shape {actions.shape}; expected ({self.num_envs},)')
        started, fresh = self.over.copy(), self.ended.copy()
        self.played[np.arange(self.num_envs), self.count] = actions
        self.count += 1
        frame, points, terminated, truncated, info = self.ale.step(actions)
        frame, points = self._shrink(frame), points.astype(np.float32)
        lost_life = (info['lives'] < self.lives) & ~fresh
        self.lives[:] = info['lives']
        self.score[fresh] = 0.0  # ale-py has started these anew and ignored the action
        if (long := fresh & (self.count > RESEED)).any():
            frame = self._seed(long)
        self.score += points
        self.ended = terminated | truncated
        if self.task.life_loss:
            terminated = terminated | (lost_life & ~truncated)
        self.over = terminated | truncated
        self.frames = np.concatenate([self.frames[:, 1:], frame[:, None]], axis=1)
        self.frames[started] = frame[started, None]
        reward = np.sign(points) if self.task.clip_rewards else points
        return self.frames.copy(), reward, terminated, truncated, self._info()

    def _seed(self, rows: np.ndarray) -> np.ndarray:
        """Start these games (N,) bool, each from its own seed; return all pictures (N, H, W)."""
        self.seeds[rows] = self.rng.integers(2**31 - 1, size=int(rows.sum()))
        frame, info = self.ale.reset(seed=self.seeds[rows], options={'reset_mask': rows})
        self.count[rows] = 0
        self.lives[rows] = info['lives'][rows]
        return self._shrink(frame)

    def _shrink(self, frame: np.ndarray) -> np.ndarray:
        """Return ale-py's images (N, 1, H, W) as the agent sees them (N, size, size)."""
        size, pool = self.task.size, self.task.pool
        # In two steps, which numpy does faster than one.
        rows = frame.reshape(self.num_envs, size, pool, size * pool).max(axis=2)
        images: np.ndarray = rows.reshape(self.num_envs, size, size, pool).max(axis=3)
        return images

    def _info(self) -> dict[str, Any]:
        return {'score': self.score.copy(), 'ended': self.ended.copy()}

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return what the games can be replayed from, for training_state.save."""
        longest = max(1, int(self.count.max()))
        return {
            **{name: getattr(self, name).copy() for name in _GAMES},
            'played': self.played[:, :longest].copy(),
            'rng': generator_state(self.rng),
        }

    def load_state_dict(self, arrays: dict[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned, from the same game, and replay it."""
        for name in _GAMES:
            getattr(self, name)[:] = arrays[name]
        played = arrays['played']
        self.played[:, : played.shape[1]] = played
        set_generator_state(self.rng, arrays['rng'])
        longest, frame = int(self.count.max()), None
        for at in range(longest + 1):  # they start at different times and end together
            starting = self.count == longest - at
            if at == 0 and not starting.all():
                self.ale.reset(seed=0)
            if starting.any():
                frame, _ = self.ale.reset(
                    seed=self.seeds[starting], options={'reset_mask': starting}
                )
            if at < longest:
                index = self.count - longest + at
                actions = np.where(index >= 0, self.played[np.arange(self.num_envs), index], 0)
                frame = self.ale.step(actions.astype(np.int64))[0]
        assert frame is not None
        if not np.array_equal(self._shrink(frame), self.frames[:, -1]):
            raise ValueError(
                'the saved games differ when they are replayed: this is another version of '
                'ale-py, or the files are of another game'
            )


_GAMES = ('seeds', 'count', 'frames', 'score', 'lives', 'over', 'ended')


def make_ale(task: AtariTask, num_envs: int, **changed: Any) -> Any:
    """Return ale-py's vector environment of a game; ValueError says why there is none."""
    try:
        from ale_py import roms, vector_env
    except ModuleNotFoundError as error:
        raise ValueError(
            "ale-py is not installed; pip install '.[atari]' brings it, games included (GPL-2.0)"
        ) from error
    known = roms.get_all_rom_ids()
    if task.game not in known:
        raise ValueError(f'no game {task.game!r} in ale-py; it has {", ".join(sorted(known))}')
    size = task.size * task.pool
    settings = {
        'num_threads': 1,
        'autoreset_mode': AutoresetMode.NEXT_STEP,
        'use_fire_reset': False,
        'max_num_frames_per_episode': task.max_frames,
        'noop_max': task.no_ops,
        'repeat_action_probability': task.sticky,
        'frameskip': task.frame_skip,
        'stack_num': 1,
        'img_height': size,
        'img_width': size,
        'reward_clipping': False,
        'episodic_life': False,
    }
    return vector_env.AtariVectorEnv(task.game, num_envs, **{**settings, **changed})


def standard_env(task: AtariTask) -> gymnasium.Env:
    """Return the same game by gymnasium's own wrappers, one environment; needs OpenCV."""
    make_ale(task, 1)  # which says what is wrong with the game or the installation
    import ale_py
    from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation

    gymnasium.register_envs(ale_py)
    name = ''.join(word.capitalize() for word in task.game.split('_'))
    game = gymnasium.make(f'ALE/{name}-v5', frameskip=1, repeat_action_probability=task.sticky)
    return FrameStackObservation(
        AtariPreprocessing(
            game,
            noop_max=task.no_ops,
            frame_skip=task.frame_skip,
            screen_size=task.size,
            terminal_on_life_loss=task.life_loss,
        ),
        task.history,
    )
