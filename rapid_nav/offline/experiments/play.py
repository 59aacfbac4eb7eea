"""The runs of a comparison as they play: at every threshold, and with exits taken blindly."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
import json
from pathlib import Path

import torch

from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.atomic_write import write_atomically
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.inference.exit_rule import only_exit
from rapid_nav.offline.evaluation.baselines import early_exit_policy, random_exits
from rapid_nav.offline.evaluation.rollout import BatchPolicy, rollout
from rapid_nav.offline.experiments.runs import Lengths, Run
from rapid_nav.offline.minatar.env import MinAtarVectorEnv

BESIDE = ('random', 'exit 0 alone', 'full path')
"""What stands beside each point: random exits at its mix, and the same network without a gate."""

THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 2.0)


@dataclass(frozen=True)
class Played:
    """What came of the episodes of one policy."""

    score: float
    macs_ratio: float
    exit_shares: Sequence[float]


@dataclass(frozen=True)
class Evaluated:
    """What came of test episodes at a threshold: `learned`, and each of BESIDE."""

    threshold: float
    episodes: int
    seed: int
    players: Mapping[str, Played]


def play(
    run: Run, network: EarlyExitNetwork, policy: BatchPolicy, episodes: int, seed: int
) -> Played:
    """Play episodes; return the mean score, the share of operations, and that of exits."""
    env = MinAtarVectorEnv(run.game, episodes)
    played = rollout(env, policy, network.num_levels, seed)
    return Played(
        float(played.info['score'].mean()),
        played.macs_ratio(network.config.macs),
        played.exit_shares(),
    )


def play_curve(run: Run, lengths: Lengths) -> list[Played]:
    """Play validation episodes at every threshold, to choose one, unless that is done already."""
    path, seed = run.file('json'), VALIDATION[run.seed]
    wanted = {'episodes': lengths.tuning_episodes, 'seed': seed}
    if path.exists():
        known = json.loads(path.read_text())
        if wanted.items() <= known.items():
            return [Played(**point) for point in known['learned']]
    network = run.network()
    learned = [
        play(run, network, _learned(network, threshold), lengths.tuning_episodes, seed)
        for threshold in THRESHOLDS
    ]
    _write(path, {**wanted, 'learned': [asdict(point) for point in learned]})
    return learned


def evaluate(run: Run, lengths: Lengths, threshold: float = THRESHOLDS[-1]) -> Evaluated:
    """Play test episodes at a threshold; if there are exits, by what stands beside them too."""
    torch.set_num_threads(1)
    path, network, seed = run.file('evaluation.json'), run.network(), TEST[run.seed]
    wanted = {'threshold': threshold, 'episodes': lengths.episodes, 'seed': seed}
    for earlier in filter(Path.exists, (path, run.file('judged.json'))):  # its name before 0.2
        known = json.loads(earlier.read_text())
        if wanted.items() <= known.items():
            players = {name: Played(**played) for name, played in known['players'].items()}
            return Evaluated(threshold, lengths.episodes, seed, players)
    players = {'learned': play(run, network, _learned(network, threshold), lengths.episodes, seed)}
    if network.num_levels > 1:
        for name, policy in zip(
            BESIDE,
            (
                random_exits(network, players['learned'].exit_shares),
                early_exit_policy(network, only_exit(0, network.num_levels)),
                _learned(network, THRESHOLDS[-1]),
            ),
            strict=True,
        ):
            players[name] = play(run, network, policy, lengths.episodes, seed)
    tested = Evaluated(threshold, lengths.episodes, seed, players)
    _write(path, asdict(tested))
    return tested


def _learned(network: EarlyExitNetwork, threshold: float) -> BatchPolicy:
    return early_exit_policy(network, (threshold,) * (network.num_levels - 1))


def _write(path: Path, values: Mapping[str, object]) -> None:
    write_atomically(path, json.dumps(values) + '\n')
