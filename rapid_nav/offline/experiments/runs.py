"""The runs of a comparison: one network trained on one of MinAtar's games."""

from collections.abc import Mapping
import dataclasses
from dataclasses import dataclass, field
import logging
from pathlib import Path
from typing import Any

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import AgentConfig, to_dict, TrainConfig
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.run_directory import check_same, flat
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage
from rapid_nav.offline.minatar.env import GAMES, MinAtarVectorEnv
from rapid_nav.offline.training.loop import EnvironmentLoop, make_loop, only_distilling
from rapid_nav.options import setting

log = logging.getLogger(__name__)

MODES = ('rapid', 'paper', 'joint')
PLAIN = 'plain'
NUM_ENVS = 16  # that a run learns in, side by side


@dataclass(frozen=True)
class ComparisonConfig:
    """What every comparison takes."""

    out: Path = setting(
        Path('runs/minatar'),
        'Folder of the runs, which comparisons share; finished ones are kept.',
    )
    games: tuple[str, ...] = setting(GAMES, 'Games of MinAtar.')
    seeds: int = setting(5, 'Number of training runs of each kind and game.', low=1, high=1000)
    steps: int = setting(
        500_000, 'Environment steps of the plain network, over all environments.', low=100
    )
    episodes: int = setting(100, 'Number of test episodes of each network.', low=1)
    jobs: int = setting(
        2, 'Number of training runs at the same time, one thread each.', low=1, high=256
    )
    report: Path | None = setting(None, 'JSON file for the figures.')


@dataclass(frozen=True)
class Lengths:
    """How long a run trains and plays; without branches, the last two are of no account."""

    steps: int  # of the plain network
    episodes: int  # by which a point is evaluated
    branch_steps: int = 0  # of the branches behind it; `joint` trains everything for both together
    tuning_episodes: int = 0  # by which a threshold is chosen, each


@dataclass(frozen=True)
class Change:
    """What a plain network's training does otherwise than PLAIN."""

    agent: Mapping[str, Any] = field(default_factory=dict)  # settings of AgentConfig
    duelling: bool = True


@dataclass(frozen=True)
class Run:
    """One network of a comparison, and where its files are."""

    out: Path
    game: str
    kind: str  # one of MODES; PLAIN, or the name of a change of it
    seed: int

    def file(self, ending: str) -> Path:
        """Return its file of this ending."""
        return self.out / f'{self.game}-{self.kind}-{self.seed}.{ending}'

    def network(self) -> EarlyExitNetwork:
        """Return the network as it was trained."""
        return checkpoint.load(self.file('safetensors')).network.eval()


_AS_IT_IS = Change()


def network_for(channels: int, num_actions: int) -> NetworkConfig:
    """Return a network of about 0.6 M multiply-accumulates with two cheap exits."""
    return NetworkConfig(
        (channels, 10, 10),
        num_actions,
        (
            Stage((Conv(8, 2, 2),), hidden=32, source='input'),
            Stage((Conv(16, 3, 1),), hidden=64),
            Stage((Conv(32, 3, 1),), hidden=128, source='input'),
        ),
    )


def make_run_loop(
    run: Run, lengths: Lengths, plain: EarlyExitNetwork | None, change: Change = _AS_IT_IS
) -> EnvironmentLoop:
    """
    Return what trains a run's network.

    `rapid` and `paper` get the plain network of the same seed as their full path, which stands
    still: they differ in their branches alone, and in none of what they are compared with.
    """
    env: Any = MinAtarVectorEnv(run.game, NUM_ENVS)
    network = dataclasses.replace(
        network_for(env.single_observation_space.shape[0], int(env.single_action_space.n)),
        duelling=change.duelling,
    )
    agent = dataclasses.replace(
        AgentConfig(
            mode=run.kind if run.kind in MODES else 'rapid',
            discount=0.99,
            n_step=3,
            batch_size=32,
            learning_rate=2.5e-4,
            target_period=250,
            regret_tolerance=0.02,
        ),
        **change.agent,
    )
    steps = steps_of(run, lengths)
    config = TrainConfig(
        steps=steps,
        num_envs=NUM_ENVS,
        steps_per_update=4,
        replay_size=100_000,
        learning_starts=min(5_000, steps // 10),
        epsilon_share=0.1,
        early_share=0.0,
        seed=run.seed,
    )
    if run.kind not in MODES:
        network = network.without_branches
    if plain is not None:
        agent = dataclasses.replace(agent, full_share=0.0, batch_size=64, learning_rate=1e-3)
        config = only_distilling(config)
    loop = make_loop(env, network, agent, config)
    if plain is not None:
        loop.trainer.learner.load_full_path(plain)
    return loop


def steps_of(run: Run, lengths: Lengths) -> int:
    """Return for how many steps a run trains."""
    return {
        'joint': lengths.steps + lengths.branch_steps,
        'rapid': lengths.branch_steps,
        'paper': lengths.branch_steps,
    }.get(run.kind, lengths.steps)


def train(
    run: Run, lengths: Lengths, plain: EarlyExitNetwork | None = None, change: Change = _AS_IT_IS
) -> None:
    """Train a run's network, unless it is there; ValueError if that has other settings."""
    path, loop = run.file('safetensors'), make_run_loop(run, lengths, plain, change)
    trainer = loop.trainer
    settings = flat(
        {
            'network': to_dict(trainer.learner.network.config),
            'agent': to_dict(trainer.agent),
            'train': to_dict(trainer.config),
        }
    )
    if path.exists():
        card = checkpoint.load(path).card
        # Version 0.1 kept the steps alone, rounded up to whole ones of all environments.
        if 'settings' not in card and card['steps'] // NUM_ENVS == -(
            -trainer.config.steps // NUM_ENVS
        ):
            return
        check_same(path, card.get('settings', {'train.steps': card['steps']}), settings)
        return
    while trainer.step < trainer.config.steps:
        loop.advance()
    checkpoint.save(
        path,
        Checkpoint(
            trainer.learner.network,
            {'task': 'minatar', 'game': run.game},
            {},
            {'kind': run.kind, 'seed': run.seed, 'steps': trainer.step, 'settings': settings},
        ),
    )
    log.info('trained %s', path.name)
