"""`rapid-nav calibrate drone`: thresholds whose loss in flight is bounded, with a promise."""

from collections.abc import Callable, Sequence
import dataclasses
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.losses import regret
from rapid_nav.agent.network import Answer, EarlyExitNetwork
from rapid_nav.agent.risk_control import cautious_first, fixed_sequence
from rapid_nav.drone.seeds import CALIBRATION, CALIBRATION_CHECK, VALIDATION
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.exit_rule import levels_of, NEVER
from rapid_nav.offline.evaluation.baselines import answers_of, learned_confidence, scored_policy
from rapid_nav.offline.evaluation.rollout import Flights, fly
from rapid_nav.offline.evaluation.suite import Course, GENERATED, observations_on
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CalibrateDroneConfig:
    """What `rapid-nav calibrate drone` takes."""

    checkpoint: Path = setting(
        shipped_checkpoint(), 'This policy is calibrated, and the operating point stored in it.'
    )
    risk: float = setting(0.05, "A decision's expected loss is at most this.", low=0.0, high=1.0)
    confidence: float = setting(0.95, 'That is promised with this probability.', low=0.0, high=1.0)
    loss: str = setting(
        'regret',
        "The loss is regret, the share of the full network's range of Q-values that an action "
        "gives away, or disagreement, whether it is another than the full network's.",
        choices=('regret', 'disagreement'),
    )
    flights: int = setting(
        200, 'So many flights, each in a world of its own, are the units of the promise.', low=1
    )
    cap_m: float = setting(100.0, 'A flight ends after this distance.', unit='m', low=1.0)
    name: str = setting('calibrated', 'The operating point has this name.')
    check_flights: int = setting(
        0, 'The loss is then measured again on so many fresh flights; 0 does not.', low=0
    )
    report: Path | None = setting(None, 'The figures are written to this JSON file.')

    def __post_init__(self) -> None:
        check(self)


def main(config: CalibrateDroneConfig) -> dict[str, Any]:
    """
    Fly at one threshold after another, the most cautious first; store the last that is accepted.

    Every threshold is flown with, so that its loss is that of the situations it leads to.
    """
    torch.set_num_threads(1)
    policy = checkpoint.load(config.checkpoint)
    task, network = FlightTask.from_dict(policy.task), policy.network
    course = Course(GENERATED, config.flights, CALIBRATION.start, config.cap_m)

    def losses_at(thresholds: tuple[float, ...]) -> np.ndarray:
        losses, _ = fly_and_compare(course, task, network, thresholds, config.loss)
        log.info('thresholds %s: loss %.4f', thresholds, losses.mean())
        return losses

    found = fixed_sequence(
        cautious_first(validation_confidences(task, network, config.cap_m)),
        losses_at,
        config.risk,
        config.confidence,
    )
    report = {
        'method': 'Learn then Test: fixed sequence, Hoeffding-Bentkus and betting',
        'loss': config.loss,
        'unit': 'flight',
        'risk': config.risk,
        'confidence': config.confidence,
        'cap_m': config.cap_m,
        'seed_base': CALIBRATION.start,
        'calibrated': found._asdict(),
    }
    if config.check_flights:
        report['fresh'] = measure_fresh(config, task, network, found.thresholds)
    calibrations = {**policy.card.get('calibrations', {}), config.name: report}
    checkpoint.save(
        config.checkpoint,
        dataclasses.replace(
            policy,
            operating_points={**policy.operating_points, config.name: found.thresholds},
            card={**policy.card, 'calibrations': calibrations},
        ),
    )
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    return report


@torch.inference_mode()
def validation_confidences(
    task: FlightTask, network: EarlyExitNetwork, cap_m: float
) -> np.ndarray:
    """Return the branches' confidences (T, L - 1) in flights of other worlds, flown in full."""
    course = Course(GENERATED, 16, VALIDATION.start, cap_m)
    full = scored_policy(network, learned_confidence, (NEVER,) * (network.num_levels - 1))
    answers = answers_of(network, observations_on(course, task, full))
    return torch.stack([learned_confidence(answer) for answer in answers[:-1]], dim=1).numpy()


def measure_fresh(
    config: CalibrateDroneConfig,
    task: FlightTask,
    network: EarlyExitNetwork,
    thresholds: tuple[float, ...],
) -> dict[str, Any]:
    """Return the loss and the operations of flights that the calibration has not seen."""
    course = Course(GENERATED, config.check_flights, CALIBRATION_CHECK.start, config.cap_m)
    losses, flown = fly_and_compare(course, task, network, thresholds, config.loss)
    macs = np.asarray(network.config.macs)
    shares = flown.levels.sum(axis=0) / flown.levels.sum()
    return {
        'flights': config.check_flights,
        'seed_base': CALIBRATION_CHECK.start,
        'loss': float(losses.mean()),
        'kept': bool(losses.mean() <= config.risk),
        'macs_ratio': float(shares @ macs / macs[-1]),
        'msf_m': float(flown.distance_m.mean()),
    }


def fly_and_compare(
    course: Course,
    task: FlightTask,
    network: EarlyExitNetwork,
    thresholds: Sequence[float],
    loss: str,
) -> tuple[np.ndarray, Flights]:
    """Fly a course and ask the full network about every decision; return flights' losses (F,)."""
    total, count = np.zeros(len(course.starts)), np.zeros(len(course.starts))
    lost = np.zeros(0)
    limits, lose = torch.tensor(thresholds), LOSSES[loss]

    @torch.inference_mode()
    def choose(
        observation: np.ndarray, _rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        nonlocal lost
        answers = answers_of(network, observation)
        level = levels_of(torch.stack([learned_confidence(answer) for answer in answers]), limits)
        greedy = torch.stack([answer.q_values.argmax(dim=1) for answer in answers])
        action = greedy.gather(0, level[None])[0]
        lost = lose(answers[-1], action).numpy()
        return action.numpy(), level.numpy()

    def watch(flight: np.ndarray, flying: np.ndarray) -> None:
        total[flight[flying]] += lost[flying]
        count[flight[flying]] += 1

    flown = fly(
        task, course.worlds, course.starts, choose, network.num_levels, course.cap_m, watch=watch
    )
    return total / count, flown


def relative_regret(full: Answer, action: torch.Tensor) -> torch.Tensor:
    """Return the regret (B,) of actions (B,) as a share of the range of Q-values."""
    q_values: torch.Tensor = full.q_values
    span = q_values.amax(dim=1) - q_values.amin(dim=1)
    return regret(q_values, action) / span.clamp(min=1e-9)


def disagreement(full: Answer, action: torch.Tensor) -> torch.Tensor:
    """Return whether actions (B,) are others than the full network's."""
    return (full.q_values.argmax(dim=1) != action).float()


LOSSES: dict[str, Callable[[Answer, torch.Tensor], torch.Tensor]] = {
    'regret': relative_regret,
    'disagreement': disagreement,
}
