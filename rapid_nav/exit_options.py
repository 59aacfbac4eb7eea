"""How sure an exit has to be and what a decision may cost: flags, launch arguments, parameters."""

from dataclasses import dataclass

from rapid_nav.options import check, setting


@dataclass(frozen=True)
class ExitOptions:
    """Which network flies, and what controls its exits."""

    checkpoint: str = setting(
        '', 'File of the network that flies; if empty, the one that is shipped.'
    )
    threshold: float = setting(
        -1.0,
        'Confidence from which an exit answers; below 0, the operating point has it.',
        low=-1.0,
        high=2.0,
    )
    operating_point: str = setting(
        '',
        "Name of the checkpoint's thresholds that are used; if empty, its first; 'full' always "
        'runs the whole network.',
    )
    budget: float = setting(
        0.0,
        'Mean share of the operations that a decision may cost, held by adapting the thresholds; '
        '0 disables.',
        low=0.0,
        high=1.0,
    )
    budget_ms: float = setting(
        0.0,
        'Mean time in the network that a decision may take, held by adapting the thresholds; '
        '0 disables.',
        unit='ms',
        low=0.0,
        high=1000.0,
    )
    clearance: float = setting(
        0.6,
        'Free way ahead below which the full network decides, whatever the budget.',
        unit='m',
        low=0.0,
        high=100.0,
    )
    deadline_ms: float = setting(
        0.0,
        "Time after an image's arrival at which the best exit that is finished answers; 0 "
        'disables.',
        unit='ms',
        low=0.0,
        high=10000.0,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.budget > 0 and self.budget_ms > 0:
            raise ValueError('budget and budget_ms are both set; set one of them to 0')
