"""What is shipped still does what its cards say, as far as a short look can tell."""

from pathlib import Path

import pytest

from rapid_nav.agent import checkpoint
from rapid_nav.drone.seeds import TEST
from rapid_nav.drone.task import FlightTask
from rapid_nav.offline.atari.task import AtariTask
from rapid_nav.offline.evaluation.atari_suite import AtariSuite, PROTOCOLS
from rapid_nav.offline.evaluation.baselines import early_exit_policy
from rapid_nav.offline.evaluation.suite import DroneSuite

MODELS = Path(__file__).parents[1] / 'models'
NAMES = sorted(path.stem for path in MODELS.glob('*.safetensors'))


def loaded(name):
    policy = checkpoint.load(MODELS / f'{name}.safetensors')
    return policy, policy.network.config.macs


@pytest.mark.parametrize('name', NAMES)
def test_a_card_names_the_operations_of_its_model_and_the_command_that_trained_it(name):
    card = (MODELS / f'{name}.md').read_text()
    policy, macs = loaded(name)
    assert all(f'{count:,}' in card for count in macs)
    assert ('rapid-nav train' in card and '## Limits' in card) or name == 'drone_baseline'
    for point, thresholds in policy.operating_points.items():
        assert f'`{point}`' in card
        assert all(f'{threshold:.4f}' in card for threshold in thresholds)
    assert policy.network.num_levels == 1 or 'balanced' in policy.operating_points


@pytest.mark.slow
def test_the_drone_flies_about_as_far_as_its_baseline_at_a_sixth_of_the_operations():
    suite = DroneSuite.of(FlightTask(), 24, TEST.start, cap_m=40.0)

    def fly(name, point):
        policy, macs = loaded(name)
        flown = early_exit_policy(policy.network, policy.thresholds(point))
        return suite.seen_by(policy.task).evaluate(point, flown, macs)

    balanced, baseline = fly('drone', 'balanced'), fly('drone_baseline', 'full')
    assert balanced.msf_m > 0.9 * baseline.msf_m > 0.9 * 25.0
    assert balanced.macs_ratio < 0.17
    assert balanced.coverage > 0.9 * baseline.coverage


@pytest.mark.slow
@pytest.mark.parametrize(('game', 'least'), [('pong', 5.0), ('freeway', 19.0)])
def test_a_player_scores_at_a_fifth_of_the_operations(game, least):
    pytest.importorskip('ale_py', reason='ale-py (GPL) is an optional extra')
    policy, macs = loaded(game)
    suite = AtariSuite(AtariTask.from_dict(policy.task), PROTOCOLS['nature'], 2, TEST.start)
    balanced = early_exit_policy(policy.network, policy.thresholds('balanced'))
    row = suite.evaluate('balanced', balanced, macs)
    assert row.score > least
    assert row.macs_ratio <= 0.2
