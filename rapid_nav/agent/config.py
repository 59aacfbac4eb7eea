"""The settings of the algorithm: each default, range and unit stands here and nowhere else."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from rapid_nav.inference.network_config import Conv, Stage
from rapid_nav.options import check, setting


def rapid_stages() -> tuple[Stage, ...]:
    """One cheap exit on a stem of patches, then the full network, for a 64x36 view."""
    return (
        Stage((Conv(16, 4, 4), Conv(32, 4, 4, 2)), hidden=40, source='input', doubt=24),
        Stage((Conv(32, 8, 4, 2), Conv(64, 4, 2, 1), Conv(64, 3, 1, 1)), 256, source='input'),
    )


def small_stages() -> tuple[Stage, ...]:
    """A static network of about a seventh of `rapid_stages`' operations, for comparison."""
    return (Stage((Conv(12, 8, 4, 2), Conv(24, 4, 2, 1)), hidden=64, source='input'),)


def light_stages() -> tuple[Stage, ...]:
    """One cheap exit and a full network of a tenth of the operations, for a 64x36 view."""
    return (
        Stage((Conv(8, 4, 4),), hidden=32, source='input'),
        Stage((Conv(16, 4, 4), Conv(24, 3, 2, 1)), hidden=64, source='input'),
    )


def nature_stages() -> tuple[Stage, ...]:
    """Mnih et al. 2015 for an 84x84 view, with a patch stem as first exit and one after conv1."""
    return (
        Stage((Conv(16, 8, 8),), hidden=64, source='input'),
        Stage((Conv(32, 3, 2, 1),), hidden=64),
        Stage((Conv(32, 8, 4), Conv(64, 4, 2), Conv(64, 3, 1)), 512, source='input'),
    )


def c3f2_stages() -> tuple[Stage, ...]:
    """PEDRA's C3F2 for a 103x103 view behind two exits of our own, on a stem that they share."""
    return (
        Stage((Conv(8, 4, 4), Conv(16, 3, 2, 1, pool=2, pool_stride=2)), 32, 'input', doubt=32),
        Stage((Conv(64, 3, 1, 1),), hidden=64, doubt=32),
        Stage(
            (
                Conv(96, 7, 4, pool=3, pool_stride=2),
                Conv(64, 5, 1, pool=2, pool_stride=2),
                Conv(64, 3, 1, 1),
            ),
            1024,
            'input',
        ),
    )


@dataclass(frozen=True)
class AgentConfig:
    """How the agent learns."""

    mode: str = setting(
        'rapid',
        'Exits are trained by rapid (distilled, confidence about regret), joint (every exit by '
        'Q-learning, confidence about agreement) or paper (joint, one exit after another).',
        choices=('rapid', 'joint', 'paper'),
    )
    full_share: float = setting(
        0.6,
        'In this share of the training, at its start, the full path learns, and then one '
        'branch after another (mode paper).',
        low=0.0,
        high=1.0,
    )
    discount: float = setting(
        0.98, 'A reward one decision later counts this share.', low=0.0, high=1.0
    )
    n_step: int = setting(5, 'So many rewards are summed before bootstrapping.', low=1, high=20)
    double: bool = setting(
        True, 'The next action is chosen online and valued by the target network.'
    )
    quantiles: int = setting(
        1,
        'The full path learns so many quantiles of the return and acts by their mean; 1: by '
        'expected values alone.',
        low=1,
        high=1000,
    )
    noisy: float = setting(
        0.0,
        "Noise explores, on the full path's dense layers, with this sigma at first and "
        'learnt ones later; 0 is none.',
        low=0.0,
        high=10.0,
    )
    learning_rate: float = setting(3e-4, 'Adam takes steps of this size.', low=0.0, high=1.0)
    learning_rate_end: float = setting(
        0.1,
        "At the end, Adam's steps have this share of their size at the start.",
        low=0.0,
        high=1.0,
    )
    adam_epsilon: float = setting(1e-5, "Adam's epsilon is this.", low=0.0, high=1.0)
    batch_size: int = setting(64, 'An update learns from so many transitions.', low=1, high=65536)
    max_grad_norm: float = setting(10.0, 'The norm of gradients is clipped to this.', low=0.0)
    target_period: int = setting(
        500, 'So many updates lie between two copies to the target network.', low=1
    )
    priority_exponent: float = setting(
        0.5,
        'Replay is prioritised by the TD error to this power; 0 is uniform.',
        low=0.0,
        high=1.0,
    )
    importance_exponent: float = setting(
        0.4,
        'Importance weights have this exponent at the start, and 1 at the end.',
        low=0.0,
        high=1.0,
    )
    regret_tolerance: float = setting(
        0.02, "Confidence is about a branch's action losing at most this much Q-value.", low=0.0
    )
    distil_temperature: float = setting(
        0.5, 'The teacher is softened by so many mean advantages of the batch.', low=1e-3
    )
    confidence_weight: float = setting(1.0, 'The confidence loss has this weight.', low=0.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class TrainConfig:
    """How long and on what schedule a training runs."""

    steps: int = setting(700_000, 'The environments make so many steps in all.', low=1)
    num_envs: int = setting(64, 'So many environments step together.', low=1)
    steps_per_update: int = setting(
        32, 'So many environment steps are made for each update.', low=1
    )
    replay_size: int = setting(300_000, 'The replay keeps so many transitions.', low=1)
    learning_starts: int = setting(10_000, 'So many steps come before the first update.', low=0)
    epsilon_start: float = setting(
        1.0, 'At the start, this share of the actions is random.', low=0.0, high=1.0
    )
    epsilon_end: float = setting(
        0.02, 'In the end, this share of the actions is random.', low=0.0, high=1.0
    )
    epsilon_share: float = setting(
        0.05, 'Exploration falls over this share of the steps.', low=0.0, high=1.0
    )
    early_share: float = setting(
        0.5, 'Early exits fly this share of the environments while training.', low=0.0, high=1.0
    )
    distil_share: float = setting(
        0.3,
        'In this share of the steps, at the end, the full path stands still and its branches '
        'learn from it on what they meet (mode rapid).',
        low=0.0,
        high=1.0,
    )
    patience: int = setting(
        5000,
        'A training stops after so many updates with dead units, or with collapsed or '
        'exploded Q-values; 0: never.',
        low=0,
    )
    seed: int = setting(0, 'Network, exploration and environments have this seed.', low=0)
    threads: int = setting(1, 'PyTorch uses so many threads.', low=1)
    device: str = setting('cpu', "PyTorch computes on this device, 'cpu' or 'cuda'.")

    def __post_init__(self) -> None:
        check(self)


def to_dict(config: Any) -> dict[str, Any]:
    """Return a settings dataclass as plain JSON values."""
    return dataclasses.asdict(config)
