"""The camera that times the policy is one that the policy flies by."""

from pathlib import Path

import pytest

from rapid_nav.benchmarks.end_to_end_latency import image_to_command, LatencyConfig
from rapid_nav.stack.flight import environment


def test_the_benchmarks_camera_is_answered_for_as_long_as_it_shows_images(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(0).items():
        monkeypatch.setenv(name, value)  # what the benchmark sets here is undone afterwards
    # Its 40 answers before the first that is timed take longer than a frozen camera is flown by.
    image_to_command(LatencyConfig(checkpoint=str(checkpoint), images=100))
