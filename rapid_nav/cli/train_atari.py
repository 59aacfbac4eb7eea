"""`rapid-nav train atari`: the agent that flies learns an Atari game instead."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapid_nav.agent.init_weights import initialise
from rapid_nav.agent.run_directory import RunDirectory, settings_of
from rapid_nav.drone.seeds import check_training_seed
from rapid_nav.offline.atari.env import AtariVectorEnv
from rapid_nav.offline.atari.presets import Preset, PRESETS
from rapid_nav.offline.evaluation import operating_points
from rapid_nav.offline.training.loop import EnvironmentLoop, make_loop, only_distilling
from rapid_nav.offline.training.run import add_operating_points, load_teacher, Run
from rapid_nav.options import check, setting

# What the preset holds as it is changed, and what a run does not learn by.
_NOT_LEARNED = (
    *('game', 'preset', 'change', 'steps', 'seed'),
    *('out', 'save_seconds', 'resume', 'points'),
)


@dataclass(frozen=True)
class TrainAtariConfig:
    """What `rapid-nav train atari` takes."""

    game: str = setting('pong', 'Game, as Pong or space_invaders.')
    preset: str = setting(
        'fast',
        'Settings: fast learns soonest on two cores, nature are those of 2015.',
        choices=tuple(PRESETS),
    )
    change: tuple[str, ...] = setting(
        (), "Settings other than the preset's, as train.num_envs=8 agent.n_step=3."
    )
    out: Path = setting(Path('runs/atari'), 'Folder of checkpoint, state and log.')
    steps: int | None = setting(None, "Environment steps in all; if not given, the preset's.")
    seed: int = setting(0, 'Seed of network, exploration and games.', low=0)
    network: str = setting(
        'rapid',
        'Network: rapid, with side branches, or plain, its full path alone.',
        choices=('rapid', 'plain'),
    )
    teacher: Path | None = setting(
        None,
        'Trained plain network that becomes the full path as it is; from the first step on, only '
        'the branches learn.',
    )
    save_seconds: float = setting(300.0, 'Time between saved states.', unit='s', low=0.0)
    resume: bool = setting(True, 'Go on from the state in the folder, if there is one.')
    points: bool = setting(True, 'Choose operating points by validation games at the end.')

    def __post_init__(self) -> None:
        check(self)
        check_training_seed(self.seed)


def preset_of(config: TrainAtariConfig) -> Preset:
    """Return the settings that a command line asks for."""
    preset = PRESETS[config.preset].changed(config.change)
    train = dataclasses.replace(
        preset.train, seed=config.seed, steps=config.steps or preset.train.steps
    )
    return dataclasses.replace(
        preset,
        task=dataclasses.replace(preset.task, game=config.game),
        train=train if config.teacher is None else only_distilling(train),
    )


def main(config: TrainAtariConfig) -> int:
    """Train, from the start or on from the last saved state; return 0, or 130 after a Ctrl-C."""
    preset = preset_of(config)
    env = AtariVectorEnv(preset.task, preset.train.num_envs)
    network = preset.network(env.num_actions, config.network == 'rapid')
    task = preset.task.to_dict()
    teacher = None if config.teacher is None else load_teacher(config.teacher, network, task)
    card: dict[str, Any] = {
        'task': 'atari',
        'preset': config.preset,
        'change': list(config.change),
    }
    if teacher is not None:
        card['teacher'] = teacher.card

    def make() -> EnvironmentLoop:
        loop = make_loop(env, network, preset.agent, preset.train, preset.task.history)
        learner = loop.trainer.learner
        initialise(learner.network, float(loop.observation.mean()) / 255)
        learner.update_target()
        if teacher is not None:
            learner.load_full_path(teacher.network)
        return loop

    chosen = dataclasses.asdict(preset)
    settings = {**chosen, **settings_of(config, ignore=_NOT_LEARNED), 'network': config.network}
    with RunDirectory(config.out, settings) as folder:
        run = Run(folder, preset.train.steps, task, card, config.save_seconds, config.resume)
        if not run.train(make):
            return 130
        if len(network.stages) > 1 and config.points:
            add_operating_points(folder.policy, operating_points.choose_for_atari)
    return 0
