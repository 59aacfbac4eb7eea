"""Quantiles of the return beside a head's Q-values, for learning alone."""

import torch
from torch import nn


class QuantileHead(nn.Module):
    """
    Quantiles of the return about its mean, from the full head's hidden layer.

    The quantiles of Dabney et al. 2018 (arXiv 1710.10044) as Q + delta with deltas of mean zero:
    the network learns by its quantiles, and its Q-values are their mean.
    """

    def __init__(self, hidden: int, num_actions: int, quantiles: int) -> None:
        super().__init__()
        self.shape = (num_actions, quantiles)
        self.delta = nn.Linear(hidden, num_actions * quantiles)
        nn.init.zeros_(self.delta.weight)  # at first, every quantile is the mean
        nn.init.zeros_(self.delta.bias)

    def forward(
        self, q_values: torch.Tensor, hidden: torch.Tensor, actions: torch.Tensor
    ) -> torch.Tensor:
        """Return the quantiles (B, N) of Q-values (B,) of actions (B,), hidden (B, hidden)."""
        delta = self.delta(hidden).unflatten(1, self.shape)  # (B, A, N)
        delta = delta[torch.arange(len(actions), device=delta.device), actions]
        quantiles: torch.Tensor = q_values[:, None] + delta - delta.mean(dim=1, keepdim=True)
        return quantiles
