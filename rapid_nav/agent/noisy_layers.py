"""Learnt noise on a head's dense layers, which explores in place of random actions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
import math

import torch
from torch import nn


class NoisyLayers(nn.Module):
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
    def added_to(self, head: nn.Module, each: bool = False) -> Iterator[None]:
        """Add noise to the head within the block: one draw for a batch, or one for `each` row."""
        hooks = [
            head.get_submodule(name).register_forward_hook(_noise(sigma, each))
            for name, sigma in self.layers.items()
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _noise(
    sigma: nn.Module, each: bool
) -> Callable[[nn.Module, tuple[torch.Tensor], torch.Tensor], torch.Tensor]:
    """Return the forward hook that adds noise of these sigmas to a dense layer's output."""

    def add(_: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
        x = inputs[0]  # (B, in)
        rows = len(x) if each else 1
        i, o = _drawn(rows, x.shape[1], x), _drawn(rows, output.shape[1], x)
        noise: torch.Tensor = o * sigma(x * i)  # linear in what is drawn: no matrix is built
        return output + noise

    return add


def _drawn(rows: int, size: int, like: torch.Tensor) -> torch.Tensor:
    """Return f of normal numbers (rows, size), drawn on the CPU whose state is saved."""
    drawn = torch.randn(rows, size).to(like)
    return drawn.sign() * drawn.abs().sqrt()
