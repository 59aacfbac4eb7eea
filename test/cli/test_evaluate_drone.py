"""Evaluation: its report, its controls, its choice of operating points."""

from collections.abc import Sequence
import dataclasses

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
from networks import THREE_EXITS
import numpy as np
import pytest
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.cli.evaluate_drone import EvaluateDroneConfig, main
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.evaluation import baselines, operating_points
from rapid_nav.offline.evaluation.intervals import bootstrap_ci95, paired_ratio_ci95
from rapid_nav.offline.evaluation.suite import DroneSuite
from rapid_nav.offline.reporting.kinds import DroneEvaluation, DroneRow, Lead
from rapid_nav.offline.reporting.report import read
from rapid_nav.offline.reporting.tables import show


@pytest.fixture(scope='module')
def policy():
    torch.manual_seed(0)
    return Checkpoint(
        EarlyExitNetwork(
            dataclasses.replace(network_for(FlightTask()), stages=THREE_EXITS)
        ).eval(),
        FlightTask().to_dict(),
        {'economy': (0.0, 0.0), 'balanced': (0.5, 0.5)},
    )


def test_the_report_has_its_keys_and_the_plot_is_drawn(tmp_path, policy):
    path, baseline = tmp_path / 'p.safetensors', tmp_path / 'b.safetensors'
    small = tmp_path / 'small.safetensors'
    checkpoint.save(
        small,
        Checkpoint(EarlyExitNetwork(network_for(FlightTask(), 'small')), FlightTask().to_dict()),
    )
    checkpoint.save(path, policy)
    checkpoint.save(
        baseline,
        Checkpoint(EarlyExitNetwork(network_for(FlightTask(), 'plain')), FlightTask().to_dict()),
    )
    main(
        EvaluateDroneConfig(
            checkpoint=path,
            baseline=baseline,
            static=(small,),
            flights=3,
            cap_m=5.0,
            worlds=('pillars,forest',),
            sweep=(0.4,),
            controls=True,
            report=tmp_path / 'r.json',
            plot=tmp_path / 'p.png',
        )
    )
    report = read(tmp_path / 'r.json')
    assert report.worlds == ('pillars', 'forest')
    assert [row.name for row in report.points] == ['economy', 'balanced', 'full', 'threshold 0.4']
    for row in report.points:
        low, high = row.msf_ci95
        assert 0 <= low <= row.msf_m <= high <= 5.0
        low, high = row.msf_vs_baseline_ci95
        assert low <= row.msf_vs_baseline <= high
        assert row.macs_vs_nature and row.msf_vs_full_path and row.coverage_vs_baseline
        assert sum(row.exit_shares) == pytest.approx(1.0)
    assert report.points[0].exit_shares == (1.0, 0.0, 0.0)
    assert report.points[2].macs_ratio == 1.0
    assert [row.name for row in report.controls] == [
        'exit 0 alone',
        'exit 1 alone',
        'random exits',
        'q_gap',
        'entropy',
        'perfect gate',
        'static small',
    ]
    assert report.controls[-1].macs_ratio < 1.0
    rows = {row.name: row for row in (*report.points, *report.controls)}
    regret = {name: row.regret for name, row in rows.items() if row.regret is not None}
    assert regret.keys() == {'economy', 'balanced', *(row.name for row in report.controls[:-1])}
    assert regret['economy'] == regret['exit 0 alone'] >= regret['perfect gate'] >= 0.0
    assert regret['balanced'] <= regret['economy']
    spent = {name: row.regret_macs_ratio for name, row in rows.items()}
    assert 0.0 < spent['economy'] < spent['balanced'] <= 1.0 and spent['full'] is None
    for row in report.controls:
        assert row.behind.of == 'balanced'
        assert row.behind.m == pytest.approx(rows['balanced'].msf_m - row.msf_m, abs=1e-3)
        low, high = row.behind.ci95
        assert low <= row.behind.m <= high
    assert (tmp_path / 'p.png').stat().st_size > 10_000


def drone_evaluation(worlds: Sequence[str]) -> DroneEvaluation:
    """Return a report with a point, a control and a baseline, as they are in these worlds."""
    row = DroneRow(
        name='random exits',
        macs_ratio=0.145,
        msf_m=68.3,
        msf_ci95=(62.0, 74.6),
        coverage=1.0,
        cap_share=0.44,
        exit_shares=(0.9, 0.1),
        by_world=dict.fromkeys(worlds, 48.0),
        exit_shares_by_world=dict.fromkeys(worlds, (0.9, 0.1)),
        distances_m=(48.0,),
        regret=0.0056,
        behind=Lead(of='balanced', m=1.2, ci95=(-2.2, 4.5)),
    )
    point = dataclasses.replace(
        row,
        name='balanced',
        regret=0.0043,
        behind=None,
        msf_vs_baseline=0.97,
        msf_vs_baseline_ci95=(0.922, 1.018),
    )
    return DroneEvaluation(
        flights=100,
        cap_m=100.0,
        seed_base=7,
        worlds=tuple(worlds),
        points=(point,),
        controls=(row,),
        baseline=dataclasses.replace(row, name='baseline', regret=None, behind=None),
    )


@pytest.fixture
def printed(capsys, monkeypatch):
    """Return a function that prints a report for a terminal of 80 columns, as lines of words."""

    def lines_of(report: DroneEvaluation) -> list[str]:
        monkeypatch.setenv('COLUMNS', '80')
        capsys.readouterr()
        show(report)
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= 80
        return [' '.join(line.split()) for line in lines]

    return lines_of


def test_what_is_printed_fits_a_terminal_and_says_what_leads_are_worth(printed):
    said = printed(drone_evaluation(['corridor', 'maps/depot.yaml']))
    assert 'random exits 0.145x 68.3 m 62.0 to 74.6 1.00 44% 90 10' in said
    assert 'corridor depot' in said
    assert 'balanced - 0.0043' in said
    assert 'random exits +1.2 m (-2.2 to +4.5) 0.0056' in said
    assert "balanced keeps 0.970x of the baseline's distance (0.922x to 1.018x)" in said


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.text('abcdefghij_0123456789[]', min_size=1, max_size=40),
        min_size=1,
        max_size=40,
        unique=True,
    )
)
def test_every_worlds_name_is_whole_however_many_there_are(printed, worlds):
    words = ' '.join(printed(drone_evaluation(worlds))).split()
    assert set(worlds) <= set(words)
    assert '…' not in ''.join(words)


def test_thresholds_matched_to_shares_leave_at_those_rates(policy):
    rng = np.random.default_rng(0)
    seen = rng.integers(256, size=(500, 3, 36, 64), dtype=np.uint8)
    shares = [0.5, 0.3, 0.2]
    for score in baselines.RULES.values():
        thresholds = baselines.matched_thresholds(policy.network, score, seen, shares)
        _, level = baselines.scored_policy(policy.network, score, thresholds)(seen, rng)
        np.testing.assert_allclose(np.bincount(level, minlength=3) / 500, shares, atol=0.01)


@pytest.mark.parametrize('budget', [0.3, 0.6])
def test_a_perfect_gate_hands_on_what_loses_most_and_no_more_than_it_may(policy, budget):
    rng = np.random.default_rng(0)
    seen = rng.integers(256, size=(500, 3, 36, 64), dtype=np.uint8)
    macs = policy.network.config.macs
    tolerance = baselines.matched_tolerance(policy.network, seen, macs, budget)
    action, level = baselines.perfect_gate(policy.network, tolerance)(seen, rng)
    assert budget - 0.02 <= np.mean(np.array(macs)[level]) / macs[-1] <= budget
    with torch.inference_mode():
        *branches, full = (
            answer.q_values.numpy() for answer in baselines.answers_of(policy.network, seen)
        )
    rows = np.arange(500)
    lost = full.max(axis=1) - np.array([full[rows, q.argmax(axis=1)] for q in branches])
    assert (lost[level[level < 2], rows[level < 2]] <= tolerance).all()
    assert (lost[:, level == 2] > tolerance).all()
    assert (full.max(axis=1) - full[rows, action] <= tolerance).all()


def test_random_exits_are_drawn_at_their_rates(policy):
    rng = np.random.default_rng(0)
    seen = np.zeros((4000, 3, 36, 64), np.uint8)
    _, level = baselines.random_exits(policy.network, [0.7, 0.2, 0.1])(seen, rng)
    np.testing.assert_allclose(np.bincount(level) / 4000, [0.7, 0.2, 0.1], atol=0.03)


def test_an_operating_point_that_no_threshold_reaches_is_refused(policy):
    with pytest.raises(ValueError, match='no threshold keeps to 0.001'):
        operating_points.choose_for_drone(policy, {'wish': 0.001}, flights=1, candidates=2)


def test_a_suite_is_the_same_every_time_and_differs_by_seed():
    one, same, other = (
        DroneSuite.of(FlightTask(), 2, seed, 100.0, ('corridor',)) for seed in (5, 5, 6)
    )
    assert [len(w.primitives) for w in one.worlds] == [len(w.primitives) for w in same.worlds]
    assert one.worlds[1].seed == other.worlds[0].seed == 6


def test_the_bootstrap_interval_holds_the_mean_of_what_it_was_drawn_from():
    rng = np.random.default_rng(1)
    inside = [
        low <= 1.0 <= high
        for low, high in (bootstrap_ci95(rng.exponential(size=50), draws=500) for _ in range(200))
    ]
    assert 0.88 <= np.mean(inside) <= 0.99


def test_a_ratio_of_pairs_is_known_better_than_its_parts_and_as_well_as_it_says():
    rng = np.random.default_rng(2)
    inside, widths = [], []
    for _ in range(200):
        worlds = rng.exponential(30.0, 60)  # easy and hard ones
        beside = worlds + rng.normal(20.0, 2.0, 60)
        values = 0.9 * worlds + rng.normal(18.0, 2.0, 60)
        low, high = paired_ratio_ci95(values, beside, draws=500)
        inside.append(low <= 0.9 <= high)
        widths.append(high - low)
    assert 0.88 <= np.mean(inside) <= 0.99
    low, high = bootstrap_ci95(values)
    assert np.mean(widths) < 0.2 * (high - low) / beside.mean()


@pytest.mark.parametrize(('limit', 'expected'), [(0.05, 0.0), (0.31, 0.3), (0.3, 0.3), (2.0, 0.9)])
def test_a_point_spends_what_it_may_and_no_more(limit, expected):
    tried = []

    def share_of(threshold):  # a threshold costs what it says, and the cheapest 0.05
        tried.append(threshold)
        return max(0.05, threshold)

    candidates = [round(0.1 * step, 1) for step in range(10)]
    points = operating_points.highest_within(share_of, candidates, {'point': limit})
    assert points == {'point': expected}
    assert len(tried) <= 6


@pytest.mark.parametrize('name', ['pedra', 'pedra-velocity'])
def test_chance_and_straight_ahead_fly_pedra_too_and_not_far(name):
    for policy in ('random', 'straight'):
        (row,) = main(
            EvaluateDroneConfig(policy=policy, task=name, flights=4, worlds=('corridor,rooms',))
        ).points
        assert 0.1 < row.msf_m < 20.0
