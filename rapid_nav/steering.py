"""How sure an exit has to be and what thinking may cost: flags, launch arguments, parameters."""

from dataclasses import dataclass

from rapid_nav.settings import check, setting


@dataclass(frozen=True)
class Steering:
    """Which network flies, and what steers its exits."""

    checkpoint: str = setting('', 'file of the network; empty: the one that is shipped')
    threshold: float = setting(
        -1.0, 'confidence at which an exit may answer; below 0: as the operating point says',
        low=-1.0, high=2.0)
    operating_point: str = setting(
        '', "one of the checkpoint's; empty: its first; 'full': the whole network, always")
    budget: float = setting(
        0.0, 'mean share of the operations that thresholds are steered to hold; 0: they stand',
        low=0.0, high=1.0)
    budget_ms: float = setting(
        0.0, 'the same as mean time in the network; 0: none', unit='ms', low=0.0, high=1000.0)
    clearance: float = setting(
        1.0, 'free way below which a budget does not count and the full network decides',
        unit='m', low=0.0, high=100.0)
    deadline_ms: float = setting(
        0.0, "from an image's arrival to its answer, the best exit that is finished in time; "
        '0: none', unit='ms', low=0.0, high=10000.0)

    def __post_init__(self) -> None:
        check(self)
        if self.budget > 0 and self.budget_ms > 0:
            raise ValueError('budget and budget_ms are both set; set one of them to 0')
