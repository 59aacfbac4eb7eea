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
        'Share of the run, at its start, in which the full path learns; then one branch after '
        'another does (mode paper).',
        low=0.0,
        high=1.0,
    )
    discount: float = setting(0.98, 'Discount of rewards per decision.', low=0.0, high=1.0)
    n_step: int = setting(5, 'Rewards summed before bootstrapping.', low=1, high=20)
    double: bool = setting(
        True, 'Double Q-learning: the online network chooses, the target network evaluates.'
    )
    quantiles: int = setting(
        1,
        'Quantiles of the return that the full path learns; 1 learns expected values alone.',
        low=1,
        high=1000,
    )
    noisy: float = setting(
        0.0,
        "Initial sigma of the learnt noise on the full path's dense layers; 0 adds none.",
        low=0.0,
        high=10.0,
    )
    learning_rate: float = setting(3e-4, "Adam's learning rate at the start.", low=0.0, high=1.0)
    learning_rate_end: float = setting(
        0.1, 'Learning rate at the end, as a share of that at the start.', low=0.0, high=1.0
    )
    adam_epsilon: float = setting(1e-5, 'Epsilon of the Adam optimizer.', low=0.0, high=1.0)
    batch_size: int = setting(64, 'Transitions per update.', low=1, high=65536)
    max_grad_norm: float = setting(10.0, 'Norm that gradients are clipped to.', low=0.0)
    target_period: int = setting(500, 'Updates between copies to the target network.', low=1)
    priority_exponent: float = setting(
        0.5,
        'Exponent of the TD error in replay priorities; 0 samples uniformly.',
        low=0.0,
        high=1.0,
    )
    importance_exponent: float = setting(
        0.4,
        'Exponent of the importance weights at the start; it is 1 at the end.',
        low=0.0,
        high=1.0,
    )
    regret_tolerance: float = setting(
        0.02, "Largest regret of a branch's action that its confidence counts as right.", low=0.0
    )
    distil_temperature: float = setting(
        0.5, 'Temperature of distillation, in mean absolute advantages of the batch.', low=1e-3
    )
    confidence_weight: float = setting(1.0, 'Weight of the confidence loss.', low=0.0)

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True)
class ScheduleConfig:
    """How long a training run learns and on what schedule."""

    steps: int = setting(700_000, 'Environment steps in all, over all environments.', low=1)
    steps_per_update: int = setting(32, 'Environment steps per update.', low=1)
    replay_size: int = setting(300_000, 'Transitions in the replay buffer.', low=1)
    learning_starts: int = setting(10_000, 'Environment steps before the first update.', low=0)
    epsilon_start: float = setting(1.0, 'Share of random actions at the start.', low=0.0, high=1.0)
    epsilon_end: float = setting(0.02, 'Share of random actions at the end.', low=0.0, high=1.0)
    epsilon_share: float = setting(
        0.05, 'Share of the steps over which exploration falls.', low=0.0, high=1.0
    )
    distil_share: float = setting(
        0.3,
        'Share of the steps, at the end, in which the full path is frozen and only its branches '
        'learn (mode rapid).',
        low=0.0,
        high=1.0,
    )
    patience: int = setting(
        5000,
        'Updates with dead units, or with collapsed or exploded Q-values, after which training '
        'stops; 0 turns the check off.',
        low=0,
    )
    seed: int = setting(0, 'Seed of network, exploration and environments.', low=0)
    threads: int = setting(1, 'Threads that PyTorch uses.', low=1)
    device: str = setting('cpu', "PyTorch device, 'cpu' or 'cuda'.")

    def __post_init__(self) -> None:
        check(self)

    @property
    def schedule(self) -> dict[str, Any]:
        """These settings alone, without those of classes made of this one, as JSON values."""
        return {name: getattr(self, name) for name in fields_of(ScheduleConfig)}


@dataclass(frozen=True)
class TrainConfig(ScheduleConfig):
    """How a training run in simulated environments proceeds."""

    num_envs: int = setting(64, 'Environments that step together.', low=1)
    early_share: float = setting(
        0.5, 'Share of the environments in which early exits act.', low=0.0, high=1.0
    )


def fields_of(config: Any) -> list[str]:
    """Return the names of a settings dataclass's fields."""
    return [field.name for field in dataclasses.fields(config)]


def to_dict(config: Any) -> dict[str, Any]:
    """Return a settings dataclass as plain JSON values."""
    return dataclasses.asdict(config)
