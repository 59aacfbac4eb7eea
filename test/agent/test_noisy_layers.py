"""Noise on the full path: against weights with noise, and on what is known."""

import numpy as np
import pytest
from small_learners import batch_of, BOTH, DEVICES, learner_of, PLAIN, TWO_EXITS
import torch
from torch.func import functional_call

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.noisy_layers import NoisyLayers
from rapid_nav.agent.replay import Batch
from rapid_nav.agent.trainer import Trainer


def seen_noise(seed, noise):
    """Return each layer's noise f(i), f(o) as one pass draws it for a batch."""
    torch.manual_seed(seed)
    root = lambda size: (lambda x: x.sign() * x.abs().sqrt())(torch.randn(size))  # noqa: E731
    sizes = {name: (layer.in_features, layer.out_features) for name, layer in noise.layers.items()}
    order = ['dense', 'q', 'value_dense', 'value']  # as the head asks them
    return {name: (root(sizes[name][0]), root(sizes[name][1])) for name in order}


def test_noise_is_that_of_weights_with_the_outer_product_and_so_are_its_gradients():
    learner = learner_of(noisy=0.5)
    head, noise = learner.network.heads[-1], learner.online.noisy_layers
    x, slope = torch.randn(6, 4), torch.randn(6, 2)
    drawn = seen_noise(7, noise)
    eps = {}
    for name, (i, o) in drawn.items():
        eps[f'{name}.weight'], eps[f'{name}.bias'] = torch.outer(o, i), o
    sigma = dict(noise.layers.named_parameters())
    noisy = {
        name: (mu + sigma[name] * eps[name]).detach().requires_grad_()
        for name, mu in head.named_parameters()
    }
    expected = functional_call(head, noisy, (x,))[0].q_values
    (expected * slope).sum().backward()
    torch.manual_seed(7)
    with noise.added_to(head):
        got = head(x)[0].q_values
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)
    (got * slope).sum().backward()
    for name, mu in head.named_parameters():
        torch.testing.assert_close(mu.grad, noisy[name].grad, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(
            sigma[name].grad, noisy[name].grad * eps[name], rtol=1e-4, atol=1e-6
        )
    assert not torch.allclose(got, head(x)[0].q_values)  # it is gone with its context


def test_the_gradient_of_sigma_is_that_of_finite_differences():
    network = EarlyExitNetwork(PLAIN).double()
    noise = NoisyLayers(network.heads[-1], 0.5).double()
    x, slope = torch.randn(6, 4).double(), torch.randn(6, 2).double()

    def value(*sigmas):
        torch.manual_seed(3)
        for layer, weight in zip(noise.layers.values(), sigmas, strict=True):
            layer._parameters['weight'] = weight
        with noise.added_to(network.heads[-1], each=True):
            return (network.heads[-1](x)[0].q_values * slope).sum()

    assert torch.autograd.gradcheck(
        value,
        tuple(layer.weight.detach().clone().requires_grad_() for layer in noise.layers.values()),
    )


def test_sigmas_start_as_in_the_paper_and_are_those_of_the_full_path_alone():
    noise = NoisyLayers(EarlyExitNetwork(TWO_EXITS).heads[-1], 0.5)
    assert set(noise.layers) == {'dense', 'q', 'value_dense', 'value'}
    for name, inputs in (('dense', 4), ('q', 16)):
        for weight in noise.layers[name].parameters():
            np.testing.assert_allclose(weight.detach().numpy(), 0.5 / inputs**0.5, rtol=1e-6)


def test_noise_of_sigma_zero_changes_no_bit():
    results = []
    for settings in ({}, {'noisy': 0.5}):
        learner = learner_of(TWO_EXITS, mode='joint', **settings)
        for weight in [*learner.online.extra_parameters(), *learner.target.extra_parameters()]:
            weight.data.zero_()
        rng = np.random.default_rng(0)
        for _ in range(20):
            learner.update(batch_of(rng))
            for weight in learner.online.extra_parameters():
                weight.data.zero_()
        q_values = learner.act(batch_of(rng).s_tm1, explore=True).q_values
        results.append(
            [q_values, *(weight.detach().numpy() for weight in learner.network.parameters())]
        )
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_without_them_a_learner_draws_nothing_and_keeps_nothing_more():
    learner = learner_of(TWO_EXITS)
    before = torch.get_rng_state()
    learner.update(batch_of(np.random.default_rng(0)))
    learner.act(np.zeros((3, 1, 1, 4), np.float32), explore=True)
    assert torch.equal(before, torch.get_rng_state())
    assert not list(learner.online.extra_parameters())
    assert not any('noisy' in name or 'quantile' in name for name in learner.state_dict())


def test_exploring_draws_noise_for_each_observation_and_evaluating_draws_none():
    learner = learner_of(TWO_EXITS, noisy=0.5)
    same = np.ones((3, 1, 1, 4), np.float32)
    first, then = (learner.act(same, explore=True) for _ in range(2))
    assert len(np.unique(np.concatenate([first.q_values, then.q_values])[:, 0])) == 6
    np.testing.assert_array_equal(first.confidences, then.confidences)  # a branch has none
    quiet = learner.act(same).q_values
    np.testing.assert_array_equal(quiet, learner.act(same).q_values)
    np.testing.assert_array_equal(quiet, learner.network(learner.to_float(same)).detach().numpy())


@pytest.mark.parametrize('mode', ['rapid', 'joint', 'paper'])
@pytest.mark.parametrize('device', DEVICES)
def test_noise_and_quantiles_learn_with_the_full_path_in_every_mode_and_reach_the_target(
    mode, device
):
    learner = learner_of(TWO_EXITS, device, mode=mode, target_period=4, **BOTH)
    rng = np.random.default_rng(0)
    before = [weight.detach().clone() for weight in learner.online.extra_parameters()]
    for _ in range(4):
        metrics, td_error = learner.update(batch_of(rng))
    assert np.isfinite(td_error).all() and np.isfinite(list(metrics.values())).all()
    after, target = (
        list(learner.online.extra_parameters()),
        list(learner.target.extra_parameters()),
    )
    assert len(after) == 2 + 2 * 4
    assert all(bool((now != was).any()) for now, was in zip(after, before, strict=True))
    assert all(torch.equal(now, copy) for now, copy in zip(after, target, strict=True))
    path = [weight.detach().clone() for weight in [*learner.network.parameter_groups()[0], *after]]
    learner.distil(batch_of(rng))  # the full path stands still, and all that belongs to it
    assert all(
        torch.equal(now, was)
        for now, was in zip([*learner.network.parameter_groups()[0], *after], path, strict=True)
    )


def test_the_gradients_of_noise_and_quantiles_are_clipped_together_with_the_full_paths():
    learner = learner_of(max_grad_norm=1e-3, **BOTH)
    assert learner.update(batch_of(np.random.default_rng(0)))[0]['grad_norm'] > 1e-3
    norm = torch.stack(
        [
            weight.grad.norm()
            for weight in [*learner.network.parameters(), *learner.online.extra_parameters()]
        ]
    ).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_branches_are_compared_with_the_full_path_as_it_is_shipped():
    learner = learner_of(TWO_EXITS, noisy=5.0)
    observation = torch.randn(50, 1, 1, 4)
    with learner.online.noisy():
        answers = list(learner.network.answers(observation))
    teacher_q = learner._noiseless(answers[-1], observation)
    torch.testing.assert_close(teacher_q, learner.network(observation))
    assert not torch.allclose(teacher_q, answers[-1].q_values)


@pytest.mark.parametrize('device', DEVICES)
def test_a_trainer_with_both_learns_on_as_one_that_never_stopped(device):
    def trainer(seed):
        return Trainer(
            TWO_EXITS,
            AgentConfig(batch_size=8, n_step=1, target_period=3, **BOTH),
            TrainConfig(
                steps=100,
                learning_starts=8,
                replay_size=100,
                distil_share=0.0,
                seed=seed,
                device=device,
            ),
            history=1,
        )

    straight, resumed = trainer(0), trainer(5)
    rng = np.random.default_rng(0)
    straight.add_trajectory(
        rng.integers(256, size=(51, 1, 1, 4)).astype(np.uint8),
        rng.integers(2, size=50),
        rng.normal(size=50).astype(np.float32),
        True,
    )
    for _ in range(5):
        straight.update()
    saved = {name: array.copy() for name, array in straight.state_dict().items()}
    ends = []
    for one in (straight, resumed):
        if one is resumed:
            one.load_state_dict(saved)
        for _ in range(10):
            one.update()
        ends.append(
            (
                one.state_dict(),
                one.learner.act(np.ones((2, 1, 1, 4), np.float32), explore=True).q_values,
            )
        )
    (ours, acted), (theirs, acted_too) = ends
    np.testing.assert_array_equal(acted, acted_too)
    assert ours.keys() == theirs.keys() and any('noisy' in name for name in ours)
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize(
    'settings', [{'quantiles': 8}, {'noisy': 0.5}, BOTH], ids=['quantiles', 'noise', 'both']
)
def test_a_chain_of_two_states_is_solved_by_what_explores(settings):
    """Action 1 leads on and then earns 1, action 0 earns 0.1 at once: worth 0.9 against 0.1."""
    learner = learner_of(discount=0.9, target_period=20, **settings)
    states = np.eye(4, dtype=np.float32)[:2].reshape(2, 1, 1, 4)
    rng = np.random.default_rng(0)
    for _ in range(600):
        where = rng.integers(2, size=16)
        acts = learner.act(states[where], explore=True).actions[-1]
        acts = np.where(
            rng.random(16) < (0.0 if 'noisy' in settings else 0.2), rng.integers(2, size=16), acts
        )
        on = (where == 0) & (acts == 1)
        rewards = np.where(on, 0.0, np.where((where == 1) & (acts == 1), 1.0, 0.1))
        learner.update(
            Batch(
                states[where],
                acts,
                rewards.astype(np.float32),
                np.where(on, 0.9, 0.0).astype(np.float32),
                states[np.ones(16, int)],
                np.ones(16, np.float32),
                np.arange(16),
            )
        )
    greedy = learner.act(states)
    assert greedy.actions[-1].tolist() == [1, 1]
    np.testing.assert_allclose(greedy.q_values[:, 1], [0.9, 1.0], atol=0.1)
