"""A policy beside a trainer: it answers as soon as one that has the machine for itself."""

import pytest

from rapid_nav.benchmarks.end_to_end_latency import beside_trainer, LatencyConfig
from rapid_nav.stack.flight import environment


@pytest.mark.figures
def test_a_trainer_that_learns_without_a_rest_leaves_the_policy_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment(0).items():
        monkeypatch.setenv(name, value)  # what the benchmark sets here is undone afterwards
    figures = beside_trainer(LatencyConfig(images=400))
    assert figures['beside_trainer_p99_ratio'] < 4  # the aim is 2
    assert figures['full_path_ms']['p50'] < figures['full_path_beside_trainer_ms']['p99']
