"""The latency report has what it promises, in an order that early exits must keep."""

import math

import numpy as np
import pytest

from rapid_nav.benchmarks import exit_latency
from rapid_nav.inference.policy import Policy
from rapid_nav.offline.reporting.report import read


@pytest.fixture(scope='module')
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp('bench') / 'latency.json'
    figures = exit_latency.run(threads=(1,), calls=400, report=path)
    assert read(path) == figures
    return figures.threads['1']


@pytest.mark.figures
def test_leaving_earlier_takes_less_time(report):
    times = [one.ms_p50 for one in report.exits]
    assert times[0] < times[1]
    assert report.exits[0].time_ratio < 0.3  # the aim is 0.15


@pytest.mark.figures
def test_the_first_exit_takes_a_tenth_of_the_eager_network(report):
    assert report.exits[0].ms_p50 <= 0.1 * report.eager_full_ms


def test_the_price_of_branches_is_reported_in_time_and_operations(report):
    assert [one.level for one in report.exits] == [0, 1]
    assert report.exits[-1].time_ratio == 1.0
    assert report.fall_through_ratio > 0
    assert 1.0 < report.fall_through_macs_ratio < 1.1
    assert report.plain_ms > 0
    assert report.runtime == 'onnx'
    assert 0 < report.idle_ms_p50 <= report.idle_ms_p99


@pytest.mark.figures
def test_the_arithmetic_beside_the_first_exit_takes_about_as_long(report):
    assert 0.4 < report.idle_ms_p50 / report.exits[0].ms_p50 < 2.5


def test_a_ratio_is_of_calls_at_the_same_speed_of_the_machine():
    slow_now_and_then = np.array([[1.0], [2.0], [2.0], [1.0]])
    theirs = np.ones((1, exit_latency.BLOCK)) * slow_now_and_then
    assert exit_latency.turn_by_turn(1.1 * theirs, theirs) == pytest.approx(1.1)


def test_candidates_take_turns_and_meet_warm_caches():
    calls = []
    times = exit_latency.in_turns(
        {name: (lambda: None, lambda name=name: calls.append(name)) for name in 'ab'}, 40
    )
    block = exit_latency.WARM + exit_latency.BLOCK
    assert ''.join(calls) == 2 * ('a' * block + 'b' * block)
    assert all(spent.shape == (2, exit_latency.BLOCK) for spent in times.values())


def test_a_flights_mean_has_every_deep_decision_in_it():
    made = exit_latency.random_checkpoint()
    seen = exit_latency.random_observations(made, 60)
    policy = Policy(made)
    sure = sorted(policy.decide(one, (0.0,)).confidence for one in seen)
    made.operating_points['third'] = (math.nextafter(sure[20], 0.0),)
    figures = exit_latency.measure_flight(Policy(made), seen, 'third', passes=3)
    share = 20 / 60
    first = policy.macs[0] / policy.macs[-1]
    assert figures.decisions == 60
    assert figures.macs_ratio == pytest.approx(first + share * (1 - first))
    assert figures.mean_time_ratio > 0
    assert figures.interrupted_time_ratio > 0
