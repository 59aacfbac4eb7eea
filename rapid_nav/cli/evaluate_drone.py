"""`rapid-nav evaluate drone`: every operating point, its controls and the baseline, held out."""

from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.drone.task import FlightTask, TASKS
from rapid_nav.offline.evaluation.baselines import learned_confidence, scored_policy
from rapid_nav.offline.evaluation.evaluate_policy import (
    controlled,
    Judge,
    judge_controls,
    judge_plain,
    judge_points,
    Row,
)
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95, paired_ratio_ci95
from rapid_nav.offline.evaluation.rollout import Chooser, random_policy, straight_policy, summarise
from rapid_nav.offline.evaluation.suite import Course, GENERATED, observations_on
from rapid_nav.offline.reporting.drone_table import show
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluateDroneConfig:
    """What `rapid-nav evaluate drone` takes."""

    checkpoint: Path = setting(shipped_checkpoint(), 'This policy flies.')
    baseline: Path | None = setting(
        None, 'A DQN without branches is flown on the same course, to compare with.'
    )
    static: tuple[Path, ...] = setting(
        (), 'Static networks of fewer operations are flown on it too, as controls.'
    )
    policy: str = setting(
        'checkpoint',
        'The checkpoint flies, or random actions do, or always straight ahead.',
        choices=('checkpoint', 'random', 'straight'),
    )
    task: str = setting(
        'drone',
        'Random actions and straight ahead fly this task; a checkpoint flies its own.',
        choices=tuple(TASKS),
    )
    worlds: tuple[str, ...] = setting(
        GENERATED,
        "Flights are in these generators' worlds (several may be joined by commas) and world or "
        'map files.',
    )
    seed_base: int = setting(
        TEST.start, 'The worlds of each generator have the seeds N, N+1, ...', low=0
    )
    flights: int = setting(40, 'So many flights are shared evenly among the worlds.', low=1)
    cap_m: float = setting(100.0, 'A flight ends after this distance.', unit='m', low=1.0)
    sweep: tuple[float, ...] = setting(
        (), 'These thresholds are flown beside the operating points, each for every branch.'
    )
    controls: bool = setting(False, 'The controls are flown too, at the operations of `balanced`.')
    report: Path | None = setting(None, 'The figures are written to this JSON file.')
    plot: Path | None = setting(
        None, 'Distance against operations is drawn in this picture, .png or .svg.'
    )

    def __post_init__(self) -> None:
        check(self)


def main(config: EvaluateDroneConfig) -> dict[str, Any]:
    """Fly every operating point; return the report, and write what was asked for."""
    torch.set_num_threads(1)
    course = Course(config.worlds, config.flights, config.seed_base, config.cap_m)
    report: dict[str, Any] = {
        'flights': config.flights,
        'cap_m': config.cap_m,
        'worlds': list(dict.fromkeys(course.names)),
        'seed_base': config.seed_base,
        'policy': config.policy,
    }
    if config.policy == 'checkpoint':
        policy = checkpoint.load(config.checkpoint)
        report['checkpoint'] = str(config.checkpoint)
        report['points'] = _fly_points(policy, course, config.sweep)
        if config.controls:
            report['controls'] = _fly_controls(policy, course, report['points'])
        if config.static:
            report.setdefault('controls', []).extend(
                _fly_static(path, policy, course) for path in config.static
            )
        for control in report.get('controls', []):
            control['behind'] = lead(controlled(report['points']), control)
        if config.baseline is not None:
            report['baseline'] = _fly_baseline(config.baseline, course, report['points'])
    else:
        task = TASKS[config.task]
        chooser = (
            straight_policy(task)
            if config.policy == 'straight'
            else random_policy(ActionGrid(task.actions).num_actions)
        )
        report['points'] = [_fly(config.policy, course, task, chooser, (1,))]
    show(report)
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    if config.plot is not None:
        from rapid_nav.offline.reporting.plots import distance_against_operations

        distance_against_operations(report, config.plot)
    return report


def lead(point: Row, control: Row) -> dict[str, Any]:
    """
    Return how much farther a point flies than a control [m], with its 95 % interval.

    Both flew the same course, so the interval is of the differences flight by flight: what both
    owe to an easy world counts for neither.
    """
    farther = np.subtract(point['distances_m'], control['distances_m'])
    return {'of': point['name'], 'm': float(farther.mean()), 'ci95': bootstrap_ci95(farther)}


def _fly(
    name: str, course: Course, task: FlightTask, chooser: Chooser, macs: tuple[int, ...]
) -> dict[str, Any]:
    """Fly the course with one policy and return its row."""
    flown = course.fly(task, chooser, len(macs))
    row = summarise(name, flown, macs) | {
        'by_world': course.mean_by_world(flown),
        'exit_shares_by_world': course.exit_shares_by_world(flown),
    }
    log.info('%s', {key: value for key, value in row.items() if key != 'distances_m'})
    return row


def _fly_points(
    policy: Checkpoint, course: Course, sweep: tuple[float, ...]
) -> list[dict[str, Any]]:
    """Fly the operating points, the full path and a sweep of thresholds."""
    rows = judge_points(policy, judge_on(course, policy), sweep)
    full = next(row['msf_m'] for row in rows if row['name'] == 'full')
    return [row | {'msf_vs_full_path': row['msf_m'] / full} for row in rows]


def _fly_controls(
    policy: Checkpoint, course: Course, points: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Fly what could have spent the operations of `balanced` without a learned confidence."""
    seen = observations_on(
        Course(GENERATED, 16, VALIDATION.start, 30.0),
        FlightTask.from_dict(policy.task),
        scored_policy(policy.network, learned_confidence, policy.thresholds('full')),
    )
    return judge_controls(policy, judge_on(course, policy), points, seen)


def _fly_baseline(path: Path, course: Course, points: list[dict[str, Any]]) -> dict[str, Any]:
    """Fly the baseline, and add to each point its distance as a share of the baseline's."""
    baseline = checkpoint.load(path)
    row = judge_plain('baseline', baseline, judge_on(course, baseline))
    for point in points:
        point['msf_vs_baseline'] = point['msf_m'] / row['msf_m']
        point['msf_vs_baseline_ci95'] = paired_ratio_ci95(
            np.array(point['distances_m']), np.array(row['distances_m'])
        )
        point['coverage_vs_baseline'] = point['coverage'] / row['coverage']
    return row


def _fly_static(path: Path, policy: Checkpoint, course: Course) -> dict[str, Any]:
    """Fly a network without exits; its operations are a share of the policy's full path's."""
    static = checkpoint.load(path)
    row = judge_plain(f'static {path.stem}', static, judge_on(course, static))
    share = static.network.config.macs[-1] / policy.network.config.macs[-1]
    return row | {'macs_ratio': share}


def judge_on(course: Course, policy: Checkpoint) -> Judge:
    """Return what flies a course by choosers of a policy's task."""
    task = FlightTask.from_dict(policy.task)
    return lambda name, chooser, macs: _fly(name, course, task, chooser, macs)
