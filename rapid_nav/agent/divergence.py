"""Divergence: dead units, and Q-values that collapse or explode."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from rapid_nav.agent.network import EarlyExitNetwork

MAX_DEAD = 0.95  # share of a layer's units
MIN_SPREAD = 0.01  # of Q-values over states, in standard deviations of the rewards summed
MAX_Q = 2.0  # as a share of the largest return of any policy


class DivergedTraining(ValueError):
    """A training run that has shown the same fault for long; the message says what to do."""


@torch.no_grad()
def signs(network: EarlyExitNetwork, observation: torch.Tensor) -> dict[str, float]:
    """
    Return signs of divergence of a network's full path on observations (B, C, H, W).

    `dead_units`: the share of units that no observation activates, in the layer where it is
    largest (a channel of a convolution is one unit). `q_max`: the largest absolute Q-value.
    `q_spread`: the standard deviation of Q-values over the observations, for the action with the
    largest one.
    """
    dead: list[float] = []

    def count(_layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        units = output.transpose(0, 1).flatten(1)  # (units, B...)
        dead.append(float((units <= 0).all(dim=1).float().mean()))

    hooks = [layer.register_forward_hook(count) for layer in _before_relus(network)]
    try:
        q_values = network(observation)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        'dead_units': max(dead),
        'q_max': float(q_values.abs().max()),
        'q_spread': float(q_values.std(dim=0).max()),
    }


def _before_relus(network: EarlyExitNetwork) -> list[nn.Module]:
    """Return the layers of the full path that a ReLU follows."""
    layers: list[nn.Module] = [
        layer
        for level, trunk in enumerate(network.trunks)
        if network.on_full_path(level)
        for layer in trunk.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    head = network.heads[-1]
    return layers + [
        layer for layer in (head.dense, head.value_dense) if isinstance(layer, nn.Linear)
    ]


class DivergenceWatch:
    """
    Ends a training run whose signs of divergence last; it knows nothing of the task.

    No policy's return exceeds the largest reward over 1 - discount, so Q-values far above it
    have exploded; Q-values that differ by orders less than the rewards have collapsed.
    """

    def __init__(self, discount: float, patience: int) -> None:
        self.discount, self.patience = discount, patience  # updates; 0: no limit
        self.since: dict[str, int] = {}  # update at which each present fault was first seen

    def check(
        self, updates: int, seen: Mapping[str, float], reward_max: float, reward_spread: float
    ) -> None:
        """Take `signs` at this number of updates; DivergedTraining if a fault has lasted."""
        present = self.faults(seen, reward_max, reward_spread)
        self.since = {fault: self.since.get(fault, updates) for fault in present}
        for fault, first in self.since.items():
            if self.patience and updates - first >= self.patience:
                raise DivergedTraining(
                    f'stopped a training run that diverged: {fault}, for the last '
                    f'{updates - first} updates; start anew, into another folder, with a smaller '
                    'agent.learning_rate or a larger agent.adam_epsilon (train.patience 0 turns '
                    'this check off)'
                )

    def faults(
        self, seen: Mapping[str, float], reward_max: float, reward_spread: float
    ) -> list[str]:
        """Return the faults, in words that stay the same while they last."""
        found = []
        if seen['dead_units'] >= MAX_DEAD:
            found.append(f'at least {MAX_DEAD:.0%} of the units of a layer are dead')
        if seen['q_spread'] < MIN_SPREAD * reward_spread:
            found.append('the Q-values have collapsed: they hardly depend on the observation')
        bound = reward_max / max(1.0 - self.discount, 1e-9)
        # Not "greater": NaN has exploded, too.
        if reward_max > 0 and not seen['q_max'] <= MAX_Q * bound:
            found.append(f'the Q-values have exploded beyond the {bound:.3g} that can be earned')
        return found
