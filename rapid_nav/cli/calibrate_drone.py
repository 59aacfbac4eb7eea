"""`rapid-nav calibrate drone`: thresholds whose loss in flight is bounded, with a guarantee."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import logging
from pathlib import Path

import numpy as np
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.losses import regret
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.risk_control import cautious_first, fixed_sequence
from rapid_nav.drone.seeds import CALIBRATION, CALIBRATION_CHECK, VALIDATION
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.exit_rule import Answer, levels_of, NEVER
from rapid_nav.offline.evaluation.baselines import (
    answers_of,
    early_exit_policy,
    learned_confidence,
    taken,
)
from rapid_nav.offline.evaluation.rollout import Decisions, Episodes
from rapid_nav.offline.evaluation.suite import DroneSuite
from rapid_nav.offline.reporting.kinds import Calibrated, Calibration, CalibrationCheck
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrateDroneConfig:
    """What `rapid-nav calibrate drone` takes."""

    checkpoint: Path = setting(
        shipped_checkpoint(), 'Policy that is calibrated; the operating point is stored in it.'
    )
    risk: float = setting(0.05, 'Upper bound of the expected loss.', low=0.0, high=1.0)
    confidence: float = setting(0.95, 'Probability with which the bound holds.', low=0.0, high=1.0)
    loss: str = setting(
        'regret',
        "Loss of a decision: regret, as a share of the full network's range of Q-values, or "
        "disagreement with the full network's action.",
        choices=('regret', 'disagreement'),
    )
    flights: int = setting(
        200, 'Number of flights, each in a world of its own: the units of the guarantee.', low=1
    )
    cap_m: float = setting(100.0, 'Distance after which a flight ends.', unit='m', low=1.0)
    name: str = setting('calibrated', 'Name of the operating point.')
    check_flights: int = setting(
        0, 'Number of fresh flights that measure the loss again; 0 for none.', low=0
    )
    report: Path | None = setting(None, 'JSON file for the figures.')

    def __post_init__(self) -> None:
        check(self)


def main(config: CalibrateDroneConfig) -> Calibration:
    """
    Fly at one threshold after another, the most cautious first; store the last that is accepted.

    Every threshold is flown with, so that its loss is that of the situations it leads to.
    """
    torch.set_num_threads(1)
    policy = checkpoint.load(config.checkpoint)
    task, network = FlightTask.from_dict(policy.task), policy.network
    suite = DroneSuite.of(task, config.flights, CALIBRATION.start, config.cap_m)

    def losses_at(thresholds: tuple[float, ...]) -> np.ndarray:
        losses, _ = fly_and_compare(suite, network, thresholds, config.loss)
        log.info('thresholds %s: loss %.4f', thresholds, losses.mean())
        return losses

    found = fixed_sequence(
        cautious_first(validation_confidences(task, network, config.cap_m)),
        losses_at,
        config.risk,
        config.confidence,
    )
    report = Calibration(
        method='Learn then Test: fixed sequence, Hoeffding-Bentkus and betting',
        loss=config.loss,
        unit='flight',
        risk=config.risk,
        confidence=config.confidence,
        cap_m=config.cap_m,
        seed_base=CALIBRATION.start,
        calibrated=Calibrated(**found._asdict()),
        fresh=measure_fresh(config, task, network, found.thresholds)
        if config.check_flights
        else None,
    )
    calibrations = {**policy.card.get('calibrations', {}), config.name: report.to_dict()}
    checkpoint.save(
        config.checkpoint,
        replace(
            policy,
            operating_points={**policy.operating_points, config.name: found.thresholds},
            card={**policy.card, 'calibrations': calibrations},
        ),
    )
    report.write(config.report)
    return report


@torch.inference_mode()
def validation_confidences(
    task: FlightTask, network: EarlyExitNetwork, cap_m: float
) -> np.ndarray:
    """Return the branches' confidences (T, L - 1) in validation worlds, flown by the full path."""
    full = early_exit_policy(network, (NEVER,) * (network.num_levels - 1))
    seen = DroneSuite.of(task, 16, VALIDATION.start, cap_m).observations(full)
    confidences = [learned_confidence(answer) for answer in answers_of(network, seen)[:-1]]
    return torch.stack(confidences, dim=1).numpy()


def measure_fresh(
    config: CalibrateDroneConfig,
    task: FlightTask,
    network: EarlyExitNetwork,
    thresholds: tuple[float, ...],
) -> CalibrationCheck:
    """Return the loss and the operations of flights that the calibration has not seen."""
    suite = DroneSuite.of(task, config.check_flights, CALIBRATION_CHECK.start, config.cap_m)
    losses, flown = fly_and_compare(suite, network, thresholds, config.loss)
    row = suite.row(config.name, flown, network.config.macs)
    return CalibrationCheck(
        flights=config.check_flights,
        seed_base=CALIBRATION_CHECK.start,
        loss=float(losses.mean()),
        kept=bool(losses.mean() <= config.risk),
        macs_ratio=row.macs_ratio,
        msf_m=row.msf_m,
    )


def fly_and_compare(
    suite: DroneSuite, network: EarlyExitNetwork, thresholds: Sequence[float], loss: str
) -> tuple[np.ndarray, Episodes]:
    """Fly and ask the full network about every decision; return each flight's mean loss (F,)."""
    total, count = np.zeros(len(suite.worlds)), np.zeros(len(suite.worlds))
    lost = np.zeros(0)
    limits, lose = torch.tensor(thresholds), LOSSES[loss]

    @torch.inference_mode()
    def decide(observation: np.ndarray, _rng: np.random.Generator) -> Decisions:
        nonlocal lost
        answers = answers_of(network, observation)
        level = levels_of(torch.stack([learned_confidence(answer) for answer in answers]), limits)
        decisions = taken(answers, level)
        lost = lose(answers[-1], torch.from_numpy(decisions[0])).numpy()
        return decisions

    def watch(flight: np.ndarray, flying: np.ndarray) -> None:
        total[flight[flying]] += lost[flying]
        count[flight[flying]] += 1

    flown = suite.play(decide, network.num_levels, watch)
    return total / count, flown


def relative_regret(full: Answer, action: torch.Tensor) -> torch.Tensor:
    """Return the regret (B,) of actions (B,) as a share of the range of Q-values."""
    q_values: torch.Tensor = full.q_values
    span = q_values.amax(dim=1) - q_values.amin(dim=1)
    return regret(q_values, action) / span.clamp(min=1e-9)


def disagreement(full: Answer, action: torch.Tensor) -> torch.Tensor:
    """Return whether actions (B,) are others than the full network's."""
    q_values: torch.Tensor = full.q_values
    return (q_values.argmax(dim=1) != action).float()


LOSSES: dict[str, Callable[[Answer, torch.Tensor], torch.Tensor]] = {
    'regret': relative_regret,
    'disagreement': disagreement,
}
