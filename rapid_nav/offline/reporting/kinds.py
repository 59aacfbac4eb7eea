"""
Every report that a command writes: one dataclass a kind, as its fields stand in the JSON file.

Times are in milliseconds where a name says `_ms`; `macs_ratio` is the share of the full network's
multiply-accumulates, an exit share that of the decisions. A `ci95` is a 95 % interval (low, high).
"""

import dataclasses
from dataclasses import dataclass
import json
from pathlib import Path
from typing import Any, ClassVar

from rapid_nav.atomic_write import write_atomically
from rapid_nav.drone.flight_stats import FlightSummary, Percentiles

Interval = tuple[float, float]
Shares = tuple[float, ...]  # (L,)
Settings = dict[str, str | int | float | bool | list[str] | None]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one command measured; `kind` and `version` tell a reader what the file holds."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {'kind': self.kind, 'version': self.version, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """Return it as the text of its file."""
        return json.dumps(self.to_dict(), indent=1)

    def write(self, path: Path | None) -> None:
        """Write the file, its folder too; without a path do nothing."""
        if path is None:
            return
        if path.exists() and not path.is_file():
            path.write_text(self.to_json() + '\n')  # a pipe or terminal cannot be replaced
        else:
            write_atomically(path, self.to_json() + '\n')


@dataclass(frozen=True, kw_only=True)
class PolicyRow:
    """One policy of an evaluation: an operating point, a control or the baseline."""

    name: str
    macs_ratio: float
    exit_shares: Shares
    macs_vs_nature: float | None = None  # operations, as a share of the Nature DQN's
    regret: float | None = None  # Q-value that a decision loses by the last exit's values
    regret_macs_ratio: float | None = None  # at which the regret was measured

    def __post_init__(self) -> None:
        _require(self.exit_shares, 'a policy has a share of decisions at each exit')


@dataclass(frozen=True, kw_only=True)
class Lead:
    """How much farther the point `of` flies than a control, flight by flight."""

    of: str
    m: float
    ci95: Interval


@dataclass(frozen=True, kw_only=True)
class DroneRow(PolicyRow):
    """One policy of the drone; `msf` is the mean safe flight."""

    msf_m: float
    msf_ci95: Interval
    coverage: float  # new 1 m cells entered per metre flown
    cap_share: float  # of the flights, that reached the cap
    by_world: dict[str, float]  # mean safe flight [m]
    exit_shares_by_world: dict[str, Shares]
    distances_m: tuple[float, ...]  # of each flight
    msf_vs_full_path: float | None = None
    msf_vs_baseline: float | None = None
    msf_vs_baseline_ci95: Interval | None = None
    coverage_vs_baseline: float | None = None
    behind: Lead | None = None

    @property
    def value(self) -> float:
        """How good the policy is [m]."""
        return self.msf_m

    @property
    def value_ci95(self) -> Interval:
        """The interval of `value`."""
        return self.msf_ci95

    @property
    def vs_baseline(self) -> float | None:
        """The share of the baseline's `value`."""
        return self.msf_vs_baseline


@dataclass(frozen=True, kw_only=True)
class AtariRow(PolicyRow):
    """One policy of a game; normalised scores have random play as 0."""

    score: float
    score_ci95: Interval
    decisions: int
    human_normalised: float | None = None
    dqn_normalised: float | None = None
    score_vs_baseline: float | None = None

    @property
    def value(self) -> float:
        """How good the policy is [points]."""
        return self.score

    @property
    def value_ci95(self) -> Interval:
        """The interval of `value`."""
        return self.score_ci95

    @property
    def vs_baseline(self) -> float | None:
        """The share of the baseline's `value`, with random play as 0."""
        return self.score_vs_baseline


@dataclass(frozen=True, kw_only=True)
class DroneEvaluation(Report):
    """What `evaluate drone` writes."""

    kind = 'drone evaluation'
    flights: int
    cap_m: float
    worlds: tuple[str, ...]
    seed_base: int
    policy: str = 'checkpoint'
    checkpoint: str | None = None
    points: tuple[DroneRow, ...]
    controls: tuple[DroneRow, ...] = ()
    baseline: DroneRow | None = None

    def __post_init__(self) -> None:
        _require(self.points, 'an evaluation has points')


@dataclass(frozen=True, kw_only=True)
class Score:
    """A mean score."""

    score: float
    score_ci95: Interval


@dataclass(frozen=True, kw_only=True)
class Trained:
    """How a checkpoint was trained, as far as it says."""

    preset: str | None = None
    steps: int | None = None
    updates: int | None = None
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class AtariEvaluation(Report):
    """What `evaluate atari` writes."""

    kind = 'atari evaluation'
    game: str
    protocol: str
    protocol_about: str
    episodes: int
    seed: int
    policy: str = 'checkpoint'
    checkpoint: str | None = None
    task: Settings | None = None
    trained: Trained | None = None
    random: Score
    points: tuple[AtariRow, ...]
    controls: tuple[AtariRow, ...] = ()
    baseline: AtariRow | None = None

    def __post_init__(self) -> None:
        _require(self.points, 'an evaluation has points')


Evaluation = DroneEvaluation | AtariEvaluation
EvaluationRow = DroneRow | AtariRow


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """The boldest thresholds that keep the promise, and why; see agent.risk_control."""

    thresholds: tuple[float, ...]
    loss: float
    p_value: float
    units: int
    tried: int


@dataclass(frozen=True, kw_only=True)
class CalibrationCheck:
    """The loss in flights that the calibration has not seen."""

    flights: int
    seed_base: int
    loss: float
    kept: bool
    macs_ratio: float
    msf_m: float


@dataclass(frozen=True, kw_only=True)
class Calibration(Report):
    """What `calibrate drone` writes."""

    kind = 'calibration'
    method: str
    loss: str
    unit: str
    risk: float
    confidence: float
    cap_m: float
    seed_base: int
    calibrated: Calibrated
    fresh: CalibrationCheck | None = None


@dataclass(frozen=True, kw_only=True)
class GameMean:
    """The mean over the seeds of one game."""

    mean: float
    ci95: Interval


@dataclass(frozen=True, kw_only=True)
class Summary:
    """An interquartile mean over games and seeds, and the mean of each game."""

    interquartile_mean: float
    ci95: Interval
    by_game: dict[str, GameMean]


@dataclass(frozen=True, kw_only=True)
class ExitTrainingComparison(Report):
    """What `compare minatar` writes: by mode, shares of the plain network's figures."""

    kind = 'comparison of exit training'
    config: Settings
    budget: float
    plain: dict[str, float]  # mean score by game
    modes: dict[str, dict[str, Summary]]  # shares of score, and of operations

    def __post_init__(self) -> None:
        compared = {'learned', 'random', 'macs_ratio'}
        _require(self.modes, 'a comparison has modes')
        _require(
            all(compared <= kept.keys() for kept in self.modes.values()),
            f'each mode has {", ".join(sorted(compared))}',
        )


@dataclass(frozen=True, kw_only=True)
class SettingsComparison(Report):
    """What `compare settings` writes: by change, the share of the unchanged learner's score."""

    kind = 'comparison of settings'
    config: Settings
    scores: dict[str, dict[str, tuple[float, ...]]]  # by change, game and seed
    changes: dict[str, Summary]

    def __post_init__(self) -> None:
        _require(self.scores.get('plain'), 'a comparison has scores of the plain learner')


@dataclass(frozen=True, kw_only=True)
class ExitTime:
    """How long a decision takes that leaves at one exit."""

    level: int
    macs_ratio: float
    ms_p50: float
    ms_p99: float
    time_ratio: float  # to the last exit


@dataclass(frozen=True, kw_only=True)
class FlightTime:
    """How long decisions take on the observations of a flight."""

    operating_point: str
    decisions: int
    macs_ratio: float
    mean_ms: float
    mean_time_ratio: float  # to the full network
    interrupted_time_ratio: float  # the same over all calls, with what interrupted them


@dataclass(frozen=True, kw_only=True)
class ThreadTimes:
    """What one number of threads takes."""

    runtime: str
    exits: tuple[ExitTime, ...]
    idle_ms_p50: float  # arithmetic as long as the first exit: the machine's own jitter
    idle_ms_p99: float
    eager_full_ms: float
    plain_ms: float
    fall_through_ratio: float  # time of the full path to that of the network without branches
    fall_through_macs_ratio: float
    flight: FlightTime | None = None
    callback_overhead_ms_p50: float | None = None

    def __post_init__(self) -> None:
        _require(self.exits, 'a network has exits')


@dataclass(frozen=True, kw_only=True)
class LatencyBenchmark(Report):
    """What `bench latency` writes."""

    kind = 'latency benchmark'
    checkpoint: str | None
    calls: int
    threads: dict[str, ThreadTimes]
    image_to_command_ms: Percentiles | None = None
    rpc_depth_ms: float | None = None
    rpc_depth_stock_ms: float | None = None
    full_path_ms: Percentiles | None = None
    full_path_beside_trainer_ms: Percentiles | None = None
    beside_trainer_p99_ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class RuntimeRow:
    """One inference runtime, and how well it agrees with PyTorch."""

    runtime: str
    first_exit_ms: float
    full_ms: float
    worst_q: float
    agreement: float


@dataclass(frozen=True, kw_only=True)
class FlownRow:
    """How far one arithmetic flies."""

    msf_m: float
    msf_ci95: Interval
    macs_ratio: float


@dataclass(frozen=True, kw_only=True)
class IntegerFlights:
    """The same flights by floats and by 8-bit integers."""

    operating_point: str
    flights: int
    float32: FlownRow
    int8: FlownRow


@dataclass(frozen=True, kw_only=True)
class RuntimeBenchmark(Report):
    """What `bench runtimes` writes."""

    kind = 'runtime benchmark'
    checkpoint: str
    calls: int
    runtimes: tuple[RuntimeRow, ...]
    int8_flights: IntegerFlights | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetRow:
    """How well one budget was kept; `deep` decisions had to run the full network."""

    budget: float
    mean: float
    deep: float
    worst_off_after_200: float | None


@dataclass(frozen=True, kw_only=True)
class DeadlineRow:
    """How many decisions came in time."""

    decisions: int
    inside: float
    ms: Percentiles
    exit_shares: Shares


@dataclass(frozen=True, kw_only=True)
class DeadlineTimes:
    """Decisions under a deadline, alone and with every core busy."""

    deadline_ms: float
    rate_hz: float
    busy_processes: int
    idle: DeadlineRow
    loaded: DeadlineRow


@dataclass(frozen=True, kw_only=True)
class ExitControlBenchmark(Report):
    """What `bench steering` writes."""

    kind = 'exit control benchmark'
    checkpoint: str
    scenes: tuple[str, ...]
    budgets: tuple[BudgetRow, ...]
    deadline: DeadlineTimes


@dataclass(frozen=True, kw_only=True)
class SimulatorBenchmark(Report):
    """What `bench simulator` writes."""

    kind = 'simulator benchmark'
    depth_84_ms: float
    embree_84_ms: float
    speedup: float
    agreement: float
    env_step_ms: float


@dataclass(frozen=True, kw_only=True)
class TrainingBenchmark(Report):
    """What `bench training` writes: environment steps per second, ours and Stable-Baselines3's."""

    kind = 'training benchmark'
    task: str
    ours_steps_s: float
    sb3_steps_s: float
    ours_collect_steps_s: float
    sb3_collect_steps_s: float
    ratio: float
    collect_ratio: float
    turns: dict[str, tuple[float, ...]]
    batch_size: int
    steps_per_update: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Flight(FlightSummary, Report):
    """What `fly` writes; `status` is finished, stopped or failed, and `reason` says why."""

    kind = 'flight'
    world: str
    seed: int
    lockstep: bool
    checkpoint: str
    status: str = 'finished'
    reason: str = ''


@dataclass(frozen=True, kw_only=True)
class FleetTraining(Report):
    """What `train fleet` writes: the last row of the trainer's log."""

    kind = 'fleet training'
    figures: dict[str, float | None]


def _require(holds: object, what: str) -> None:
    """Raise ValueError unless a report is whole."""
    if not holds:
        raise ValueError(what)


KINDS: dict[str, type[Report]] = {
    report.kind: report
    for report in (
        DroneEvaluation,
        AtariEvaluation,
        Calibration,
        ExitTrainingComparison,
        SettingsComparison,
        LatencyBenchmark,
        RuntimeBenchmark,
        ExitControlBenchmark,
        SimulatorBenchmark,
        TrainingBenchmark,
        Flight,
        FleetTraining,
    )
}
