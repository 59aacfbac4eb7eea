"""What a fleet learns, how fast, and where it is kept: the settings of its trainer."""

from dataclasses import dataclass

from rapid_nav.settings import check, setting


@dataclass(frozen=True)
class LessonConfig:
    """How a trainer learns from those who fly."""

    out: str = setting('runs/fleet', 'folder of checkpoints, state and log')
    start: str = setting('', 'checkpoint to begin from; empty: random weights')
    network: str = setting(
        'light', 'of random weights: light learns on two cores beside the drones; full is what '
        '`train drone` trains', choices=('light', 'full'))
    steps: int = setting(100_000, 'transitions of the schedule; learning goes on behind', low=1)
    steps_per_update: int = setting(
        6, 'transitions for each update, at least: drones are never waited for', low=1)
    learning_starts: int = setting(2000, 'transitions before the first update', low=0)
    replay_size: int = setting(100_000, 'frames kept', low=100)
    epsilon_start: float = setting(1.0, 'exploration at the start', low=0.0, high=1.0)
    epsilon_end: float = setting(0.05, 'exploration at the end', low=0.0, high=1.0)
    epsilon_share: float = setting(0.15, 'share of the steps to get there', low=0.0, high=1.0)
    distil_share: float = setting(
        0.0, 'share of the steps, at the end, in which only branches learn', low=0.0, high=1.0)
    seed: int = setting(0, 'of network and replay', low=0)
    offer_seconds: float = setting(20.0, 'between two checkpoints', unit='s', low=0.1)
    save_seconds: float = setting(120.0, 'between two saves of the state', unit='s', low=0.1)
    keep: int = setting(5, 'checkpoints that are kept to go back to', low=1)

    def __post_init__(self) -> None:
        check(self)
