"""A training that can't end well is told from one that merely has not learned yet."""

import numpy as np
import pytest
import torch

from rapid_nav.agent.divergence import DivergedTraining, DivergenceWatch, signs
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage

WELL = {'dead_units': 0.2, 'q_spread': 0.3, 'q_max': 4.0}


def network() -> EarlyExitNetwork:
    torch.manual_seed(0)
    return EarlyExitNetwork(
        NetworkConfig(
            (2, 8, 8), 3, (Stage((Conv(4, 4, 4),), hidden=8), Stage((Conv(6, 2, 1),), hidden=16))
        )
    )


def observations() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((32, 2, 8, 8), np.float32))


def test_a_fresh_network_is_well():
    seen = signs(network(), observations())
    assert seen['dead_units'] < 0.7 and seen['q_spread'] > 0.01
    assert not DivergenceWatch(0.99, 10).faults(seen, reward_max=1.0, reward_spread=0.3)


@pytest.mark.parametrize(
    'kill',
    [lambda net: net.trunks[0][0], lambda net: net.trunks[1][0], lambda net: net.heads[-1].dense],
)
def test_a_layer_whose_units_nothing_wakes_is_found_wherever_it_is(kill):
    broken = network()
    with torch.no_grad():
        kill(broken).weight.zero_()
        kill(broken).bias.fill_(-1.0)
    assert signs(broken, observations())['dead_units'] == 1.0


def test_units_of_branches_do_not_count():
    broken = network()
    with torch.no_grad():
        broken.heads[0].dense.weight.zero_()
        broken.heads[0].dense.bias.fill_(-1.0)
    assert signs(broken, observations()) == signs(network(), observations())


@pytest.mark.parametrize(
    ('sign', 'value', 'named'),
    [
        ('dead_units', 0.99, 'dead'),
        ('q_spread', 1e-4, 'collapsed'),
        ('q_max', 500.0, 'exploded'),
        ('q_max', float('nan'), 'exploded'),
        ('q_max', float('inf'), 'exploded'),
    ],
)
def test_a_fault_that_lasts_stops_the_training_and_one_that_passes_does_not(sign, value, named):
    watch, ill = DivergenceWatch(0.99, 1000), {**WELL, sign: value}
    for updates, seen in ((500, ill), (1400, WELL), (1500, ill), (2400, ill)):
        watch.check(updates, seen, 1.0, 0.3)
    with pytest.raises(DivergedTraining, match=f'{named}.*1000 updates.*agent.learning_rate'):
        watch.check(2500, ill, 1.0, 0.3)


def test_equal_q_values_are_no_fault_before_there_was_any_reward():
    watch = DivergenceWatch(0.99, 1)
    for updates in range(0, 100, 10):
        watch.check(updates, {**WELL, 'q_spread': 0.0}, 0.0, 0.0)


def test_patience_may_be_endless():
    watch = DivergenceWatch(0.99, 0)
    for updates in range(0, 10**6, 10**5):
        watch.check(updates, {**WELL, 'dead_units': 1.0}, 1.0, 0.3)
