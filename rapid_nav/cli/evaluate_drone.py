"""`rapid-nav evaluate drone`: every operating point, its controls and the baseline, held out."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.drone.task import FlightTask, TASKS
from rapid_nav.offline.evaluation.baselines import early_exit_policy
from rapid_nav.offline.evaluation.evaluate_policy import (
    evaluate_controls,
    evaluate_full_path,
    evaluate_points,
    point_with_controls,
)
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95, paired_ratio_ci95
from rapid_nav.offline.evaluation.rollout import random_policy, straight_policy
from rapid_nav.offline.evaluation.suite import DroneSuite, GENERATED
from rapid_nav.offline.reporting.kinds import DroneEvaluation, DroneRow, Lead
from rapid_nav.offline.reporting.tables import show
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint


@dataclass(frozen=True)
class EvaluateDroneConfig:
    """What `rapid-nav evaluate drone` takes."""

    checkpoint: Path = setting(shipped_checkpoint(), 'Policy that is evaluated.')
    baseline: Path | None = setting(None, 'DQN without branches to compare with.')
    static: tuple[Path, ...] = setting(
        (), 'Static networks of fewer operations, as further controls.'
    )
    policy: str = setting(
        'checkpoint',
        'Evaluate the checkpoint, random actions, or flying straight ahead.',
        choices=('checkpoint', 'random', 'straight'),
    )
    task: str = setting(
        'drone', 'Task of random and straight; a checkpoint has its own.', choices=tuple(TASKS)
    )
    worlds: tuple[str, ...] = setting(
        GENERATED, 'Generators, or files of worlds and maps; commas may join several.'
    )
    seed_base: int = setting(
        TEST.start, 'First seed of the worlds; each generator takes N, N+1, ...', low=0
    )
    flights: int = setting(40, 'Number of flights, shared evenly among the worlds.', low=1)
    cap_m: float = setting(100.0, 'Distance after which a flight ends.', unit='m', low=1.0)
    sweep: tuple[float, ...] = setting(
        (), 'Thresholds to evaluate beside the operating points, each for every branch.'
    )
    controls: bool = setting(
        False, 'Evaluate controls that spend the operations of the point `balanced`.'
    )
    report: Path | None = setting(None, 'JSON file for the figures.')
    plot: Path | None = setting(
        None, 'File, .png or .svg, for a plot of distance over operations.'
    )

    def __post_init__(self) -> None:
        check(self)


def main(config: EvaluateDroneConfig) -> DroneEvaluation:
    """Fly every operating point; return the report, and write what was asked for."""
    torch.set_num_threads(1)
    loaded = checkpoint.load(config.checkpoint) if config.policy == 'checkpoint' else None
    suite = DroneSuite.of(
        TASKS[config.task] if loaded is None else FlightTask.from_dict(loaded.task),
        config.flights,
        config.seed_base,
        config.cap_m,
        config.worlds,
    )
    report = DroneEvaluation(
        flights=config.flights,
        cap_m=config.cap_m,
        worlds=tuple(dict.fromkeys(suite.names)),
        seed_base=config.seed_base,
        policy=config.policy,
        checkpoint=None if loaded is None else str(config.checkpoint),
        **(
            {'points': (_without_network(config.policy, suite),)}
            if loaded is None
            else _with_network(config, loaded, suite)
        ),
    )
    show(report)
    report.write(config.report)
    if config.plot is not None:
        from rapid_nav.offline.reporting.plots import value_against_operations

        value_against_operations(report, config.plot)
    return report


def _without_network(policy: str, suite: DroneSuite) -> DroneRow:
    """Fly straight ahead or at random."""
    if policy == 'straight':
        return suite.evaluate(policy, straight_policy(suite.task))
    return suite.evaluate(policy, random_policy(ActionGrid(suite.task.actions).num_actions))


def _with_network(
    config: EvaluateDroneConfig, policy: Checkpoint, suite: DroneSuite
) -> dict[str, Any]:
    """Return the report's points, controls and baseline of a policy."""
    points = evaluate_points(policy, suite, config.sweep)
    full = next(row.msf_m for row in points if row.name == 'full')
    points = [replace(row, msf_vs_full_path=row.msf_m / full) for row in points]
    controls: list[DroneRow] = []
    if config.controls:
        seen = DroneSuite.of(suite.task, 16, VALIDATION.start, cap_m=30.0).observations(
            early_exit_policy(policy.network, policy.thresholds('full'))
        )
        points, controls = evaluate_controls(policy, suite, points, seen)
    controls += [_static(path, policy, suite) for path in config.static]
    ahead = point_with_controls(points)
    controls = [replace(control, behind=lead(ahead, control)) for control in controls]
    baseline = None
    if config.baseline is not None:
        loaded = checkpoint.load(config.baseline)
        baseline = evaluate_full_path('baseline', loaded, suite.seen_by(loaded.task))
        points = [_beside(row, baseline) for row in points]
    return {'points': tuple(points), 'controls': tuple(controls), 'baseline': baseline}


def lead(point: DroneRow, control: DroneRow) -> Lead:
    """
    Return how much farther a point flies than a control [m], with its 95 % interval.

    Both flew the same flights, so the interval is of the differences flight by flight: what both
    owe to an easy world counts for neither.
    """
    farther = np.subtract(point.distances_m, control.distances_m)
    return Lead(of=point.name, m=float(farther.mean()), ci95=bootstrap_ci95(farther))


def _beside(point: DroneRow, baseline: DroneRow) -> DroneRow:
    """Return a point with its distance and coverage as shares of the baseline's."""
    return replace(
        point,
        msf_vs_baseline=point.msf_m / baseline.msf_m,
        msf_vs_baseline_ci95=paired_ratio_ci95(
            np.array(point.distances_m), np.array(baseline.distances_m)
        ),
        coverage_vs_baseline=point.coverage / baseline.coverage,
    )


def _static(path: Path, policy: Checkpoint, suite: DroneSuite) -> DroneRow:
    """Fly a network without exits; its operations are a share of the policy's full path's."""
    static = checkpoint.load(path)
    row = evaluate_full_path(f'static {path.stem}', static, suite.seen_by(static.task))
    return replace(row, macs_ratio=static.network.config.macs[-1] / policy.network.config.macs[-1])
