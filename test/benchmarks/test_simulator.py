"""The simulator's benchmark reports what it promises to."""

import json
from pathlib import Path

import pytest

from rapid_nav.benchmarks.simulator import crowded_world, PRIMITIVES, run

pytest.importorskip('embreex')
pytest.importorskip('trimesh')


def test_the_report_has_its_figures(tmp_path: Path) -> None:
    figures = run(tmp_path / 'report.json', poses=8)
    assert json.loads((tmp_path / 'report.json').read_text()) == figures
    assert set(figures) == {'depth_84_ms', 'embree_84_ms', 'speedup', 'agreement', 'env_step_ms'}
    assert figures['agreement'] > 0.999
    assert figures['speedup'] > 0


@pytest.mark.figures
def test_depth_images_take_less_than_half_of_embrees_time(tmp_path: Path) -> None:
    assert run(tmp_path / 'report.json', poses=32)['speedup'] > 2


def test_the_world_that_is_timed_has_300_primitives() -> None:
    assert len(crowded_world().primitives) >= PRIMITIVES
