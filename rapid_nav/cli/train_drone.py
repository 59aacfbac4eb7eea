"""`rapid-nav train drone`: an early-exit policy learns to fly in the embedded simulator."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.init_weights import initialise
from rapid_nav.agent.run_directory import RunDirectory, settings_of
from rapid_nav.agent.trainer import Trainer
from rapid_nav.drone.networks import network_for, NETWORKS
from rapid_nav.drone.seeds import check_training_seed, TRAINING
from rapid_nav.drone.task import FlightTask, name_of, TASKS
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.drone.presets import PRESETS
from rapid_nav.offline.evaluation import operating_points
from rapid_nav.offline.evaluation.suite import GENERATED
from rapid_nav.offline.training.loop import (
    EnvironmentLoop,
    make_loop,
    only_distilling,
    TrainingLoop,
)
from rapid_nav.offline.training.run import add_operating_points, load_teacher, Run
from rapid_nav.options import check, setting
from rapid_nav.sim.worlds.world import make_world, World
from rapid_nav.world_names import split_names


@dataclass(frozen=True)
class TrainDroneConfig:
    """What `rapid-nav train drone` takes."""

    task: str = setting(
        'drone',
        'Task: drone, or pedra or pedra-velocity, those of PEDRA with steps by pose or with '
        'velocities; it sets the defaults of flight., agent. and train.',
        choices=tuple(TASKS),
    )
    out: Path = setting(Path('runs/drone'), 'Folder of checkpoint, state and log.')
    worlds: str = setting(
        ','.join(GENERATED), 'Generators of the training worlds, separated by commas.'
    )
    worlds_each: int = setting(64, 'Training worlds of each generator.', low=1, high=len(TRAINING))
    tight_share: float = setting(
        0.0,
        'Share of the training worlds that are shrunk to 0.4 to 0.8 of their size, so that '
        'branches agree with their teacher in narrow places too.',
        low=0.0,
        high=1.0,
    )
    network: str = setting(
        'rapid',
        'Network: rapid, with side branches; plain, its full path alone; small, a static network '
        'of a seventh of the operations; or light, that of fleets.',
        choices=NETWORKS,
    )
    teacher: Path | None = setting(
        None,
        'Trained plain network that becomes the full path as it is; from the first step on, only '
        'the branches learn.',
    )
    bag: tuple[Path, ...] = setting(
        (),
        'Recorded flights (.mcap) to learn from, in place of flying, by train.steps / '
        'train.steps_per_update updates.',
    )
    save_seconds: float = setting(300.0, 'Time between saved states.', unit='s', low=0.0)
    resume: bool = setting(True, 'Go on from the state in the folder, if there is one.')
    points: bool = setting(True, 'Choose operating points in validation worlds at the end.')
    flight: FlightTask = field(default_factory=FlightTask)
    agent: AgentConfig = field(default_factory=AgentConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def __post_init__(self) -> None:
        check(self)
        check_training_seed(self.train.seed)
        if (kind := name_of(self.flight)) != self.task:
            raise ValueError(
                f'task is {self.task}, but what flight. sees and how it moves is {kind}; '
                f'choose --task {kind}'
            )

    @classmethod
    def of(cls, task: str) -> 'TrainDroneConfig':
        """Return the settings that a run of a task has unless told otherwise."""
        preset = PRESETS[task]
        return cls(task=task, flight=TASKS[task], agent=preset.agent, train=preset.train)


def training_worlds(names: str, each: int, tight_share: float = 0.0) -> list[World]:
    """Make the worlds that training flies in: seeds 0, 1, ... of each generator, some shrunk."""
    rng = np.random.default_rng(0)
    worlds = []
    for seed in range(each):
        for name in split_names(names):
            world, tight, size = make_world(name, seed), rng.random(), rng.uniform(0.4, 0.8)
            worlds.append(world.shrunk(size) if tight < tight_share else world)
    return worlds


def main(config: TrainDroneConfig) -> int:
    """Train, from the start or on from the last saved state; return 0, or 130 after a Ctrl-C."""
    network, name = network_for(config.flight, config.network), name_of(config.flight)
    teacher = (
        None
        if config.teacher is None
        else load_teacher(config.teacher, network, config.flight, FlightTask.from_dict)
    )
    config = config if teacher is None else replace(config, train=only_distilling(config.train))
    card: dict[str, Any] = {'task': name}
    if teacher is not None:
        card['teacher'] = teacher.card

    def from_flights() -> EnvironmentLoop:
        card.update(
            worlds=config.worlds, worlds_each=config.worlds_each, tight_share=config.tight_share
        )
        worlds = training_worlds(config.worlds, config.worlds_each, config.tight_share)
        env = DroneVectorEnv(config.flight, worlds, config.train.num_envs)
        loop = make_loop(
            env, network, config.agent, config.train, config.flight.observation.history
        )
        if PRESETS[name].centred:
            initialise(loop.trainer.learner.network, float(loop.observation.mean()) / 255)
            loop.trainer.learner.update_target()
        return loop

    def from_bags() -> TrainingLoop:
        from rapid_nav.offline.training import from_bag  # which alone needs what reads bags

        trainer = Trainer(network, config.agent, config.train, config.flight.observation.history)
        card.update(
            bags=[path.name for path in config.bag],
            found=from_bag.fill(trainer, config.bag, config.flight),
        )
        return from_bag.ReplayLoop(trainer)

    def make() -> TrainingLoop:
        loop = from_bags() if config.bag else from_flights()
        if teacher is not None:
            loop.trainer.learner.load_full_path(teacher.network)
        return loop

    settings = settings_of(config, ignore=('out', 'save_seconds', 'resume', 'points'))
    with RunDirectory(config.out, settings) as folder:
        run = Run(
            folder,
            config.train.steps,
            config.flight.to_dict(),
            card,
            config.save_seconds,
            config.resume,
        )
        if not run.train(make):
            return 130
        if len(network.stages) > 1 and config.points and not config.bag:
            add_operating_points(folder.policy, operating_points.choose_for_drone)
    return 0
