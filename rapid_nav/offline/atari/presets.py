"""Settings for Atari, as data: task, network, agent and training."""

from collections.abc import Sequence
import dataclasses
from dataclasses import dataclass
import json
from typing import Any

from rapid_nav.agent.config import AgentConfig, nature_stages, TrainConfig
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage
from rapid_nav.offline.atari.task import AtariTask


@dataclass(frozen=True)
class Preset:
    """What a training run on Atari starts from."""

    task: AtariTask
    stages: tuple[Stage, ...]
    agent: AgentConfig
    train: TrainConfig
    duelling: bool = True

    def network(self, num_actions: int, branches: bool = True) -> NetworkConfig:
        """Return the network for a game of this number of actions."""
        config = NetworkConfig(self.task.shape, num_actions, self.stages, duelling=self.duelling)
        return config if branches else config.without_branches

    def changed(self, changes: Sequence[str]) -> 'Preset':
        """Return it with settings changed, each as agent.n_step=3; ValueError if one is none."""
        preset = self
        for change in changes:
            name, _, text = change.partition('=')
            part, _, key = name.partition('.')
            config: Any = getattr(preset, part) if part in ('task', 'agent', 'train') else None
            names = [field.name for field in dataclasses.fields(config)] if config else []
            if key not in names or not text:
                known = f'; {part} has {", ".join(names)}' if names else ''
                raise ValueError(
                    f'{change!r} changes no setting: write task., agent. or train. and a setting, '
                    f'as train.num_envs=8{known}'
                )
            try:
                value = _value(text, getattr(config, key))
            except ValueError:
                raise ValueError(
                    f'{change!r}: {text!r} is no value of {name}, which is '
                    f'{getattr(config, key)!r} now'
                ) from None
            parts: dict[str, Any] = {part: dataclasses.replace(config, **{key: value})}
            preset = dataclasses.replace(preset, **parts)
        return preset


def _value(text: str, before: Any) -> Any:
    """Return a text as a value of the type that it replaces; ValueError if it is none."""
    if isinstance(before, str):
        return text
    value = json.loads(text.lower())
    whole = isinstance(before, int) and not isinstance(before, bool)
    if isinstance(value, bool) != isinstance(before, bool) or (whole and value != int(value)):
        raise ValueError(text)
    return type(before)(value)


FAST = Preset(
    task=AtariTask(size=42, pool=2),
    stages=(
        Stage((Conv(8, 4, 4), Conv(16, 3, 2)), hidden=48, source='input', doubt=16),
        Stage((Conv(16, 5, 3), Conv(32, 3, 2), Conv(32, 3, 1)), 256, source='input'),
    ),
    agent=AgentConfig(
        discount=0.99,
        n_step=5,
        double=False,
        learning_rate=2.5e-4,
        adam_epsilon=1.5e-4,
        batch_size=32,
        target_period=500,
    ),
    train=TrainConfig(
        steps=850_000,
        num_envs=16,
        steps_per_update=4,
        replay_size=200_000,
        learning_starts=10_000,
        epsilon_share=0.06,
        early_share=0.0,
    ),
)
"""A quarter of the image and a tenth of the operations: learns soonest on two cores."""

NATURE = Preset(
    task=AtariTask(size=84, life_loss=True),
    stages=nature_stages(),
    agent=AgentConfig(
        discount=0.99,
        n_step=1,
        double=False,
        learning_rate=6.25e-5,
        learning_rate_end=1.0,
        adam_epsilon=1.5e-4,
        batch_size=32,
        target_period=10_000,
        priority_exponent=0.0,
    ),
    train=TrainConfig(
        steps=50_000_000,
        num_envs=16,
        steps_per_update=4,
        replay_size=1_000_000,
        learning_starts=50_000,
        epsilon_end=0.1,
        epsilon_share=0.02,
        early_share=0.0,
    ),
    duelling=False,
)
"""Mnih et al. 2015, but for Adam with Dopamine's step size in place of RMSProp."""

PRESETS = {'fast': FAST, 'nature': NATURE}
