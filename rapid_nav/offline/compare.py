"""`rapid-nav compare minatar`: ways of training exits, where a first exit is not enough."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
import itertools
import json
import logging
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.core.checkpoint import write_atomically
from rapid_nav.core.config import AgentConfig, Conv, NetworkConfig, Stage, TrainConfig
from rapid_nav.core.cost import macs_by_level
from rapid_nav.core.network import EarlyExitNetwork
from rapid_nav.offline import controls
from rapid_nav.offline.evaluate import Chooser, play_out
from rapid_nav.offline.minatar_env import GAMES, MinAtarVectorEnv
from rapid_nav.offline.statistics import interquartile_mean, stratified_bootstrap
from rapid_nav.offline.train import Trainer
from rapid_nav.settings import check, setting

log = logging.getLogger(__name__)

MODES = ('rapid', 'paper', 'joint')
THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 2.0)
BUDGET = 0.34
"""The share of operations at which RAPID-RL keeps 0.88 of the score (arXiv 2109.08231)."""


@dataclass(frozen=True)
class CompareConfig:
    """What `rapid-nav compare minatar` takes."""

    out: Path = setting(
        Path('runs/minatar'), 'The runs are in this folder; those that it has are kept.')
    games: tuple[str, ...] = setting(GAMES, 'These games are played.')
    modes: tuple[str, ...] = setting(MODES, 'These ways of training exits are compared.')
    seeds: int = setting(5, 'Each game and mode has so many trainings.', low=2, high=1000)
    steps: int = setting(
        500_000, 'A training has so many steps, all environments together.', low=100)
    episodes: int = setting(100, 'So many episodes are played at each point of a curve.', low=1)
    jobs: int = setting(
        2, 'So many trainings run at the same time, a thread each.', low=1, high=256)
    report: Path | None = setting(None, 'The figures are written to this JSON file.')

    def __post_init__(self) -> None:
        check(self)


def network_for(channels: int, num_actions: int) -> NetworkConfig:
    """Return a network of about 0.6 M multiply-accumulates with two cheap exits."""
    return NetworkConfig((channels, 10, 10), num_actions, (
        Stage((Conv(8, 2, 2),), hidden=32, source='input'),
        Stage((Conv(16, 3, 1),), hidden=64),
        Stage((Conv(32, 3, 1),), hidden=128, source='input')))


def train(game: str, mode: str, seed: int, steps: int) -> EarlyExitNetwork:
    """Train one network on one game."""
    env: Any = MinAtarVectorEnv(game, 16)
    network = network_for(
        env.single_observation_space.shape[0], env.single_action_space.n)
    agent = AgentConfig(
        mode=mode, discount=0.99, n_step=3, batch_size=32, learning_rate=2.5e-4,
        target_period=250, regret_tolerance=0.02)
    trainer = Trainer(env, network, agent, TrainConfig(
        steps=steps, num_envs=16, steps_per_update=4, replay_size=100_000,
        learning_starts=min(5_000, steps // 10), epsilon_share=0.1, early_share=0.0,
        distil_share=0.25, seed=seed))
    while trainer.step < steps:
        trainer.advance()
    return trainer.learner.network.eval()


def play(
    game: str, choose: Chooser, episodes: int, seed: int, num_levels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores (E,) of an episode in each of E games and decisions by exit (L,)."""
    scores, levels = play_out(MinAtarVectorEnv(game, episodes), choose, num_levels, seed)
    return scores, levels.sum(axis=0)


def curve_of(network: EarlyExitNetwork, game: str, episodes: int, seed: int) -> dict[str, Any]:
    """Play every threshold, and beside it random exits at the same mix, and each exit alone."""
    macs = np.array(macs_by_level(network))

    def point(choose: Chooser) -> dict[str, Any]:
        scores, levels = play(game, choose, episodes, 10_000 + seed, len(macs))
        shares = levels / levels.sum()
        return {'score': float(scores.mean()), 'macs_ratio': float(shares @ macs / macs[-1]),
                'exit_shares': shares.tolist()}

    learned = [point(controls.scored_policy(
        network, controls.learned_confidence, (threshold,) * (len(macs) - 1)))
        for threshold in THRESHOLDS]
    return {
        'learned': learned,
        'random': [point(controls.random_exits(network, row['exit_shares'])) for row in learned],
        'alone': [point(controls.scored_policy(
            network, controls.learned_confidence, controls.only_exit(level, len(macs))))
            for level in range(len(macs) - 1)],
    }


def one_run(out: Path, game: str, mode: str, seed: int, steps: int, episodes: int) -> None:
    """Train and measure one network, unless its result is there already."""
    path = out / f'{game}-{mode}-{seed}.json'
    if path.exists():
        return
    torch.set_num_threads(1)
    network = train(game, mode, seed, steps)
    result = {'game': game, 'mode': mode, 'seed': seed, 'steps': steps,
              **curve_of(network, game, episodes, seed)}
    write_atomically(path, (json.dumps(result) + '\n').encode())
    log.info('%s', path.name)


def main(config: CompareConfig) -> int:
    """Make the runs that are missing, then compare; write and print the figures."""
    config.out.mkdir(parents=True, exist_ok=True)
    wanted = list(itertools.product(range(config.seeds), config.games, config.modes))
    with ProcessPoolExecutor(
            config.jobs, mp_context=multiprocessing.get_context('spawn')) as pool:
        for future in [
                pool.submit(one_run, config.out, game, mode, seed, config.steps, config.episodes)
                for seed, game, mode in wanted]:
            future.result()
    report = compare(config)
    print(json.dumps(report['modes'], indent=1))
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    return 0


def compare(config: CompareConfig) -> dict[str, Any]:
    """
    Return, for each mode, the share of the baseline's score it keeps within the budget.

    The baseline is the full path of the same seed's `rapid` run, which no branch has touched. A
    seed's threshold is the one that did best, within the budget, on the other seeds.
    """
    runs = {
        (game, mode, seed): json.loads(
            (config.out / f'{game}-{mode}-{seed}.json').read_text())
        for seed, game, mode in itertools.product(
            range(config.seeds), config.games, config.modes)}
    report: dict[str, Any] = {'config': json.loads(json.dumps(asdict(config), default=str)),
                              'budget': BUDGET, 'modes': {}}
    for mode in config.modes:
        kept = {kind: np.zeros((len(config.games), config.seeds))
                for kind in ('learned', 'random', 'exit 0 alone', 'macs_ratio')}
        for (g, game), seed in itertools.product(enumerate(config.games), range(config.seeds)):
            run = runs[game, mode, seed]
            baseline = runs[game, config.modes[0], seed]['learned'][-1]['score']
            chosen = _threshold_of_others(
                [runs[game, mode, other]['learned']
                 for other in range(config.seeds) if other != seed])
            for kind in ('learned', 'random'):
                kept[kind][g, seed] = run[kind][chosen]['score'] / max(baseline, 1e-9)
            kept['exit 0 alone'][g, seed] = run['alone'][0]['score'] / max(baseline, 1e-9)
            kept['macs_ratio'][g, seed] = run['learned'][chosen]['macs_ratio']
        report['modes'][mode] = {
            kind: {
                'interquartile_mean': interquartile_mean(values),
                'ci95': stratified_bootstrap(values),
                'by_game': {game: {'mean': float(values[g].mean()),
                                   'ci95': stratified_bootstrap(values[g:g + 1], np.mean)}
                            for g, game in enumerate(config.games)},
            } for kind, values in kept.items()}
    return report


def _threshold_of_others(curves: Sequence[Sequence[dict[str, Any]]]) -> int:
    """Return the index of the threshold with the best mean score within the budget."""
    cost = np.mean([[point['macs_ratio'] for point in curve] for curve in curves], axis=0)
    score = np.mean([[point['score'] for point in curve] for curve in curves], axis=0)
    return int(np.where(cost <= BUDGET, score, -np.inf).argmax())
