"""`rapid-nav evaluate atari`: scores of operating points, controls and baseline, by a protocol."""

from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.offline.atari.reference_scores import normalised, share
from rapid_nav.offline.atari.task import AtariTask, snake_case
from rapid_nav.offline.evaluation.atari_protocols import Arcade, PROTOCOLS
from rapid_nav.offline.evaluation.baselines import learned_confidence, scored_policy
from rapid_nav.offline.evaluation.evaluate_policy import (
    judge_controls,
    judge_plain,
    judge_points,
    Row,
)
from rapid_nav.offline.evaluation.rollout import Chooser, random_policy
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluateAtariConfig:
    """What `rapid-nav evaluate atari` takes."""

    game: str = setting('pong', 'This game is played, named as Pong or space_invaders.')
    checkpoint: Path | None = setting(
        None, "This policy plays; none: the game's shipped one, and its baseline."
    )
    baseline: Path | None = setting(
        None, 'A DQN without branches plays the same games, to compare with.'
    )
    policy: str = setting(
        'checkpoint',
        'The checkpoint plays, or random actions do.',
        choices=('checkpoint', 'random'),
    )
    protocol: str = setting(
        'nature',
        'Games are played as by nature (no-op starts, 2015) or machado (sticky, 2018).',
        choices=tuple(PROTOCOLS),
    )
    episodes: int = setting(
        30, 'So many games are played at each point, side by side.', low=1, high=1000
    )
    seed: int = setting(TEST.start, 'The games have this seed.', low=0)
    sweep: tuple[float, ...] = setting(
        (), 'These thresholds play beside the operating points, each for every branch.'
    )
    controls: bool = setting(False, 'The controls play too, at the operations of `balanced`.')
    report: Path | None = setting(None, 'The figures are written to this JSON file.')
    plot: Path | None = setting(
        None, 'Score against operations is drawn in this picture, .png or .svg.'
    )

    def __post_init__(self) -> None:
        check(self)


def main(config: EvaluateAtariConfig) -> dict[str, Any]:
    """Play every operating point; return the report, and write what was asked for."""
    torch.set_num_threads(1)
    game, protocol = snake_case(config.game), PROTOCOLS[config.protocol]
    report: dict[str, Any] = {
        'game': game,
        'protocol': config.protocol,
        'protocol_about': protocol.about,
        'episodes': config.episodes,
        'seed': config.seed,
        'policy': config.policy,
    }
    player = None if config.policy == 'random' else load_player(config.checkpoint, game)
    task = AtariTask(game=game, size=42) if player is None else AtariTask.from_dict(player.task)
    arcade = Arcade(task, protocol, config.episodes, config.seed)
    random = judge_in(arcade, 'random', random_policy(arcade.num_actions), (1,))
    report['random'] = {key: random[key] for key in ('score', 'score_ci95')}
    if player is None:
        report['points'] = [random]
    else:
        report |= about(player, task, config.checkpoint)
        report['points'] = judge_points(player, _judge(arcade), config.sweep)
        if config.controls:
            report['controls'] = _controls(player, task, config, report['points'])
        baseline = config.baseline
        if baseline is None and config.checkpoint is None:
            baseline = shipped_model(f'{game}_baseline')
        if baseline is not None:
            report['baseline'] = _baseline(baseline, player, config, report['points'])
    for row in [*report['points'], *report.get('controls', [])]:
        row['score_vs_baseline'] = (
            None
            if 'baseline' not in report
            else share(row['score'], random['score'], report['baseline']['score'])
        )
    show(report)
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    if config.plot is not None:
        from rapid_nav.offline.reporting.plots import distance_against_operations

        distance_against_operations(report, config.plot)
    return report


def load_player(path: Path | None, game: str) -> Checkpoint:
    """Load a game's player, or the one shipped; ValueError if it plays another game."""
    path = shipped_model(game) if path is None else path
    player = checkpoint.load(path)
    plays = player.task.get('game')
    if plays != game:
        raise ValueError(
            f'{path} plays {plays or "no Atari game"}, not {game}; name its --game, '
            'or another --checkpoint'
        )
    return player


def about(player: Checkpoint, task: AtariTask, path: Path | None) -> dict[str, Any]:
    """Return what a report says of where a player came from."""
    named = shipped_model(task.game) if path is None else path
    return {
        'checkpoint': named.name,
        'task': task.to_dict(),
        'trained': {key: player.card.get(key) for key in ('preset', 'steps', 'updates', 'seed')},
    }


def show(report: dict[str, Any]) -> None:
    """Print the report as a table."""
    table = Table(
        title=f'{report["game"]}: {report["episodes"]} games, protocol '
        f'{report["protocol"]} ({report["protocol_about"]})'
    )
    for column in (
        '',
        'operations',
        'score',
        'of the baseline',
        'of a human',
        'of the DQN of 2015',
        'exits',
    ):
        table.add_column(column)
    rows = [*report['points'], *report.get('controls', [])]
    rows += [report['baseline']] if 'baseline' in report else []
    for row in rows:
        low, high = row['score_ci95']
        table.add_row(
            row['name'],
            f'{row["macs_ratio"]:.3f}x',
            f'{row["score"]:.1f} ({low:.1f} to {high:.1f})',
            *(
                '-' if row.get(key) is None else f'{row[key]:.2f}x'
                for key in ('score_vs_baseline', 'human_normalised', 'dqn_normalised')
            ),
            ' '.join(f'{taken:.2f}' for taken in row['exit_shares']),
        )
    Console().print(table)


def judge_in(arcade: Arcade, name: str, chooser: Chooser, macs: tuple[int, ...]) -> Row:
    """Play an arcade's games and return the row."""
    row = arcade.play(chooser, len(macs)).row(name, macs)
    row |= normalised(arcade.task.game, row['score'])
    log.info('%s', row)
    return row


def _judge(arcade: Arcade) -> Any:
    return lambda name, chooser, macs: judge_in(arcade, name, chooser, macs)


def _controls(
    player: Checkpoint, task: AtariTask, config: EvaluateAtariConfig, points: list[Row]
) -> list[Row]:
    """Play what could have spent the operations of `balanced` without a learned confidence."""
    protocol = PROTOCOLS[config.protocol]
    seen = Arcade(task, protocol, 2, VALIDATION.start).observations(
        scored_policy(player.network, learned_confidence, player.thresholds('full'))
    )
    arcade = Arcade(task, protocol, config.episodes, config.seed)
    return judge_controls(player, _judge(arcade), points, seen)


def _baseline(
    path: Path, player: Checkpoint, config: EvaluateAtariConfig, points: list[Row]
) -> Row:
    """Play a baseline on the same games, as it sees them."""
    baseline = load_player(path, player.task['game'])
    if baseline.task == player.task and is_full_path(baseline, player):
        # Branches learned from it as it stood: the same weights would play the same games again.
        row = next(row for row in points if row['name'] == 'full')
        return {**row, 'name': 'baseline'}
    arcade = Arcade(
        AtariTask.from_dict(baseline.task),
        PROTOCOLS[config.protocol],
        config.episodes,
        config.seed,
    )
    return judge_plain('baseline', baseline, _judge(arcade))


def is_full_path(plain: Checkpoint, player: Checkpoint) -> bool:
    """Return whether a plain network is, weight by weight, the full path of another."""
    if plain.network.config != player.network.config.without_branches:
        return False
    path = EarlyExitNetwork(player.network.config)
    path.load_state_dict(player.network.state_dict())
    path.load_plain(plain.network)
    before, after = player.network.state_dict(), path.state_dict()
    return all(torch.equal(before[name], after[name]) for name in before)
