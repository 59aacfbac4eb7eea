"""Budgets hold from scene to scene, and deadlines on a busy machine."""

from pathlib import Path

import pytest

from rapid_nav.benchmarks import exit_control
from rapid_nav.benchmarks.exit_control import SteeringConfig
from rapid_nav.inference.policy import load_policy
from rapid_nav.offline.reporting.report import read


def test_budgets_hold_within_a_twentieth_through_all_the_scenes(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, plot = tmp_path / 'steering.json', tmp_path / 'budgets.svg'
    assert (
        exit_control.main(
            SteeringConfig(
                checkpoint=checkpoint,
                budgets=(0.1, 0.4),
                decisions=120,
                clearance=0.0,
                seconds=0.5,
                report=report,
                plot=plot,
            )
        )
        == 0
    )
    figures = read(report)
    assert [row.budget for row in figures.budgets] == [0.1, 0.4]
    assert all(row.worst_off_after_200 < 0.05 for row in figures.budgets)
    assert figures.deadline.loaded.decisions == 10
    assert 'another world' in plot.read_text()
    assert capsys.readouterr().out == figures.to_json() + '\n'


@pytest.mark.figures
def test_decisions_keep_their_deadline_with_every_core_busy(checkpoint: Path) -> None:
    held = exit_control.hold_deadline(
        load_policy(checkpoint), SteeringConfig(deadline_ms=20.0, seconds=12.0)
    )
    assert held.loaded.decisions == 240
    assert held.loaded.inside >= 0.99, held


@pytest.mark.figures
def test_a_deadline_too_short_for_the_full_network_is_kept_by_leaving_early(
    checkpoint: Path,
) -> None:
    policy = load_policy(checkpoint)
    config = SteeringConfig(deadline_ms=0.12, rate=200.0, seconds=1.0)
    assert exit_control.decide_in_time(policy, config).exit_shares[-1] < 0.9


def test_a_flight_too_short_for_the_promise_is_drawn_all_the_same(
    checkpoint: Path, tmp_path: Path
) -> None:
    plot = tmp_path / 'budgets.svg'
    exit_control.main(
        SteeringConfig(checkpoint=checkpoint, budgets=(0.1,), decisions=3, seconds=0.1, plot=plot)
    )
    assert plot.stat().st_size > 1000
