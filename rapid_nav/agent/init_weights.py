"""Initial weights, for small images in which little differs."""

import torch
from torch import nn

from rapid_nav.agent.network import EarlyExitNetwork


@torch.no_grad()
def initialise(network: EarlyExitNetwork, typical: float) -> None:
    """
    Draw a network's weights anew so that differences in its input reach its answers.

    The initialisation of He et al. 2015 keeps the signal as strong in every layer, which
    PyTorch's own does not; answers are small at first. The layers that read the image are
    centred on its `typical` value in [0, 1]: a background of that value gives zero, not dead or
    saturated units.
    """
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    for level, (trunk, head) in enumerate(zip(network.trunks, network.heads, strict=True)):
        first = next((layer for layer in trunk.modules() if isinstance(layer, nn.Conv2d)), None)
        if network.config.reads_input(level) and first is not None:
            assert first.bias is not None
            first.bias.copy_(-typical * first.weight.sum(dim=(1, 2, 3)))
        for last in (head.q, head.value, head.confidence):
            if isinstance(last, nn.Linear):
                last.weight.mul_(0.1)
