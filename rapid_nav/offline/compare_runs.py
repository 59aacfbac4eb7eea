"""The runs of a comparison: one network trained and played on one of MinAtar's games."""

from collections.abc import Mapping, Sequence
import dataclasses
from dataclasses import dataclass, field
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.core import checkpoint
from rapid_nav.core.checkpoint import Checkpoint
from rapid_nav.core.config import AgentConfig, Conv, NetworkConfig, Stage, TrainConfig
from rapid_nav.core.cost import macs_by_level
from rapid_nav.core.network import EarlyExitNetwork
from rapid_nav.core.saved import write_atomically
from rapid_nav.offline import controls
from rapid_nav.offline.evaluate import Chooser, play_out
from rapid_nav.offline.minatar_env import MinAtarVectorEnv
from rapid_nav.offline.train import only_distilling, Trainer

log = logging.getLogger(__name__)

MODES = ('rapid', 'paper', 'joint')
PLAIN = 'plain'
NUM_ENVS = 16  # that a run learns in, side by side
BESIDE = ('random', 'exit 0 alone', 'full path')
"""What stands beside each point: random exits at its mix, and the same network without a gate."""

THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 2.0)


@dataclass(frozen=True)
class Lengths:
    """How long a run trains and plays; without branches, the last two are of no account."""

    steps: int  # of the plain network
    episodes: int  # by which a point is judged
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

    def curve(self) -> list[dict[str, Any]]:
        """Return what was played at each of THRESHOLDS."""
        return json.loads(self.file('json').read_text())['learned']


_AS_IT_IS = Change()


def network_for(channels: int, num_actions: int) -> NetworkConfig:
    """Return a network of about 0.6 M multiply-accumulates with two cheap exits."""
    return NetworkConfig((channels, 10, 10), num_actions, (
        Stage((Conv(8, 2, 2),), hidden=32, source='input'),
        Stage((Conv(16, 3, 1),), hidden=64),
        Stage((Conv(32, 3, 1),), hidden=128, source='input')))


def make_trainer(
    run: Run, lengths: Lengths, plain: EarlyExitNetwork | None, change: Change = _AS_IT_IS
) -> Trainer:
    """
    Return what trains a run's network.

    `rapid` and `paper` get the plain network of the same seed as their full path, which stands
    still: they differ in their branches alone, and in none of what they are compared with.
    """
    env: Any = MinAtarVectorEnv(run.game, NUM_ENVS)
    network = dataclasses.replace(
        network_for(env.single_observation_space.shape[0], int(env.single_action_space.n)),
        duelling=change.duelling)
    agent = dataclasses.replace(AgentConfig(
        mode=run.kind if run.kind in MODES else 'rapid', discount=0.99, n_step=3, batch_size=32,
        learning_rate=2.5e-4, target_period=250, regret_tolerance=0.02), **change.agent)
    steps = steps_of(run, lengths)
    config = TrainConfig(
        steps=steps, num_envs=NUM_ENVS, steps_per_update=4, replay_size=100_000,
        learning_starts=min(5_000, steps // 10), epsilon_share=0.1, early_share=0.0,
        seed=run.seed)
    if run.kind not in MODES:
        network = network.without_branches
    if plain is not None:
        agent = dataclasses.replace(agent, full_share=0.0, batch_size=64, learning_rate=1e-3)
        config = only_distilling(config)
    trainer = Trainer(env, network, agent, config)
    if plain is not None:
        trainer.learner.follow(plain)
    return trainer


def steps_of(run: Run, lengths: Lengths) -> int:
    """Return for how many steps a run trains."""
    return {'joint': lengths.steps + lengths.branch_steps, 'rapid': lengths.branch_steps,
            'paper': lengths.branch_steps}.get(run.kind, lengths.steps)


def train(
    run: Run, lengths: Lengths, plain: EarlyExitNetwork | None = None, change: Change = _AS_IT_IS
) -> None:
    """Train a run's network, unless it is there already; ValueError if that is of other steps."""
    path, steps = run.file('safetensors'), steps_of(run, lengths)
    if path.exists():
        known = int(checkpoint.load(path).card['steps'])
        if not steps <= known < steps + NUM_ENVS:
            raise ValueError(f'{path} was trained for {known} steps, not {steps}; name another '
                             '--out, or the same lengths')
        return
    trainer = make_trainer(run, lengths, plain, change)
    while trainer.step < trainer.config.steps:
        trainer.advance()
    checkpoint.save(run.file('safetensors'), Checkpoint(
        trainer.learner.network, {'task': 'minatar', 'game': run.game}, {},
        {'kind': run.kind, 'seed': run.seed, 'steps': trainer.step}))
    log.info('trained %s', run.file('safetensors').name)


def play(
    run: Run, network: EarlyExitNetwork, choose: Chooser, episodes: int, seed: int
) -> dict[str, Any]:
    """Play so many episodes; return the mean score, the share of operations, and that of exits."""
    macs = np.array(macs_by_level(network))
    scores, levels = play_out(
        MinAtarVectorEnv(run.game, episodes), choose, len(macs), seed + run.seed)
    shares = levels.sum(axis=0) / levels.sum()
    return {'score': float(scores.mean()), 'macs_ratio': float(shares @ macs / macs[-1]),
            'exit_shares': shares.tolist()}


def play_curve(run: Run, lengths: Lengths) -> None:
    """Play every threshold, for choosing one, unless it was done already."""
    path, episodes = run.file('json'), lengths.tuning_episodes
    if path.exists() and json.loads(path.read_text()).get('episodes') == episodes:
        return
    network = run.network()
    _write(path, {'episodes': episodes, 'learned': [
        play(run, network, _learned(network, threshold), episodes, 10_000)
        for threshold in THRESHOLDS]})


def judge(run: Run, lengths: Lengths, threshold: float = THRESHOLDS[-1]) -> dict[str, Any]:
    """Play other episodes at a threshold; if there are exits, by what stands beside them too."""
    torch.set_num_threads(1)
    path, network = run.file('judged.json'), run.network()
    wanted = {'threshold': threshold, 'episodes': lengths.episodes}
    beside = BESIDE if network.num_levels > 1 else ()
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        if wanted.items() <= known.items() and known.keys() >= set(beside):
            return known
    learned = play(run, network, _learned(network, threshold), lengths.episodes, 20_000)
    players = _beside(network, learned['exit_shares']) if beside else {}
    judged = {**wanted, 'learned': learned, **{
        name: play(run, network, chooser, lengths.episodes, 20_000)
        for name, chooser in players.items()}}
    _write(path, judged)
    return judged


def one_seed(
    out: Path, game: str, modes: Sequence[str], seed: int, lengths: Lengths
) -> None:
    """Train a plain network and the modes on one game, and play their curves."""
    torch.set_num_threads(1)
    plain = Run(out, game, PLAIN, seed)
    train(plain, lengths)
    for mode in modes:
        run = Run(out, game, mode, seed)
        train(run, lengths, None if mode == 'joint' else plain.network())
        play_curve(run, lengths)


def _beside(network: EarlyExitNetwork, exit_shares: Sequence[float]) -> dict[str, Chooser]:
    """Return the players of BESIDE, for a point that takes exits at these rates (L,)."""
    alone = controls.only_exit(0, network.num_levels)
    return dict(zip(BESIDE, (
        controls.random_exits(network, exit_shares),
        controls.scored_policy(network, controls.learned_confidence, alone),
        _learned(network, THRESHOLDS[-1])), strict=True))


def _learned(network: EarlyExitNetwork, threshold: float) -> Chooser:
    return controls.scored_policy(
        network, controls.learned_confidence, (threshold,) * (network.num_levels - 1))


def _write(path: Path, values: dict[str, Any]) -> None:
    write_atomically(path, (json.dumps(values) + '\n').encode())
