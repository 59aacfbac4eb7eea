"""Quantiles and noise of the full path: against numpy, by hand, and on what is known."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from rapid_nav.agent.config import AgentConfig, TrainConfig
from rapid_nav.agent.dqn import Learner
from rapid_nav.agent.dqn_extras import Aids
from rapid_nav.agent.losses import regression_loss
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.replay import Batch
from rapid_nav.agent.trainer import Pupil
from rapid_nav.inference.network_config import NetworkConfig, Stage

PLAIN = NetworkConfig((1, 1, 4), 2, (Stage((), 16, 'input'),))
TWO_EXITS = NetworkConfig((1, 1, 4), 2, (Stage((), 8, 'input'), Stage((), 16, 'input')))
BOTH = {'quantiles': 5, 'noisy': 0.5}
DEVICES = [
    'cpu',
    pytest.param(
        'cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA here')
    ),
]


def batch_of(rng, size=6):
    return Batch(
        rng.normal(size=(size, 1, 1, 4)).astype(np.float32),
        rng.integers(2, size=size),
        rng.normal(size=size).astype(np.float32),
        rng.choice([0.0, 0.9], size).astype(np.float32),
        rng.normal(size=(size, 1, 1, 4)).astype(np.float32),
        rng.random(size).astype(np.float32),
        np.arange(size),
    )


def learner_of(network=PLAIN, device='cpu', seed=0, **settings):
    torch.manual_seed(seed)
    learner = Learner(
        EarlyExitNetwork(network), AgentConfig(**{'learning_rate': 1e-2, **settings}), device
    )
    for index, weight in enumerate(learner.aids.parameters()):  # quantiles begin all the same
        weight.data.add_(
            0.1
            * torch.randn(weight.shape, generator=torch.Generator().manual_seed(index)).to(weight)
        )
    learner._renew_target()
    return learner


def quantile_loss(theta, targets):
    """Dabney et al. 2018, eq. 9 and 10 with kappa 1 and algorithm 1, pair by pair."""
    count, total = len(theta), 0.0
    for i in range(count):
        for target in targets:
            u = target - theta[i]
            huber = u**2 / 2 if abs(u) <= 1 else abs(u) - 0.5
            total += abs((i + 0.5) / count - (u < 0)) * huber / len(targets)
    return total


@pytest.mark.parametrize('double', [True, False])
@pytest.mark.parametrize('network', [PLAIN, TWO_EXITS], ids=['plain', 'two exits'])
def test_an_update_by_quantiles_has_the_loss_that_float64_gives_pair_by_pair(double, network):
    learner = learner_of(network, quantiles=5, double=double, mode='paper', full_share=1.0)
    with torch.no_grad():
        for weight in [*learner.target.parameters(), *learner.target_aids.parameters()]:
            weight.add_(0.1)
    batch = batch_of(np.random.default_rng(0))

    def theta_by_hand(net, aids, x):
        """Return quantiles (B, A, N) in numpy from the weights."""
        w = {
            name: value.detach().double().numpy()
            for name, value in [
                *net.heads[-1].state_dict().items(),
                *aids.quantiles.state_dict().items(),
            ]
        }
        x = x.reshape(len(x), -1).astype(np.float64)
        layer = lambda name, v: v @ w[f'{name}.weight'].T + w[f'{name}.bias']  # noqa: E731
        hidden = np.maximum(layer('dense', x), 0)
        advantage = layer('q', hidden)
        q = (
            layer('value', np.maximum(layer('value_dense', x), 0))
            + advantage
            - advantage.mean(axis=1, keepdims=True)
        )
        delta = layer('delta', hidden).reshape(len(x), 2, 5)
        return q[:, :, None] + delta - delta.mean(axis=2, keepdims=True)

    rows = np.arange(6)
    online, target = (learner.network, learner.aids), (learner.target, learner.target_aids)
    theta_t = theta_by_hand(*target, batch.s_t)
    best = (theta_by_hand(*online, batch.s_t) if double else theta_t).mean(axis=2).argmax(axis=1)
    goals = batch.r_t[:, None] + batch.discount_t[:, None] * theta_t[rows, best]
    theta = theta_by_hand(*online, batch.s_tm1)[rows, batch.a_tm1]
    expected = np.array([quantile_loss(*pair) for pair in zip(theta, goals, strict=True)])
    np.testing.assert_allclose(learner.bellman_targets(batch).numpy(), goals, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        regression_loss(torch.from_numpy(theta), torch.from_numpy(goals)).numpy(),
        expected,
        rtol=1e-6,
    )
    metrics, td_error = learner.update(batch)
    assert metrics['loss'] == pytest.approx((batch.weights * expected).mean(), rel=1e-5)
    np.testing.assert_allclose(
        td_error, np.abs(goals.mean(axis=1) - theta.mean(axis=1)), rtol=1e-4, atol=1e-6
    )


def test_the_mean_of_the_quantiles_is_what_the_network_says():
    learner = learner_of(TWO_EXITS, **BOTH)
    rng = np.random.default_rng(0)
    for _ in range(20):
        learner.update(batch_of(rng))
    batch = batch_of(rng, 32)
    answer, hidden = learner.network.full_path(learner.to_float(batch.s_tm1))
    actions = torch.from_numpy(batch.a_tm1)
    theta = learner.aids.returns(answer.q_values, hidden, actions)
    assert theta.shape == (32, 5) and float(theta.std(dim=1).min()) > 1e-3
    torch.testing.assert_close(
        theta.mean(dim=1), answer.q_values[torch.arange(32), actions], rtol=1e-5, atol=1e-6
    )


def test_quantiles_learn_the_distribution_of_a_reward():
    learner = learner_of(quantiles=4, discount=0.0, learning_rate=3e-3)
    rng = np.random.default_rng(0)
    for step in range(1500):
        learner.set_progress(step / 1500)
        batch = batch_of(rng, 64)
        rewards = np.where(batch.a_tm1 == 0, rng.uniform(0.0, 8.0, 64), 3.0)
        learner.update(
            batch._replace(
                s_tm1=np.ones_like(batch.s_tm1),
                r_t=rewards.astype(np.float32),
                discount_t=np.zeros(64, np.float32),
                weights=np.ones(64, np.float32),
            )
        )
    answer, hidden = learner.network.full_path(torch.ones(2, 1, 1, 4))
    theta = learner.aids.returns(answer.q_values, hidden, torch.tensor([0, 1])).detach()
    # Huber's kappa of 1 draws the outermost ones in a little.
    np.testing.assert_allclose(theta[0].numpy(), [1.0, 3.0, 5.0, 7.0], atol=0.5)
    np.testing.assert_allclose(theta[1].numpy(), 3.0, atol=0.1)
    np.testing.assert_allclose(answer.q_values[0].detach().numpy(), [4.0, 3.0], atol=0.25)


def seen_noise(seed, network, aids):
    """Return each layer's noise f(i), f(o) as one pass draws it for a batch."""
    torch.manual_seed(seed)
    root = lambda size: (lambda x: x.sign() * x.abs().sqrt())(torch.randn(size))  # noqa: E731
    sizes = {
        name: (layer.in_features, layer.out_features) for name, layer in aids.noise.layers.items()
    }
    order = ['dense', 'q', 'value_dense', 'value']  # as the head asks them
    return {name: (root(sizes[name][0]), root(sizes[name][1])) for name in order}


def test_noise_is_that_of_weights_with_the_outer_product_and_so_are_its_gradients():
    learner = learner_of(noisy=0.5)
    head, noise = learner.network.heads[-1], learner.aids.noise
    x, slope = torch.randn(6, 4), torch.randn(6, 2)
    drawn = seen_noise(7, learner.network, learner.aids)
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
    with noise.on(head):
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
    aids = Aids(network, AgentConfig(noisy=0.5)).double()
    x, slope = torch.randn(6, 4).double(), torch.randn(6, 2).double()

    def value(*sigmas):
        torch.manual_seed(3)
        for layer, weight in zip(aids.noise.layers.values(), sigmas, strict=True):
            layer._parameters['weight'] = weight
        with aids.noise.on(network.heads[-1], each=True):
            return (network.heads[-1](x)[0].q_values * slope).sum()

    assert torch.autograd.gradcheck(
        value,
        tuple(
            layer.weight.detach().clone().requires_grad_() for layer in aids.noise.layers.values()
        ),
    )


def test_sigmas_start_as_in_the_paper_and_are_those_of_the_full_path_alone():
    aids = Aids(EarlyExitNetwork(TWO_EXITS), AgentConfig(noisy=0.5))
    assert set(aids.noise.layers) == {'dense', 'q', 'value_dense', 'value'}
    for name, inputs in (('dense', 4), ('q', 16)):
        for weight in aids.noise.layers[name].parameters():
            np.testing.assert_allclose(weight.detach().numpy(), 0.5 / inputs**0.5, rtol=1e-6)


def test_noise_of_sigma_zero_changes_no_bit():
    results = []
    for settings in ({}, {'noisy': 0.5}):
        learner = learner_of(TWO_EXITS, mode='joint', **settings)
        for weight in [*learner.aids.parameters(), *learner.target_aids.parameters()]:
            weight.data.zero_()
        rng = np.random.default_rng(0)
        for _ in range(20):
            learner.update(batch_of(rng))
            for weight in learner.aids.parameters():
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
    assert not list(learner.aids.parameters())
    assert not any('aids' in name for name in learner.to_arrays())


def test_whoever_explores_has_fresh_noise_of_his_own_and_whoever_is_judged_none():
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
def test_aids_learn_with_the_full_path_in_every_mode_and_reach_the_target(mode, device):
    learner = learner_of(TWO_EXITS, device, mode=mode, target_period=4, **BOTH)
    rng = np.random.default_rng(0)
    before = [weight.detach().clone() for weight in learner.aids.parameters()]
    for _ in range(4):
        metrics, td_error = learner.update(batch_of(rng))
    assert np.isfinite(td_error).all() and np.isfinite(list(metrics.values())).all()
    after, target = list(learner.aids.parameters()), list(learner.target_aids.parameters())
    assert len(after) == 2 + 2 * 4
    assert all(bool((now != was).any()) for now, was in zip(after, before, strict=True))
    assert all(torch.equal(now, copy) for now, copy in zip(after, target, strict=True))
    path = [weight.detach().clone() for weight in [*learner.network.parameter_groups()[0], *after]]
    learner.distil(batch_of(rng))  # the full path stands still, and all that belongs to it
    assert all(
        torch.equal(now, was)
        for now, was in zip([*learner.network.parameter_groups()[0], *after], path, strict=True)
    )


def test_the_gradients_of_aids_are_clipped_together_with_the_full_paths():
    learner = learner_of(max_grad_norm=1e-3, **BOTH)
    assert learner.update(batch_of(np.random.default_rng(0)))[0]['grad_norm'] > 1e-3
    norm = torch.stack(
        [
            weight.grad.norm()
            for weight in [*learner.network.parameters(), *learner.aids.parameters()]
        ]
    ).norm()
    assert float(norm) == pytest.approx(1e-3, rel=1e-3)


def test_branches_are_compared_with_the_full_path_as_it_is_shipped():
    learner = learner_of(TWO_EXITS, noisy=5.0)
    observation = torch.randn(50, 1, 1, 4)
    with learner.aids.noisy(learner.network):
        answers = list(learner.network.answers(observation))
    teacher = learner._teacher(answers, observation)
    torch.testing.assert_close(teacher.q_values, learner.network(observation))
    assert not torch.allclose(teacher.q_values, answers[-1].q_values)


@pytest.mark.parametrize('device', DEVICES)
def test_a_pupil_with_both_learns_on_as_one_that_never_stopped(device):
    def pupil(seed):
        return Pupil(
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

    straight, resumed = pupil(0), pupil(5)
    rng = np.random.default_rng(0)
    straight.remember(
        rng.integers(256, size=(51, 1, 1, 4)).astype(np.uint8),
        rng.integers(2, size=50),
        rng.normal(size=50).astype(np.float32),
        True,
    )
    for _ in range(5):
        straight.learn()
    saved = {name: array.copy() for name, array in straight.to_arrays().items()}
    ends = []
    for one in (straight, resumed):
        if one is resumed:
            one.from_arrays(saved)
        for _ in range(10):
            one.learn()
        ends.append(
            (
                one.to_arrays(),
                one.learner.act(np.ones((2, 1, 1, 4), np.float32), explore=True).q_values,
            )
        )
    (ours, acted), (theirs, acted_too) = ends
    np.testing.assert_array_equal(acted, acted_too)
    assert ours.keys() == theirs.keys() and any(name.startswith('learner.aids') for name in ours)
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
    judged = learner.act(states)
    assert judged.actions[-1].tolist() == [1, 1]
    np.testing.assert_allclose(judged.q_values[:, 1], [0.9, 1.0], atol=0.1)
