"""The settings of a fleet's trainer: what it learns, how fast, and where it is kept."""

from dataclasses import dataclass

from rapid_nav.agent.config import ScheduleConfig
from rapid_nav.drone.seeds import check_training_seed
from rapid_nav.drone.task import TASKS
from rapid_nav.options import check, setting, with_default


@dataclass(frozen=True)
class OnlineConfig(ScheduleConfig):
    """How a trainer learns from drones that fly; the steps of its schedule are transitions."""

    out: str = setting('runs/fleet', 'Folder of checkpoints, state and log.')
    task: str = setting(
        'drone',
        'Task to fly and to learn: drone, or pedra or pedra-velocity, those of PEDRA.',
        choices=tuple(TASKS),
    )
    start: str = setting('', 'Checkpoint to start from; if empty, random weights.')
    network: str = setting(
        'light',
        'Network with random weights: light learns on two cores beside the drones, full is that '
        'of `train drone`.',
        choices=('light', 'full'),
    )
    steps: int = with_default(ScheduleConfig, 'steps', 100_000)
    steps_per_update: int = with_default(ScheduleConfig, 'steps_per_update', 6)
    replay_size: int = with_default(ScheduleConfig, 'replay_size', 100_000)
    learning_starts: int = with_default(ScheduleConfig, 'learning_starts', 2000)
    epsilon_end: float = with_default(ScheduleConfig, 'epsilon_end', 0.05)
    epsilon_share: float = with_default(ScheduleConfig, 'epsilon_share', 0.15)
    distil_share: float = with_default(ScheduleConfig, 'distil_share', 0.0)
    offer_seconds: float = setting(20.0, 'Time between offered checkpoints.', unit='s', low=0.1)
    save_seconds: float = setting(120.0, 'Time between saved states.', unit='s', low=0.1)
    keep: int = setting(5, 'Number of checkpoints that are kept to go back to.', low=1)

    def __post_init__(self) -> None:
        check(self)
        check_training_seed(self.seed)
