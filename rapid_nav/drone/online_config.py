"""What a fleet learns, how fast, and where it is kept: the settings of its trainer."""

from dataclasses import dataclass

from rapid_nav.drone.task import TASKS
from rapid_nav.options import check, setting


@dataclass(frozen=True)
class LessonConfig:
    """How a trainer learns from those who fly."""

    out: str = setting('runs/fleet', 'Checkpoints, state and log are kept in this folder.')
    task: str = setting(
        'drone',
        'This task is flown and learned; pedra and pedra-velocity are those of PEDRA.',
        choices=tuple(TASKS),
    )
    start: str = setting(
        '', 'Learning begins from this checkpoint; if empty, from random weights.'
    )
    network: str = setting(
        'light',
        'Random weights are of this network: light learns on two cores beside the '
        'drones, full is what `train drone` trains.',
        choices=('light', 'full'),
    )
    steps: int = setting(
        100_000, 'The schedule is over after so many transitions; learning goes on behind.', low=1
    )
    steps_per_update: int = setting(
        6, 'An update comes with every so many transitions, at most.', low=1
    )
    learning_starts: int = setting(
        2000, 'So many transitions come before the first update.', low=0
    )
    replay_size: int = setting(100_000, 'So many frames are remembered.', low=100)
    epsilon_start: float = setting(
        1.0, 'This share of the actions is random at the start.', low=0.0, high=1.0
    )
    epsilon_end: float = setting(
        0.05, 'This share of the actions is random at the end.', low=0.0, high=1.0
    )
    epsilon_share: float = setting(
        0.15, 'Exploration wanes in this share of the steps.', low=0.0, high=1.0
    )
    distil_share: float = setting(
        0.0,
        'The branches alone learn in this share of the steps, the last one.',
        low=0.0,
        high=1.0,
    )
    seed: int = setting(0, 'The network and its memory begin from this seed.', low=0)
    offer_seconds: float = setting(
        20.0, 'Another checkpoint is offered so often.', unit='s', low=0.1
    )
    save_seconds: float = setting(120.0, 'The state is saved so often.', unit='s', low=0.1)
    keep: int = setting(5, 'So many checkpoints are kept to go back to.', low=1)

    def __post_init__(self) -> None:
        check(self)
