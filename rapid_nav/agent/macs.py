"""Operations of a network, counted: multiply-accumulates of every layer that really runs."""

import torch
from torch import nn

from rapid_nav.agent.network import EarlyExitNetwork


def macs_by_level(network: EarlyExitNetwork) -> tuple[int, ...]:
    """
    Count the multiply-accumulates spent by a decision that leaves at each exit.

    Cumulative: every branch that was evaluated and rejected on the way is in, with its
    confidence head. Biases, activations and pooling are not multiply-accumulates.
    """
    spent = 0
    counts: list[int] = []
    hooks = []

    def count(layer: nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal spent
        spent += output[0].numel() * layer.weight[0].numel()  # type: ignore[index, operator]

    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            hooks.append(layer.register_forward_hook(count))
    device = next(network.parameters()).device
    try:
        with torch.no_grad():
            for _ in network.answers(torch.zeros(1, *network.config.input_shape, device=device)):
                counts.append(spent)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(counts)


def plain_macs(network: EarlyExitNetwork) -> int:
    """Count the multiply-accumulates of the same network without branches."""
    return macs_by_level(EarlyExitNetwork(network.config.without_branches))[-1]


NATURE_DQN_MACS = 9_346_048
"""Mnih et al. 2015 for 84x84x4 and 6 actions: a yardstick that every report is also held to."""

C3F2_MACS = 20_314_400
"""PEDRA's C3F2 for 103x103x3 and 25 actions."""
