"""The comparison's statistics, its games, and one tiny run from end to end."""

import dataclasses
import json
from pathlib import Path
import subprocess
import sys
import time

import numpy as np
import pytest
from scipy import stats
import torch

from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.offline.evaluation.intervals import interquartile_mean, stratified_bootstrap
from rapid_nav.offline.experiments.exit_training import (
    best_within_budget,
    compare,
    CompareConfig,
    main,
)
from rapid_nav.offline.experiments.play import Evaluated, Played
from rapid_nav.offline.experiments.runs import Lengths, make_run_loop, network_for, PLAIN, Run
from rapid_nav.offline.reporting.report import read


@pytest.mark.parametrize('count', [4, 5, 8, 20, 101])
def test_the_interquartile_mean_agrees_with_scipys_where_quarters_are_whole(count):
    values = np.random.default_rng(count).normal(size=count)
    if count % 4 == 0:
        assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25))
    values.sort()
    moved = values.copy()
    moved[-1] = 1e6  # a lucky run
    assert interquartile_mean(moved) == pytest.approx(interquartile_mean(values))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for trial in range(150):
        values = rng.normal(1.0, 0.2, size=(4, 10))
        low, high = stratified_bootstrap(values, np.mean, draws=300, seed=trial)
        inside += low <= 1.0 <= high
    assert 0.86 <= inside / 150 <= 0.99


def test_the_networks_first_exit_is_cheap():
    macs = network_for(4, 6).macs
    assert macs[0] <= 0.06 * macs[-1]
    assert macs[1] <= 0.2 * macs[-1]


def test_the_point_chosen_does_best_within_the_budget():
    def curve(*points):
        return [Played(score, ratio, ()) for ratio, score in points]

    assert (
        best_within_budget(
            [curve((0.1, 1), (0.3, 5), (0.9, 9)), curve((0.1, 4), (0.3, 6), (0.9, 9))]
        )
        == 1
    )


def test_what_exits_cost_is_reported_against_each_modes_own_full_path():
    config = CompareConfig(games=('breakout',), modes=('joint',), seeds=4)

    def tested(**scores: float) -> Evaluated:
        players = {
            name.replace('_', ' '): Played(score, 0.2, ()) for name, score in scores.items()
        }
        return Evaluated(0.5, 1, 0, players)

    results = {('breakout', PLAIN, seed): tested(learned=2.0) for seed in range(4)}
    results |= {
        ('breakout', 'joint', seed): tested(
            learned=3.0, random=2.5, exit_0_alone=1.0, full_path=4.0
        )
        for seed in range(4)
    }
    joint = compare(config, results).modes['joint']
    assert joint['learned'].interquartile_mean == pytest.approx(1.5)
    assert joint['of its full path'].by_game['breakout'].mean == pytest.approx(0.75)
    assert joint['gain over random'].by_game['breakout'].mean == pytest.approx(0.25)


@pytest.mark.parametrize('mode', ['rapid', 'paper'])
def test_branches_are_trained_behind_a_full_path_that_stands_still(tmp_path, mode):
    pytest.importorskip('minatar', reason='MinAtar (GPL) is an optional extra')
    torch.manual_seed(0)
    plain = EarlyExitNetwork(network_for(4, 3).without_branches)
    loop = make_run_loop(Run(tmp_path, 'breakout', mode, 0), Lengths(400, 1, 400, 1), plain)
    network = loop.trainer.learner.network
    before = [[weight.clone() for weight in group] for group in network.parameter_groups()]
    while loop.trainer.step < loop.trainer.config.steps:
        loop.advance()
    path, *branches = [
        all(torch.equal(now, then) for now, then in zip(group, was, strict=True))
        for group, was in zip(network.parameter_groups(), before, strict=True)
    ]
    assert path
    assert not any(branches)


@pytest.mark.slow
def test_a_tiny_comparison_runs_from_end_to_end_and_is_not_run_twice(tmp_path, capsys):
    pytest.importorskip('minatar', reason='MinAtar (GPL) is an optional extra')
    config = CompareConfig(
        out=tmp_path,
        games=('breakout',),
        seeds=2,
        steps=400,
        branch_steps=400,
        tuning_episodes=2,
        episodes=2,
        jobs=1,
        report=tmp_path / 'report.json',
    )
    assert main(config) == 0
    report = read(tmp_path / 'report.json')
    assert set(report.modes) == {'rapid', 'paper', 'joint'}
    assert report.modes['rapid']['macs_ratio'].interquartile_mean <= 0.34
    for mode in ('rapid', 'paper'):  # whose full path is the plain network; `joint` has its own
        evaluated = Run(tmp_path, 'breakout', mode, 0).file('evaluation.json')
        plain = Run(tmp_path, 'breakout', PLAIN, 0).file('evaluation.json')
        full = json.loads(evaluated.read_text())['players']['full path']
        alone = json.loads(plain.read_text())['players']['learned']
        assert full == alone | {'exit_shares': [0.0, 0.0, 1.0]}
    for seed in range(2):  # what chooses a threshold is not what it is tested by
        chosen = json.loads((tmp_path / f'breakout-rapid-{seed}.json').read_text())
        tested = json.loads((tmp_path / f'breakout-rapid-{seed}.evaluation.json').read_text())
        assert chosen['seed'] in VALIDATION and tested['seed'] in TEST
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob('breakout-*')}
    assert len(files) == 2 * (4 + 3 + 4)  # networks, curves, evaluations
    main(config)
    assert files == {path: path.stat().st_mtime_ns for path in files}
    assert 'interquartile_mean' in capsys.readouterr().out
    with pytest.raises(ValueError, match='train.steps is 400 there and 800 here'):
        main(dataclasses.replace(config, steps=800))


def test_no_worker_outlives_a_comparison_that_is_killed(tmp_path):
    script = """
import os, time
from rapid_nav.offline.training.worker_pool import workers
if __name__ == '__main__':
    with workers(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""
    path = tmp_path / 'compare.py'
    path.write_text(script)
    parent = subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, text=True)
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 120.0
    while Path(f'/proc/{worker}').exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f'/proc/{worker}').exists()
