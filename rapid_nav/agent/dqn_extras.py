"""What the full path may learn with and is shipped without: quantiles of returns, and noise."""

from collections.abc import Iterator
from contextlib import contextmanager
import math
from typing import Any

import torch
from torch import nn

from rapid_nav.agent.config import AgentConfig
from rapid_nav.agent.network import EarlyExitNetwork


class Quantiles(nn.Module):
    """
    Quantiles of the return about its mean, from the full head's hidden layer.

    The quantiles of Dabney et al. 2018 (arXiv 1710.10044) as Q + delta with deltas of mean zero:
    a network learns by its quantiles, and knows of nothing but their mean.
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
        return q_values[:, None] + delta - delta.mean(dim=1, keepdim=True)


class Noise(nn.Module):
    """
    Factorised Gaussian noise on the dense layers of a head.

    A layer's W and b, which stay the network's own, become W + S * f(o) f(i)^T and b + s * f(o)
    of drawn o and i, f(x) = sign(x) sqrt(|x|) (Fortunato et al. 2018, arXiv 1706.10295). S and s
    are the weight and bias of a layer here.
    """

    def __init__(self, head: nn.Module, initial: float) -> None:
        super().__init__()
        self.layers = nn.ModuleDict()
        for name, layer in head.named_children():
            if isinstance(layer, nn.Linear):
                self.layers[name] = sigma = nn.Linear(layer.in_features, layer.out_features)
                for weight in sigma.parameters():
                    nn.init.constant_(weight, initial / math.sqrt(layer.in_features))

    @contextmanager
    def on(self, head: nn.Module, each: bool = False) -> Iterator[None]:
        """Draw noise for whatever a head is asked meanwhile: once a batch, or for `each` row."""

        def hook(sigma: nn.Module) -> Any:
            def add(
                _: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor
            ) -> torch.Tensor:
                x = inputs[0]  # (B, in)
                rows = len(x) if each else 1
                i, o = _drawn(rows, x.shape[1], x), _drawn(rows, output.shape[1], x)
                return output + o * sigma(x * i)  # linear in what was drawn: no W is built

            return add

        hooks = [
            head.get_submodule(name).register_forward_hook(hook(sigma))
            for name, sigma in self.layers.items()
        ]
        try:
            yield
        finally:
            for handle in hooks:
                handle.remove()


def _drawn(rows: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """Return f of normal numbers (rows, size), on any device from the state that is saved."""
    drawn = torch.randn(rows, size).to(like)
    return drawn.sign() * drawn.abs().sqrt()


class Aids(nn.Module):
    """What settings ask for of the two, none by default; online and target have their own."""

    def __init__(self, network: EarlyExitNetwork, config: AgentConfig) -> None:
        super().__init__()
        about = network.config
        self.quantiles = (
            Quantiles(about.stages[-1].hidden, about.num_actions, config.quantiles)
            if config.quantiles > 1
            else None
        )
        self.noise = Noise(network.heads[-1], config.noisy) if config.noisy > 0 else None

    @contextmanager
    def noisy(self, network: EarlyExitNetwork, each: bool = False) -> Iterator[None]:
        """Draw noise for the full path of a network, if that is asked for; see `Noise.on`."""
        if self.noise is None:
            yield
            return
        with self.noise.on(network.heads[-1], each):
            yield

    def returns(
        self, q_values: torch.Tensor, hidden: torch.Tensor, actions: torch.Tensor
    ) -> torch.Tensor:
        """Return the quantiles (B, N) of actions (B,), or their Q-values (B, 1), of (B, A)."""
        chosen = q_values.gather(1, actions[:, None])
        if self.quantiles is None:
            return chosen
        return self.quantiles(chosen.squeeze(1), hidden, actions)
