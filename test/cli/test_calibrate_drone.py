"""A calibration flies, stores its operating point and says what it promises."""

import numpy as np
import pytest
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.benchmarks.exit_latency import random_checkpoint
from rapid_nav.cli import calibrate_drone
from rapid_nav.cli.calibrate_drone import CalibrateDroneConfig, fly_and_compare
from rapid_nav.cli.export import ExportConfig
from rapid_nav.cli.export import main as export
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.exit_rule import Answer, NEVER
from rapid_nav.inference.policy import load_policy
from rapid_nav.offline.evaluation.suite import DroneSuite
from rapid_nav.offline.reporting.report import read


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / 'policy.safetensors'
    checkpoint.save(path, random_checkpoint())
    return path


def test_a_calibration_is_stored_as_an_operating_point_that_an_export_keeps(saved, tmp_path):
    config = CalibrateDroneConfig(
        saved,
        risk=0.6,
        confidence=0.9,
        flights=8,
        cap_m=2.0,
        name='promised',
        check_flights=4,
        report=tmp_path / 'report.json',
    )
    report = calibrate_drone.main(config)
    assert report.calibrated.units == 8
    assert report.fresh.loss <= 1.0
    assert read(config.report) == report and report.risk == 0.6
    assert checkpoint.load(saved).card['calibrations']['promised']['confidence'] == 0.9
    assert export(ExportConfig(saved, tmp_path / 'drone.zip')) == 0
    exported = load_policy(tmp_path / 'drone.zip').metadata
    assert exported.thresholds('promised') == report.calibrated.thresholds


def test_the_full_network_loses_nothing_and_random_exits_lose_something():
    made = random_checkpoint()
    suite = DroneSuite.of(FlightTask(), 4, 50_000, cap_m=2.0)
    for loss in ('regret', 'disagreement'):
        full, _ = fly_and_compare(suite, made.network, (NEVER,), loss)
        early, flown = fly_and_compare(suite, made.network, (0.0,), loss)
        assert full.tolist() == [0.0] * 4
        assert np.all((early >= 0.0) & (early <= 1.0))
        assert early.mean() > 0.0
        assert flown.levels[:, 1:].sum() == 0


def test_regret_is_a_share_of_the_range_of_q_values():
    full = Answer(torch.tensor([[0.0, 3.0, 4.0]] * 3), torch.full((3,), torch.inf))
    lost = calibrate_drone.relative_regret(full, torch.tensor([0, 1, 2]))
    assert lost.tolist() == [1.0, 0.25, 0.0]
