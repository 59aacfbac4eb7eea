"""Losses: how far answers are from targets, and a branch from its teacher."""

import torch
from torch.nn import functional


def regression_loss(returns: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """
    Return the Huber loss (B,) of means (B, 1), or that of quantiles (B, N), for targets (B, M).

    Of quantiles it is summed over them and averaged over the targets (Dabney et al., kappa 1).
    """
    if returns.shape[1] == 1:
        return functional.smooth_l1_loss(returns.squeeze(1), targets.squeeze(1), reduction='none')
    count = returns.shape[1]
    share = (torch.arange(count, device=returns.device) + 0.5) / count  # (N,)
    error = targets[:, None, :] - returns[:, :, None]  # (B, N, M)
    huber = functional.smooth_l1_loss(error, torch.zeros_like(error), reduction='none')
    weight = (share[:, None] - (error.detach() < 0).float()).abs()
    return (weight * huber).mean(dim=2).sum(dim=1)


def regrets(q_values: torch.Tensor) -> torch.Tensor:
    """Return the Q-value (B, A) that each action loses against the best of Q-values (B, A)."""
    return q_values.amax(dim=1, keepdim=True) - q_values


def regret(q_values: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    """Return the Q-value (B,) that actions (B,) lose against the best ones of Q-values (B, A)."""
    return regrets(q_values).gather(1, actions[:, None].long()).squeeze(1)


def distillation_loss(
    student: torch.Tensor, teacher: torch.Tensor, temperature: float
) -> torch.Tensor:
    """
    Return how far a branch's Q-values (B, A) are from the teacher's, as policy and as values.

    The policy's part is the divergence between the soft-maxima of both (Rusu et al. 2016) and
    what the student's loses by the teacher's values (the cost-to-go of Ross and Bagnell 2014,
    arXiv 1406.5979), which spares no effort for actions that matter. Temperature and costs are
    in units of the batch's mean absolute advantage, so that they do not depend on the rewards'
    scale. The values' part keeps the branch's numbers readable as returns.
    """
    scale = (teacher - teacher.mean(dim=1, keepdim=True)).abs().mean().clamp(min=1e-4)
    soft = scale * temperature
    log_policy = functional.log_softmax(student / soft, dim=1)
    divergence = functional.kl_div(
        log_policy,
        functional.log_softmax(teacher / soft, dim=1),
        log_target=True,
        reduction='batchmean',
    )
    cost = (log_policy.exp() * (regrets(teacher) / scale)).sum(dim=1).mean()
    return divergence + cost + functional.smooth_l1_loss(student / scale, teacher / scale)
