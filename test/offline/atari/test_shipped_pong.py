"""The shipped Pong player keeps what its card says, as far as two games can show."""

import pytest

from rapid_nav.agent import checkpoint
from rapid_nav.inference.network_config import NATURE_DQN_MACS
from rapid_nav.offline.atari.task import AtariTask
from rapid_nav.offline.evaluation.atari_suite import AtariSuite, PROTOCOLS
from rapid_nav.offline.evaluation.baselines import early_exit_policy
from rapid_nav.resources import shipped_model

pytest.importorskip('ale_py', reason='ale-py (GPL) is an optional extra')


def test_the_shipped_player_wins_at_a_fifth_of_its_own_operations():
    player = checkpoint.load(shipped_model('pong'))
    macs = player.network.config.macs
    balanced = early_exit_policy(player.network, player.thresholds('balanced'))
    suite = AtariSuite(AtariTask.from_dict(player.task), PROTOCOLS['nature'], 2, seed=30_000)
    row = suite.evaluate('balanced', balanced, macs)
    assert row.score > 5  # a game varies by several points
    assert row.macs_ratio <= 0.21 and macs[-1] <= NATURE_DQN_MACS


def test_its_full_path_is_its_baseline():
    player, baseline = (checkpoint.load(shipped_model(name)) for name in ('pong', 'pong_baseline'))
    assert baseline.network.config == player.network.config.without_branches
    theirs = baseline.network.state_dict()
    for name, weight in player.network.state_dict().items():
        level, rest = name.split('.')[1], name.split('.', 2)[2]
        if int(level) == player.network.num_levels - 1:
            assert (weight == theirs[f'{name.split(".")[0]}.0.{rest}']).all(), name
