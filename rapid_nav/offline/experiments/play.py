"""The runs of a comparison as they play: at every threshold, and beside players without a gate."""

from collections.abc import Sequence
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.atomic_write import write_atomically
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.inference.exit_rule import only_exit
from rapid_nav.offline.evaluation import baselines
from rapid_nav.offline.evaluation.rollout import Chooser, play_out
from rapid_nav.offline.experiments.runs import Lengths, Run
from rapid_nav.offline.minatar.env import MinAtarVectorEnv

BESIDE = ('random', 'exit 0 alone', 'full path')
"""What stands beside each point: random exits at its mix, and the same network without a gate."""

THRESHOLDS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 2.0)


def play(
    run: Run, network: EarlyExitNetwork, choose: Chooser, episodes: int, seed: int
) -> dict[str, Any]:
    """Play so many episodes; return the mean score, the share of operations, and that of exits."""
    macs = np.array(network.config.macs)
    scores, levels = play_out(MinAtarVectorEnv(run.game, episodes), choose, len(macs), seed)
    shares = levels.sum(axis=0) / levels.sum()
    return {
        'score': float(scores.mean()),
        'macs_ratio': float(shares @ macs / macs[-1]),
        'exit_shares': shares.tolist(),
    }


def play_curve(run: Run, lengths: Lengths) -> None:
    """Play validation episodes at every threshold, to choose one, unless that is done already."""
    path, seed = run.file('json'), VALIDATION[run.seed]
    wanted = {'episodes': lengths.tuning_episodes, 'seed': seed}
    if path.exists() and wanted.items() <= json.loads(path.read_text()).items():
        return
    network = run.network()
    learned = [
        play(run, network, _learned(network, threshold), lengths.tuning_episodes, seed)
        for threshold in THRESHOLDS
    ]
    _write(path, {**wanted, 'learned': learned})


def judge(run: Run, lengths: Lengths, threshold: float = THRESHOLDS[-1]) -> dict[str, Any]:
    """Play test episodes at a threshold; if there are exits, by what stands beside them too."""
    torch.set_num_threads(1)
    path, network, seed = run.file('judged.json'), run.network(), TEST[run.seed]
    wanted = {'threshold': threshold, 'episodes': lengths.episodes, 'seed': seed}
    beside = BESIDE if network.num_levels > 1 else ()
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        if wanted.items() <= known.items() and known.keys() >= set(beside):
            return known
    learned = play(run, network, _learned(network, threshold), lengths.episodes, seed)
    players = _beside(network, learned['exit_shares']) if beside else {}
    judged = {
        **wanted,
        'learned': learned,
        **{
            name: play(run, network, chooser, lengths.episodes, seed)
            for name, chooser in players.items()
        },
    }
    _write(path, judged)
    return judged


def _beside(network: EarlyExitNetwork, exit_shares: Sequence[float]) -> dict[str, Chooser]:
    """Return the players of BESIDE, for a point that takes exits at these rates (L,)."""
    alone = only_exit(0, network.num_levels)
    return dict(
        zip(
            BESIDE,
            (
                baselines.random_exits(network, exit_shares),
                baselines.scored_policy(network, baselines.learned_confidence, alone),
                _learned(network, THRESHOLDS[-1]),
            ),
            strict=True,
        )
    )


def _learned(network: EarlyExitNetwork, threshold: float) -> Chooser:
    return baselines.scored_policy(
        network, baselines.learned_confidence, (threshold,) * (network.num_levels - 1)
    )


def _write(path: Path, values: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(values) + '\n')
