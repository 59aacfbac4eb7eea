"""The network's promises: order, laziness, counts, and who teaches whom."""

import dataclasses

from networks import THREE_EXITS
import pytest
import torch

from rapid_nav.agent.config import c3f2_stages, nature_stages, rapid_stages, to_dict
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference.exit_rule import check_thresholds, decide, levels_of
from rapid_nav.inference.network_config import Conv, NATURE_DQN_MACS, NetworkConfig, Stage
from rapid_nav.options import from_dict

RAPID = NetworkConfig((3, 36, 64), 25, THREE_EXITS)
SHARED = NetworkConfig(
    (2, 10, 10),
    4,
    (
        Stage((Conv(4, 3, 1),), hidden=8),
        Stage((Conv(8, 3, 2),), hidden=16),
        Stage((Conv(8, 3, 1),), hidden=16),
    ),
)
POOLED = NetworkConfig(
    (2, 20, 20),
    4,
    (
        Stage((Conv(4, 3, 1, pool=2, pool_stride=2), Conv(4, 3, 1)), hidden=8),
        Stage((Conv(8, 3, 1, pool=3, pool_stride=1),), hidden=16),
        Stage((Conv(8, 3, 1),), hidden=16),
    ),
)
C3F2_MACS = 20_314_400  # of PEDRA's C3F2 for 103x103x3 and 25 actions
C3F2 = NetworkConfig((3, 103, 103), 25, c3f2_stages(), duelling=False)


@pytest.fixture(params=[RAPID, SHARED, POOLED], ids=['own stems', 'one trunk', 'pooled'])
def network(request):
    torch.manual_seed(1)
    return EarlyExitNetwork(request.param).eval()


def observe(network, batch=1):
    return torch.rand(batch, *network.config.input_shape)


def test_a_confident_first_exit_runs_no_later_stage(network):
    ran = []
    for level, trunk in enumerate(network.trunks):
        trunk.register_forward_hook(lambda *_, level=level: ran.append(level))
    with torch.no_grad():
        decision = decide(network.answers(observe(network)), [0.0, 0.0], (1, 2, 3))
    assert decision.level == 0
    assert ran == [0]


def test_an_unsure_network_goes_to_the_last_exit_and_says_what_it_cost(network):
    macs = network.config.macs
    with torch.no_grad():
        decision = decide(network.answers(observe(network)), [1.1, 1.1], macs)
    assert (decision.level, decision.macs, decision.macs_ratio) == (2, macs[-1], 1.0)
    assert decision.confidence == 1.0


def test_the_batched_rule_agrees_with_the_decisions_made_one_by_one(network):
    observation = observe(network, 64)
    with torch.no_grad():
        confidences = torch.stack(
            [torch.sigmoid(answer.confidence_logit) for answer in network.answers(observation)]
        )
        thresholds = confidences[:-1].quantile(0.5, dim=1)  # between two of them
        together = levels_of(confidences, thresholds)
        alone = [
            decide(network.answers(one[None]), thresholds.tolist(), (1, 2, 3)).level
            for one in observation
        ]
    assert together.tolist() == alone
    assert len(set(alone)) > 1


def test_the_full_path_alone_gives_the_last_exits_answer(network):
    observation = observe(network, 5)
    last = list(network.answers(observation))[-1]
    torch.testing.assert_close(network(observation), last.q_values)


def test_the_plain_network_can_hand_its_weights_to_the_full_path(network):
    plain = EarlyExitNetwork(network.config.without_branches).eval()
    network.load_plain(plain)
    observation = observe(network, 5)
    torch.testing.assert_close(network(observation), plain(observation))


def test_the_full_path_can_be_taken_out_as_a_plain_network(network):
    plain = network.plain()
    assert plain.config == network.config.without_branches
    assert not plain.training
    observation = observe(network, 5)
    torch.testing.assert_close(plain(observation), network(observation))


def test_isolated_branches_do_not_move_the_full_path(network):
    observation = observe(network, 3)
    branches = list(network.answers(observation, isolate=True))[:-1]
    sum(answer.q_values.sum() + answer.confidence_logit.sum() for answer in branches).backward()
    for level, trunk in enumerate(network.trunks):
        for weight in trunk.parameters():
            moved = weight.grad is not None and bool(weight.grad.abs().sum() > 0)
            assert moved == (not network.on_full_path(level))


def test_operations_agree_with_torchs_own_counter(network):
    from torch.utils.flop_counter import FlopCounterMode

    counted = []
    answers = network.answers(observe(network))
    for level in range(network.num_levels):
        with FlopCounterMode(display=False) as counter:
            next(answers)
        counted.append(counter.get_total_flops() // 2 + (counted[-1] if level else 0))
    assert network.config.macs == tuple(counted)


def test_the_plain_nature_network_has_its_known_size():
    nature = EarlyExitNetwork(NetworkConfig((4, 84, 84), 6, nature_stages(), duelling=False))
    assert nature.config.without_branches.macs[-1] == NATURE_DQN_MACS


def test_pedras_c3f2_has_its_known_size_and_a_first_exit_that_is_cheap():
    network = EarlyExitNetwork(C3F2)
    macs = network.config.macs
    assert network.config.without_branches.macs[-1] == C3F2_MACS
    assert macs[0] < macs[1] <= 0.06 * C3F2_MACS
    assert macs[-1] <= 1.06 * C3F2_MACS


def test_a_pooled_layer_keeps_the_strongest_of_each_window():
    network = EarlyExitNetwork(
        NetworkConfig((1, 4, 4), 2, (Stage((Conv(1, 1, 1, pool=2, pool_stride=2),), hidden=4),))
    )
    with torch.no_grad():
        network.trunks[0][0].weight.fill_(1.0)
        network.trunks[0][0].bias.zero_()
        seen = network.trunks[0](torch.arange(16.0).reshape(1, 1, 4, 4))
    assert seen.flatten().tolist() == [5.0, 7.0, 13.0, 15.0]


def test_a_configuration_from_before_there_was_pooling_still_reads():
    values = to_dict(RAPID)
    for stage in values['stages']:
        for conv in stage['convs']:
            del conv['pool'], conv['pool_stride']
    assert from_dict(NetworkConfig, values) == RAPID


def test_the_shipped_architecture_keeps_its_budget():
    macs = NetworkConfig((3, 36, 64), 25, rapid_stages()).macs
    assert macs[-1] <= NATURE_DQN_MACS
    assert macs[0] <= 0.06 * macs[-1]


def test_a_configuration_survives_the_way_through_json(network):
    import json

    values = json.loads(json.dumps(to_dict(network.config)))
    assert from_dict(NetworkConfig, values) == network.config


def test_a_wrong_observation_is_refused_with_both_shapes(network):
    with pytest.raises(ValueError, match=r'reads \(B, '):
        next(network.answers(torch.zeros(1, 1, 2, 2)))


@pytest.mark.parametrize('thresholds', [[0.5, 0.5, 0.5], [-0.1], [3.0], []])
def test_bad_thresholds_are_named(thresholds):
    with pytest.raises(ValueError, match='threshold'):
        check_thresholds(thresholds, 3)


def test_convolutions_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match='leaves nothing'):
        EarlyExitNetwork(dataclasses.replace(RAPID, input_shape=(3, 3, 3)))
