"""What a training of each of the drone's tasks starts from, as data."""

from collections.abc import Mapping
from dataclasses import dataclass

from rapid_nav.agent.config import (
    AgentConfig,
    c3f2_stages,
    rapid_stages,
    small_stages,
    TrainConfig,
)
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import FlightTask, name_of
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage

NETWORKS = ('rapid', 'plain', 'small')


@dataclass(frozen=True)
class Preset:
    """The networks of a task, and how they learn it unless told otherwise."""

    stages: Mapping[str, tuple[Stage, ...]]
    agent: AgentConfig
    train: TrainConfig
    duelling: bool = True
    centred: bool = False  # the first weights are centred on what is typically seen


DRONE = Preset(
    stages={'rapid': rapid_stages(), 'plain': rapid_stages()[-1:], 'small': small_stages()},
    agent=AgentConfig(),
    train=TrainConfig(),
)

PEDRA = Preset(
    stages={
        'rapid': c3f2_stages(),
        'plain': c3f2_stages()[-1:],
        'small': (
            Stage((Conv(16, 8, 4, pool=2, pool_stride=2), Conv(32, 3, 2, 1)), 128, 'input'),
        ),
    },
    agent=AgentConfig(discount=0.95, n_step=3, batch_size=32),
    train=TrainConfig(
        steps=200_000,
        num_envs=16,
        steps_per_update=4,
        replay_size=50_000,
        learning_starts=2_000,
        epsilon_share=0.2,
    ),
    duelling=False,
    centred=True,
)
"""PEDRA's network; how it learns is ours. A frame takes 32 kB of the replay."""

PRESETS = {'drone': DRONE, 'pedra': PEDRA, 'pedra-velocity': PEDRA}


def network_for(task: FlightTask, network: str = 'rapid') -> NetworkConfig:
    """Return one of a task's networks."""
    preset = PRESETS[name_of(task)]
    return NetworkConfig(
        task.observation.shape,
        ActionGrid(task.actions).num_actions,
        preset.stages[network],
        duelling=preset.duelling,
    )
