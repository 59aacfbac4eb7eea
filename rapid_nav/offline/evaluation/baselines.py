"""Policies of one network: as it flies, and controls that spend the same operations blindly."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from rapid_nav.agent.losses import regret
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference.exit_rule import Answer, levels_of
from rapid_nav.offline.evaluation.rollout import BatchPolicy, Decisions

Score = Callable[[Answer], torch.Tensor]
"""From an answer to how sure it is (B,); larger is surer."""


def learned_confidence(answer: Answer) -> torch.Tensor:
    """Return the trained confidence in [0, 1]."""
    return torch.sigmoid(answer.confidence_logit)


def q_gap(answer: Answer) -> torch.Tensor:
    """Return how far the best Q-value is above the second."""
    best: torch.Tensor = answer.q_values.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


def negative_entropy(answer: Answer) -> torch.Tensor:
    """Return minus the entropy of the soft-maximum of the Q-values, scaled to their spread."""
    spread = answer.q_values.std(dim=1, keepdim=True).clamp(min=1e-6)
    log_policy = torch.log_softmax(answer.q_values / spread, dim=1)
    return (log_policy.exp() * log_policy).sum(dim=1)


RULES: dict[str, Score] = {'q_gap': q_gap, 'entropy': negative_entropy}


def answers_of(network: EarlyExitNetwork, observation: np.ndarray) -> list[Answer]:
    """Return every exit's answer for observations (N, C, H, W) uint8."""
    return list(network.answers(torch.from_numpy(observation).float() / 255))


def scored_policy(
    network: EarlyExitNetwork, score: Score, thresholds: Sequence[float]
) -> BatchPolicy:
    """Return the policy that leaves at the first branch whose score reaches its threshold."""
    limits = torch.tensor(thresholds)

    @torch.inference_mode()
    def decide(observation: np.ndarray, _rng: np.random.Generator) -> Decisions:
        answers = answers_of(network, observation)
        sure = torch.stack([score(answer) for answer in answers])
        return taken(answers, levels_of(sure, limits))

    return decide


def early_exit_policy(network: EarlyExitNetwork, thresholds: Sequence[float]) -> BatchPolicy:
    """Return the policy as it flies: it leaves at the first branch that is confident enough."""
    return scored_policy(network, learned_confidence, thresholds)


def random_exits(network: EarlyExitNetwork, shares: Sequence[float] | np.ndarray) -> BatchPolicy:
    """Return the policy that leaves at exits drawn at these rates (L,), whatever it sees."""

    @torch.inference_mode()
    def decide(observation: np.ndarray, rng: np.random.Generator) -> Decisions:
        level = rng.choice(len(shares), size=len(observation), p=shares)
        return taken(answers_of(network, observation), torch.from_numpy(level))

    return decide


def perfect_gate(network: EarlyExitNetwork, tolerance: float) -> BatchPolicy:
    """
    Return the policy that leaves at the first branch whose action loses at most a tolerance.

    By the Q-values of the last exit, which no gate can know without running it: what a learned
    confidence could win at best, by this measure of a loss.
    """

    @torch.inference_mode()
    def decide(observation: np.ndarray, _rng: np.random.Generator) -> Decisions:
        answers = answers_of(network, observation)
        return taken(answers, _levels_within(_regrets(answers), tolerance))

    return decide


def matched_tolerance(
    network: EarlyExitNetwork, observations: np.ndarray, macs: Sequence[int], macs_ratio: float
) -> float:
    """Return the least tolerance at which a perfect gate takes no more than these operations."""
    costs = torch.tensor(macs, dtype=torch.float64) / macs[-1]
    with torch.inference_mode():
        regrets = _regrets(answers_of(network, observations))
    for tolerance in torch.quantile(regrets, torch.linspace(0.0, 1.0, 1001)).tolist():
        if costs[_levels_within(regrets, tolerance).long()].mean() <= macs_ratio:
            return float(tolerance)
    return float(regrets.max())


def _regrets(answers: Sequence[Answer]) -> torch.Tensor:
    """Return what each exit's action loses by the last one's Q-values (L, N); there, nothing."""
    return torch.stack(
        [regret(answers[-1].q_values, answer.q_values.argmax(dim=1)) for answer in answers]
    )


def _levels_within(regrets: torch.Tensor, tolerance: float) -> torch.Tensor:
    return levels_of(-regrets, torch.full((len(regrets) - 1,), -tolerance))


def matched_thresholds(
    network: EarlyExitNetwork, score: Score, observations: np.ndarray, shares: Sequence[float]
) -> tuple[float, ...]:
    """Return thresholds for which a score leaves at each exit as often as shares (L,) say."""
    thresholds, remaining = [], torch.ones(len(observations), dtype=torch.bool)
    with torch.inference_mode():
        for level, answer in enumerate(answers_of(network, observations)[:-1]):
            left = max(1.0 - float(sum(shares[:level])), 1e-9)
            leaving = min(max(shares[level] / left, 0.0), 1.0)
            sure = score(answer)
            pool = sure[remaining]
            if leaving <= 0.0 or len(pool) == 0:
                thresholds.append(float('inf'))
                continue
            thresholds.append(float(torch.quantile(pool, 1.0 - leaving)))
            remaining &= sure < thresholds[-1]
    return tuple(thresholds)


def taken(answers: Sequence[Answer], level: torch.Tensor) -> Decisions:
    """Return the greedy decisions of each observation's exit (N,)."""
    greedy = torch.stack([answer.q_values.argmax(dim=1) for answer in answers])  # (L, N)
    return greedy.gather(0, level[None].long())[0].numpy(), level.numpy()
