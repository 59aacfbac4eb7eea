"""What steers the exits in flight: budgets, safety, deadlines, and changes of all of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rapid_nav.nodes.deciding.decision_maker import make_decision_maker, PolicyConfig

OPEN, TIGHT = 8.0, 0.5  # [m] free way


def look(rng: np.random.Generator, far: float = OPEN) -> np.ndarray:
    """Return a depth image (H, W) [m] of clutter at this distance and beyond."""
    return far * (1.0 + rng.random((36, 64), np.float32))


def test_a_budget_is_held_over_a_flight(checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    maker = make_decision_maker(PolicyConfig(checkpoint=str(checkpoint), budget=0.3))
    for far in (OPEN, 2.0, 30.0):
        spent = [maker.decide(look(rng, far)).decision.macs_ratio for _ in range(300)]
        assert np.mean(spent) == pytest.approx(0.3, rel=0.05)
    assert float(maker.state()['budget_spent']) == pytest.approx(0.3, rel=0.05)


def test_a_tight_spot_gets_the_full_network_whatever_the_budget(checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    maker = make_decision_maker(PolicyConfig(checkpoint=str(checkpoint), budget=0.05))
    assert {maker.decide(look(rng, TIGHT / 2)).decision.level for _ in range(50)} == {2}
    assert maker.state()['deep_for_safety'] == '50'


def test_a_budget_of_milliseconds_leaves_earlier_than_none(checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    free = make_decision_maker(PolicyConfig(checkpoint=str(checkpoint)))
    assert {free.decide(look(rng)).decision.level for _ in range(50)} == {2}
    maker = make_decision_maker(PolicyConfig(checkpoint=str(checkpoint), budget_ms=1e-3))
    levels = [maker.decide(look(rng)).decision.level for _ in range(100)]
    assert np.mean(levels) < 1.0
    assert maker.state()['budget'] == '0.001 ms'


def test_what_came_too_late_is_answered_by_the_first_exit(checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    maker = make_decision_maker(PolicyConfig(checkpoint=str(checkpoint), deadline_ms=10_000.0))
    assert maker.decide(look(rng)).decision.level == 2
    assert maker.decide(look(rng), waited=11.0).decision.level == 0
    assert maker.state()['late'] == '1'


def test_new_settings_keep_the_network_and_the_history(checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    config = PolicyConfig(checkpoint=str(checkpoint))
    maker = make_decision_maker(config)
    maker.decide(look(rng))
    changed = make_decision_maker(dataclasses.replace(config, budget=0.2), maker)
    assert changed.network is maker.network
    assert changed.history.frames == maker.history.frames
    assert changed.controller is not None


def test_two_budgets_are_one_too_many() -> None:
    with pytest.raises(ValueError, match='set one of them to 0'):
        PolicyConfig(budget=0.2, budget_ms=0.1)
