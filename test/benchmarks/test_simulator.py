"""The simulator's benchmark reports what it promises to."""

from pathlib import Path

import pytest

from rapid_nav.benchmarks.simulator import crowded_world, PRIMITIVES, run
from rapid_nav.offline.reporting.report import read

pytest.importorskip('embreex')
pytest.importorskip('trimesh')


def test_the_report_has_its_figures(tmp_path: Path) -> None:
    figures = run(poses=8)
    figures.write(tmp_path / 'report.json')
    assert read(tmp_path / 'report.json') == figures
    assert figures.agreement > 0.999
    assert figures.speedup > 0


@pytest.mark.figures
def test_depth_images_take_less_than_half_of_embrees_time() -> None:
    assert run(poses=32).speedup > 2


def test_the_world_that_is_timed_has_300_primitives() -> None:
    assert len(crowded_world().primitives) >= PRIMITIVES
