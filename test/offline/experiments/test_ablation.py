"""What the pieces of the plain learner are worth: the changes, the figures, one tiny run."""

from dataclasses import replace
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from rapid_nav.offline.evaluation.intervals import stratified_bootstrap
from rapid_nav.offline.experiments.ablation import CHANGES, compare, CompareSettingsConfig, main
from rapid_nav.offline.experiments.runs import Change, Lengths, make_run_loop, PLAIN, Run, train
from rapid_nav.offline.reporting.report import read


def test_a_change_changes_one_thing_and_nothing_else(tmp_path):
    pytest.importorskip('minatar', reason='MinAtar (GPL) is an optional extra')
    lengths = Lengths(400, 1)
    trainers = {
        name: make_run_loop(Run(tmp_path, 'breakout', name, 0), lengths, None, change).trainer
        for name, change in {PLAIN: Change(), **CHANGES}.items()
    }
    plain = trainers.pop(PLAIN)
    expected = {
        'no-double': {'double': False},
        'no-duelling': {},
        'one-step': {'n_step': 1},
        'uniform': {'priority_exponent': 0.0},
        'quantiles': {'quantiles': 32},
        'noisy': {'noisy': 0.5},
    }
    assert trainers.keys() == expected.keys()
    for name, trainer in trainers.items():
        assert trainer.agent == replace(plain.agent, **expected[name])
        assert trainer.config == plain.config
        assert trainer.learner.network.config == replace(
            plain.learner.network.config, duelling=name != 'no-duelling'
        )
        assert trainer.learner.network.num_levels == 1


def test_a_change_is_paired_with_the_learner_as_it_is_of_the_same_game_and_seed():
    games, seeds = ('breakout', 'freeway'), 4
    config = CompareSettingsConfig(games=games, changes=('uniform',), seeds=seeds)
    base = np.random.default_rng(0).uniform(1.0, 60.0, (2, seeds))
    share = np.array([[0.5, 0.7, 0.9, 0.6], [1.1, 1.2, 0.8, 0.9]])
    scores = {}
    for (g, game), seed in itertools.product(enumerate(games), range(seeds)):
        scores[game, PLAIN, seed] = base[g, seed]
        scores[game, 'uniform', seed] = base[g, seed] * share[g, seed]
    found = compare(config, scores).changes['uniform']
    assert found.interquartile_mean == pytest.approx(np.mean([0.7, 0.8, 0.9, 0.9]))
    np.testing.assert_allclose(found.ci95, stratified_bootstrap(share))
    assert found.by_game['freeway'].mean == pytest.approx(1.0)


def test_a_change_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match='choose among no-double, .*noisy'):
        CompareSettingsConfig(changes=('bigger',))


@pytest.mark.slow
def test_tiny_runs_are_compared_and_not_run_twice_and_the_plain_one_is_that_of_the_exits(
    tmp_path, capsys
):
    pytest.importorskip('minatar', reason='MinAtar (GPL) is an optional extra')
    config = CompareSettingsConfig(
        out=tmp_path / 'runs',
        games=('breakout',),
        seeds=2,
        steps=400,
        episodes=2,
        jobs=1,
        report=tmp_path / 'report.json',
    )
    assert main(config) == 0
    report = read(tmp_path / 'report.json')
    assert list(report.changes) == list(CHANGES)
    assert len(report.scores['plain']['breakout']) == 2
    files = {path: path.stat().st_mtime_ns for path in config.out.iterdir()}
    assert len(files) == 2 * 2 * (1 + len(CHANGES))  # networks, evaluations
    main(config)
    assert files == {path: path.stat().st_mtime_ns for path in files}
    assert 'interquartile_mean' in capsys.readouterr().out
    elsewhere = Run(tmp_path, 'breakout', PLAIN, 1)
    threads = torch.get_num_threads()
    train(elsewhere, Lengths(400, 2, 400, 2))
    torch.set_num_threads(threads)
    name = elsewhere.file('safetensors').name
    assert elsewhere.file('safetensors').read_bytes() == Path(config.out / name).read_bytes()
