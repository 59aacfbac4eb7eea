"""A training run on the drone that takes seconds."""

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.cli.train_drone import TrainDroneConfig

SHORT = TrainDroneConfig(
    worlds='pillars',
    worlds_each=2,
    points=False,
    agent=AgentConfig(batch_size=16, target_period=5),
    train=TrainConfig(
        steps=640,
        num_envs=8,
        steps_per_update=32,
        replay_size=1000,
        learning_starts=64,
        distil_share=0.2,
    ),
)
