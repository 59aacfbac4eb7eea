"""Learners of networks so small that a test computes them by hand."""

from typing import Any

import numpy as np
import pytest
import torch

from rapid_nav.agent.config import AgentConfig
from rapid_nav.agent.dqn import Learner
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.replay import Batch
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


def batch_of(rng: np.random.Generator, size: int = 6) -> Batch:
    return Batch(
        rng.normal(size=(size, 1, 1, 4)).astype(np.float32),
        rng.integers(2, size=size),
        rng.normal(size=size).astype(np.float32),
        rng.choice([0.0, 0.9], size).astype(np.float32),
        rng.normal(size=(size, 1, 1, 4)).astype(np.float32),
        rng.random(size).astype(np.float32),
        np.arange(size),
    )


def learner_of(
    network: NetworkConfig = PLAIN, device: str = 'cpu', seed: int = 0, **settings: Any
) -> Learner:
    torch.manual_seed(seed)
    learner = Learner(
        EarlyExitNetwork(network), AgentConfig(**{'learning_rate': 1e-2, **settings}), device
    )
    for index, weight in enumerate(
        learner.online.extra_parameters()
    ):  # quantiles begin all the same
        weight.data.add_(
            0.1
            * torch.randn(weight.shape, generator=torch.Generator().manual_seed(index)).to(weight)
        )
    learner.update_target()
    return learner
