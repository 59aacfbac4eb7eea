"""A budget holds whatever the scene, danger goes deep, and answers come in time."""

import itertools

import numpy as np
import pytest

from rapid_nav.inference.exit_control import BudgetConfig, BudgetController, Deadline, Recent
from rapid_nav.inference.exit_rule import Answer, decide, Decision, NEVER

COSTS = (0.03, 0.07, 1.0)

# What the two branches of a network say in a scene, decision after decision.
SCENES = {
    'easy': lambda rng: rng.beta([20, 30], [1, 1]),
    'hard': lambda rng: rng.beta([1, 2], [20, 10]),
    'mixed': lambda rng: rng.beta([1, 2], [1, 1]),
    'frozen': lambda rng: np.array([0.7, 0.9]),  # the same image again and again
    'saturated': lambda rng: np.array([1.0, 1.0]),
    'hopeless': lambda rng: np.array([0.0, 0.0]),
    'waves': lambda rng: np.clip(0.5 + 0.5 * np.sin(rng.normal(0, 9, 2)), 0, 1),
}


def leave(sure, thresholds, costs=COSTS):
    """Return the decision of a network with these confidences."""
    level = next(
        (i for i, (s, t) in enumerate(zip(sure, thresholds, strict=True)) if s >= t), len(sure)
    )
    seen = (*map(float, sure), 1.0)[: level + 1]
    return Decision(0, level, len(costs), seen[-1], 0.0, 0, costs[level], seen)


def fly(controller, scene, decisions, rng, dangerous=lambda step: False):
    """Let a controller set thresholds; return levels and running means."""
    levels, means = [], []
    for step in range(decisions):
        deep = dangerous(step)
        decision = leave(SCENES[scene](rng), controller.thresholds(deep))
        controller.record(decision, COSTS[decision.level], deep)
        levels.append(decision.level)
        means.append(controller.mean)
    return np.array(levels), np.array(means)


@pytest.mark.parametrize('budget', [0.15, 0.25, 0.5, 0.8])
def test_the_running_mean_holds_the_budget_across_changes_of_scene(budget):
    for order in itertools.permutations(SCENES, 2):
        rng = np.random.default_rng(0)
        controller = BudgetController(BudgetConfig(budget=budget), COSTS)
        means = np.concatenate([fly(controller, scene, 300, rng)[1] for scene in order])
        assert np.all(np.abs(means[199:] - budget) <= 0.05 * budget), order


def test_every_scene_for_itself_holds_the_budget_too():
    rng = np.random.default_rng(0)
    controller = BudgetController(BudgetConfig(budget=0.25), COSTS)
    for scene in [*SCENES, *reversed(SCENES)]:
        levels, _ = fly(controller, scene, 400, rng)
        assert np.take(COSTS, levels).mean() == pytest.approx(0.25, rel=0.05), scene


@pytest.mark.parametrize('budget, level', [(0.0, 0), (0.01, 0), (1.0, 2), (7.0, 2)])
def test_a_budget_out_of_reach_gets_what_is_nearest(budget, level):
    controller = BudgetController(BudgetConfig(budget=budget), COSTS)
    levels, _ = fly(controller, 'mixed', 300, np.random.default_rng(0))
    assert (levels[1:] == level).mean() > 0.98


def test_the_budget_is_spent_on_the_doubtful():
    rng = np.random.default_rng(0)
    controller = BudgetController(BudgetConfig(budget=0.4), COSTS)
    early, late = [], []
    for _ in range(1000):
        sure = SCENES['mixed'](rng)
        decision = leave(sure, controller.thresholds())
        controller.record(decision, COSTS[decision.level])
        (late if decision.level == 2 else early).append(sure[0])
    assert np.mean(late) < np.mean(early) - 0.2


def test_danger_goes_deep_however_much_is_owed():
    controller = BudgetController(BudgetConfig(budget=0.1), COSTS)
    rng = np.random.default_rng(0)
    levels, _ = fly(controller, 'easy', 100, rng, dangerous=lambda step: True)
    assert np.all(levels == 2)
    assert controller.forced == 100


def test_danger_is_paid_back_and_then_forgotten():
    controller = BudgetController(BudgetConfig(budget=0.25), COSTS)
    rng = np.random.default_rng(0)
    _, means = fly(controller, 'mixed', 1000, rng, dangerous=lambda step: step % 10 == 0)
    assert means[-1] == pytest.approx(0.25, rel=0.05)
    fly(controller, 'mixed', 1000, rng, dangerous=lambda step: True)
    levels, _ = fly(controller, 'mixed', 110, rng)
    assert np.all(levels[:50] == 0)
    assert levels[-10:].max() > 0  # half a window later it thinks again


def test_milliseconds_are_learnt_as_they_change():
    rng = np.random.default_rng(0)
    controller = BudgetController(BudgetConfig(budget=0.1), (0.03, 0.05, 0.2))
    truth = np.array([0.03, 0.05, 0.2])
    for scale in (1.0, 2.5, 0.8):  # another process comes and goes
        spent = []
        for _ in range(600):
            decision = leave(SCENES['mixed'](rng), controller.thresholds())
            cost = float(truth[decision.level] * scale * rng.lognormal(0, 0.2))
            controller.record(decision, cost)
            spent.append(cost)
        assert np.mean(spent[200:]) == pytest.approx(0.1, rel=0.05)


def test_costs_that_do_not_rise_are_refused():
    for costs in ((), (0.2, 0.1), (0.0, 1.0)):
        with pytest.raises(ValueError, match='rise from exit to exit'):
            BudgetController(BudgetConfig(), costs)


def test_the_newest_confidences_stay_in_order():
    rng = np.random.default_rng(0)
    recent, values = Recent(10), rng.integers(0, 5, 200) / 4
    for index, value in enumerate(values):
        recent.add(float(value))
        assert recent.ordered == sorted(values[max(0, index - 9) : index + 1])
    assert recent.quantile(0.0) == recent.ordered[0]
    assert recent.quantile(1.0) == NEVER


class Machine:
    """A clock, and a network whose stages let it run."""

    def __init__(self, times):
        self.now, self.times, self.slowness = 100.0, times, 1.0

    def clock(self):
        return self.now

    def answers(self):
        for level, spent in enumerate(self.times):
            self.now += spent * self.slowness
            last = level == len(self.times) - 1
            yield Answer(np.zeros((1, 3)), (np.inf if last else 0.0,))

    def decide(self, deadline, waited=0.0):
        deadline.begin(waited)
        decision = decide(self.answers(), (NEVER, NEVER), (1, 2, 3), deadline.may_run)
        return decision.level, deadline.end(decision.level)


def test_with_time_to_spare_the_deadline_changes_nothing():
    machine = Machine([0.001, 0.001, 0.005])
    deadline = Deadline(0.02, 3, machine.clock)
    assert [machine.decide(deadline)[0] for _ in range(50)] == [2] * 50


def test_what_has_waited_too_long_gets_the_first_answer():
    machine = Machine([0.001, 0.001, 0.005])
    deadline = Deadline(0.02, 3, machine.clock)
    machine.decide(deadline)
    level, took = machine.decide(deadline, waited=0.05)
    assert level == 0
    assert took == pytest.approx(0.051)


def test_a_slow_machine_answers_earlier_and_in_time():
    machine = Machine([0.001, 0.001, 0.005])
    deadline = Deadline(0.02, 3, machine.clock)
    machine.decide(deadline)
    machine.slowness = 4.0
    outcomes = [machine.decide(deadline) for _ in range(1000)]
    # It must try now and then whether the machine is free again, ever less often.
    assert np.mean([took <= 0.02 for _, took in outcomes]) >= 0.99
    assert {level for level, took in outcomes if took <= 0.02} == {1}
    machine.slowness = 1.0
    for _ in range(1000):
        level, _ = machine.decide(deadline)
    assert level == 2


def test_one_slow_moment_shuts_a_stage_out_for_a_short_while():
    machine = Machine([0.001, 0.001, 0.005])
    deadline = Deadline(0.02, 3, machine.clock)
    machine.slowness = 5.0
    assert machine.decide(deadline)[1] > 0.02
    machine.slowness = 1.0
    assert 0 < [machine.decide(deadline)[0] for _ in range(100)].index(2) < 40


def test_a_deadline_in_the_past_is_refused():
    with pytest.raises(ValueError, match='positive'):
        Deadline(0.0, 3, lambda: 0.0)
