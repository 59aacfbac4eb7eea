"""`rapid-nav play atari`: a game as a video, with the exit that decided and what it cost."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import logging
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
import torch

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.cli.evaluate_atari import load_player
from rapid_nav.drone.seeds import TEST
from rapid_nav.exit_colors import exit_color
from rapid_nav.inference.exit_rule import decide, Decision
from rapid_nav.inference.network_config import NATURE_DQN_MACS
from rapid_nav.offline.atari.env import AtariVectorEnv, make_ale
from rapid_nav.offline.atari.task import AtariTask, snake_case
from rapid_nav.offline.evaluation.atari_suite import Protocol, PROTOCOLS
from rapid_nav.options import check, setting

log = logging.getLogger(__name__)

SCALE = 3  # of the console's 160x210 picture
PANEL = 96  # height of what is written below it [px]
KEPT = 60  # decisions in the strip of exits


@dataclass(frozen=True)
class PlayAtariConfig:
    """What `rapid-nav play atari` takes."""

    game: str = setting('pong', 'Game, as Pong or space_invaders.')
    checkpoint: Path | None = setting(
        None, "Policy that plays; if not given, the game's shipped one."
    )
    video: Path = setting(Path('atari.mp4'), 'Video file to write.')
    operating_point: str = setting('', 'Operating point; if empty, the first one.')
    protocol: str = setting(
        'nature',
        'Protocol: nature (no-op starts, 2015) or machado (sticky actions, 2018).',
        choices=tuple(PROTOCOLS),
    )
    seed: int = setting(TEST.start, 'Seed of the game.', low=0)
    steps: int = setting(0, 'Decisions in the video; 0 plays to the end of the game.', low=0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class Moment:
    """One decision of a game, to draw."""

    screen: np.ndarray  # (210, 160, 3) uint8
    decision: Decision
    score: float
    spent: float  # mean share of the full network's operations so far


def main(config: PlayAtariConfig) -> int:
    """Play one game and write its video."""
    torch.set_num_threads(1)
    player = load_player(config.checkpoint, snake_case(config.game))
    point = config.operating_point or next(iter(player.operating_points), 'full')
    game = moments(player, player.thresholds(point), PROTOCOLS[config.protocol], config.seed)
    macs = player.network.config.macs
    with open_video(config.video) as video:
        exits: list[int] = []
        for count, moment in enumerate(game):
            exits = [*exits, moment.decision.level][-KEPT:]
            video.send(np.asarray(draw(moment, point, exits, macs[-1])))
            if config.steps and count + 1 >= config.steps:
                break
    print(
        f'{config.video}: {count + 1} decisions at {point}, score {moment.score:g}, '
        f'{moment.spent:.3f}x of the operations'
    )
    return 0


def moments(
    player: Checkpoint, thresholds: tuple[float, ...], protocol: Protocol, seed: int
) -> Iterator[Moment]:
    """Yield a game's decisions, on the screen that each was made on."""
    task = protocol.of(AtariTask.from_dict(player.task))
    env, colour = AtariVectorEnv(task, 1), ColourTwin(task)
    macs, rng = player.network.config.macs, np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    screen = colour.reset(int(env.seeds[0]))
    spent: list[float] = []
    over = False
    while not over:
        with torch.inference_mode():
            decision = decide(
                player.network.answers(torch.from_numpy(observation).float() / 255),
                thresholds,
                macs,
            )
        action = decision.action
        if rng.random() < protocol.epsilon:
            action = int(rng.integers(env.num_actions))
        spent.append(decision.macs_ratio)
        yield Moment(screen, decision, float(info['score'][0]), float(np.mean(spent)))
        observation, _, terminated, truncated, info = env.step(np.array([action]))
        screen = colour.step(action)
        over = bool(terminated[0] | truncated[0])


class ColourTwin:
    """The same game in colour; the environment shows it small and in grey."""

    def __init__(self, task: AtariTask) -> None:
        self.ale = make_ale(task, 1, img_height=210, img_width=160, grayscale=False)

    def reset(self, seed: int) -> np.ndarray:
        """Start the game of a seed; return the screen (210, 160, 3)."""
        screen: np.ndarray = self.ale.reset(seed=np.array([seed]))[0][0, 0]
        return screen

    def step(self, action: int) -> np.ndarray:
        """Play an action; return the screen."""
        screen: np.ndarray = self.ale.step(np.array([action]))[0][0, 0]
        return screen


def draw(moment: Moment, point: str, exits: list[int], full_macs: int) -> Image.Image:
    """Draw a moment: the screen, and below it the exit, its confidence and its cost."""
    height, width = moment.screen.shape[:2]
    picture = Image.new('RGB', (width * SCALE, height * SCALE + PANEL), 'black')
    picture.paste(
        Image.fromarray(moment.screen).resize(
            (width * SCALE, height * SCALE), Image.Resampling.NEAREST
        )
    )
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    decision, top = moment.decision, height * SCALE + 6
    pen.rectangle((8, top, 34, top + 26), fill=colour_of(decision.level, decision.num_levels))
    last = decision.level == decision.num_levels - 1
    name = 'full network' if last else f'exit {decision.level}, {decision.confidence:.0%} sure'
    pen.text((44, top), f'{name}   {decision.macs / 1e6:.3f} M operations', 'white', font)
    pen.text(
        (44, top + 20),
        f'{point}: {moment.spent:.3f}x of the full network, '
        f'{moment.spent * full_macs / NATURE_DQN_MACS:.4f}x of a Nature DQN',
        'white',
        font,
    )
    wide = (width * SCALE - 16) / KEPT
    for index, level in enumerate(exits):
        left = 8 + index * wide
        pen.rectangle(
            (left, top + 48, left + wide - 2, top + 62), fill=colour_of(level, decision.num_levels)
        )
    pen.text(
        (8, top + 66),
        f'score {moment.score:g}     exits of the last decisions above',
        'white',
        font,
    )
    return picture


def colour_of(level: int, num_levels: int) -> tuple[int, ...]:
    """Return an exit's colour, 0 to 255."""
    return tuple(round(255 * part) for part in exit_color(level, num_levels))


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[Any]:
    """Yield what takes frames (H, W, 3) uint8 by `send` and writes them to a file."""
    try:
        import imageio_ffmpeg
    except ModuleNotFoundError as error:
        raise ValueError(
            "imageio-ffmpeg is not installed; pip install '.[atari]' brings it"
        ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = imageio_ffmpeg.write_frames(
        str(path), (160 * SCALE, 210 * SCALE + PANEL), fps=15, macro_block_size=2
    )
    writer.send(None)
    try:
        yield writer
    finally:
        writer.close()
