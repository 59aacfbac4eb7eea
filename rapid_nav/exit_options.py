"""How sure an exit has to be and what thinking may cost: flags, launch arguments, parameters."""

from dataclasses import dataclass

from rapid_nav.options import check, setting


@dataclass(frozen=True)
class ExitOptions:
    """Which network flies, and what steers its exits."""

    checkpoint: str = setting(
        '', 'The file of the network that flies; if empty, the shipped one does.'
    )
    threshold: float = setting(
        -1.0,
        'An exit answers from this confidence on; below 0, the operating point decides.',
        low=-1.0,
        high=2.0,
    )
    operating_point: str = setting(
        '',
        "Thresholds are this one's of the checkpoint; if empty, its first one's; 'full' always "
        'runs the whole network.',
    )
    budget: float = setting(
        0.0,
        'Thresholds are steered to spend this share of the operations in the mean; at 0 they '
        'stand.',
        low=0.0,
        high=1.0,
    )
    budget_ms: float = setting(
        0.0,
        'Thresholds are steered to spend this time in the network in the mean; at 0 they stand.',
        unit='ms',
        low=0.0,
        high=1000.0,
    )
    clearance: float = setting(
        0.6,
        'Where less way is free, a budget does not count and the full network decides.',
        unit='m',
        low=0.0,
        high=100.0,
    )
    deadline_ms: float = setting(
        0.0,
        "The best exit that is finished so long after the image's arrival answers; 0 sets no "
        'deadline.',
        unit='ms',
        low=0.0,
        high=10000.0,
    )

    def __post_init__(self) -> None:
        check(self)
        if self.budget > 0 and self.budget_ms > 0:
            raise ValueError('budget and budget_ms are both set; set one of them to 0')
