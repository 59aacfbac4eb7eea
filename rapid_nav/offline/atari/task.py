"""What is asked of an Atari player: the game, and how it is shown and scored."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
import re
from typing import Any

from rapid_nav.options import check, from_dict, setting


@dataclass(frozen=True)
class AtariTask:
    """A game of the Atari 2600 and the usual preprocessing (Mnih et al. 2015)."""

    game: str = setting('pong', 'Game, as Pong or space_invaders.')
    size: int = setting(84, 'Side of the grey image.', unit='px', low=16, high=210)
    pool: int = setting(
        1,
        'Side of the square in a larger image whose brightest pixel is kept, so that small bright '
        'things stay visible.',
        low=1,
        high=4,
    )
    history: int = setting(4, 'Images in an observation.', low=1, high=16)
    frame_skip: int = setting(
        4, 'Frames that an action is held for; the last two are merged.', low=1, high=16
    )
    sticky: float = setting(
        0.0, 'Probability that a frame repeats the action before.', low=0.0, high=1.0
    )
    no_ops: int = setting(
        30, 'Largest number of frames without action at the start.', low=0, high=1000
    )
    life_loss: bool = setting(False, 'End the episode for the learner when a life is lost.')
    clip_rewards: bool = setting(True, 'Learn from the sign of rewards alone.')
    max_frames: int = setting(108_000, 'Frames after which an episode is cut off.', low=1)

    def __post_init__(self) -> None:
        object.__setattr__(self, 'game', snake_case(self.game))
        check(self)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The observation's shape (C, H, W)."""
        return (self.history, self.size, self.size)

    @property
    def max_steps(self) -> int:
        """The most decisions of an episode."""
        return self.max_frames // self.frame_skip + 2

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any], **changed: Any) -> 'AtariTask':
        """Rebuild it, with some values changed; ValueError if they are not of an Atari task."""
        return from_dict(AtariTask, {**values, **changed})


def snake_case(game: str) -> str:
    """Return a game's name as ale-py's files have it: SpaceInvaders is space_invaders."""
    return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', game).lower()
