"""Quantiles of the return: against float64 pair by pair, and on a known distribution."""

import numpy as np
import pytest
from small_learners import batch_of, BOTH, learner_of, PLAIN, TWO_EXITS
import torch

from rapid_nav.agent.losses import regression_loss


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
        for weight in learner.target.parameters():
            weight.add_(0.1)
    batch = batch_of(np.random.default_rng(0))

    def theta_by_hand(net, quantile_head, x):
        """Return quantiles (B, A, N) in numpy from the weights."""
        w = {
            name: value.detach().double().numpy()
            for name, value in [
                *net.heads[-1].state_dict().items(),
                *quantile_head.state_dict().items(),
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
    online, target = ((one.network, one.quantile_head) for one in (learner.online, learner.target))
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
    assert metrics['loss'] == pytest.approx((batch.importance_weights * expected).mean(), rel=1e-5)
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
    theta = learner.online.returns(answer.q_values, hidden, actions)
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
                importance_weights=np.ones(64, np.float32),
            )
        )
    answer, hidden = learner.network.full_path(torch.ones(2, 1, 1, 4))
    theta = learner.online.returns(answer.q_values, hidden, torch.tensor([0, 1])).detach()
    # Huber's kappa of 1 draws the outermost ones in a little.
    np.testing.assert_allclose(theta[0].numpy(), [1.0, 3.0, 5.0, 7.0], atol=0.5)
    np.testing.assert_allclose(theta[1].numpy(), 3.0, atol=0.1)
    np.testing.assert_allclose(answer.q_values[0].detach().numpy(), [4.0, 3.0], atol=0.25)
