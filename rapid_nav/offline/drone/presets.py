"""The settings that training runs of the drone's tasks start from, as data."""

from dataclasses import dataclass

from rapid_nav.agent.config import AgentConfig, TrainConfig


@dataclass(frozen=True)
class Preset:
    """How a task's networks learn it unless told otherwise."""

    agent: AgentConfig
    train: TrainConfig
    centred: bool = False  # the first weights are centred on the mean of the observations


DRONE = Preset(agent=AgentConfig(), train=TrainConfig())

PEDRA = Preset(
    agent=AgentConfig(discount=0.95, n_step=3, batch_size=32),
    train=TrainConfig(
        steps=200_000,
        num_envs=16,
        steps_per_update=4,
        replay_size=50_000,
        learning_starts=2_000,
        epsilon_share=0.2,
    ),
    centred=True,
)
"""PEDRA's task; the learning is ours. A frame takes 32 kB of the replay."""

PRESETS = {'drone': DRONE, 'pedra': PEDRA, 'pedra-velocity': PEDRA}
