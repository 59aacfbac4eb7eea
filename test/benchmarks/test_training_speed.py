"""The training benchmark runs both learners and keeps its report's keys."""

import pytest

from rapid_nav.benchmarks.training_speed import BenchTrainingConfig, main
from rapid_nav.offline.reporting.report import read


@pytest.mark.slow
@pytest.mark.parametrize('task', ['drone', 'atari'])
def test_both_learners_are_timed_in_turns(tmp_path, task):
    if task == 'atari':
        pytest.importorskip('ale_py', reason='ale-py (GPL) is an optional extra')
    pytest.importorskip('stable_baselines3', reason='a benchmark-only extra')
    main(
        BenchTrainingConfig(task=task, seconds=0.5, turns=1, threads=1, report=tmp_path / 'r.json')
    )
    report = read(tmp_path / 'r.json')
    assert report.ratio == pytest.approx(report.ours_steps_s / report.sb3_steps_s)
    assert report.sb3_steps_s > 0 and report.sb3_collect_steps_s > 0
