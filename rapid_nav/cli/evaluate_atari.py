"""`rapid-nav evaluate atari`: scores of operating points, controls and baseline, by a protocol."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.seeds import TEST, VALIDATION
from rapid_nav.offline.atari.reference_scores import share
from rapid_nav.offline.atari.task import AtariTask, snake_case
from rapid_nav.offline.evaluation.atari_suite import AtariSuite, PROTOCOLS
from rapid_nav.offline.evaluation.baselines import early_exit_policy
from rapid_nav.offline.evaluation.evaluate_policy import (
    evaluate_controls,
    evaluate_full_path,
    evaluate_points,
)
from rapid_nav.offline.evaluation.rollout import random_policy
from rapid_nav.offline.reporting.kinds import AtariEvaluation, AtariRow, Score, Trained
from rapid_nav.offline.reporting.tables import show
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_model


@dataclass(frozen=True)
class EvaluateAtariConfig:
    """What `rapid-nav evaluate atari` takes."""

    game: str = setting('pong', 'Name of the game, as Pong or space_invaders.')
    checkpoint: Path | None = setting(
        None, "Policy that is evaluated; by default the game's shipped one and its baseline."
    )
    baseline: Path | None = setting(None, 'DQN without branches to compare with.')
    policy: str = setting(
        'checkpoint',
        'Evaluate the checkpoint or random actions.',
        choices=('checkpoint', 'random'),
    )
    protocol: str = setting(
        'nature',
        'Rules of play: nature (no-op starts, 2015) or machado (sticky actions, 2018).',
        choices=tuple(PROTOCOLS),
    )
    episodes: int = setting(30, 'Number of games for each point, side by side.', low=1, high=1000)
    seed: int = setting(TEST.start, 'Seed of the games.', low=0)
    sweep: tuple[float, ...] = setting(
        (), 'Thresholds to evaluate beside the operating points, each for every branch.'
    )
    controls: bool = setting(
        False, 'Evaluate controls that spend the operations of the point `balanced`.'
    )
    report: Path | None = setting(None, 'JSON file for the figures.')
    plot: Path | None = setting(None, 'File, .png or .svg, for a plot of score over operations.')

    def __post_init__(self) -> None:
        check(self)


def main(config: EvaluateAtariConfig) -> AtariEvaluation:
    """Play every operating point; return the report, and write what was asked for."""
    torch.set_num_threads(1)
    game, protocol = snake_case(config.game), PROTOCOLS[config.protocol]
    player = None if config.policy == 'random' else load_player(config.checkpoint, game)
    task = AtariTask(game=game, size=42) if player is None else AtariTask.from_dict(player.task)
    suite = AtariSuite(task, protocol, config.episodes, config.seed)
    random = suite.evaluate('random', random_policy(suite.make_env().num_actions))
    report = AtariEvaluation(
        game=game,
        protocol=config.protocol,
        protocol_about=protocol.about,
        episodes=config.episodes,
        seed=config.seed,
        policy=config.policy,
        random=Score(score=random.score, score_ci95=random.score_ci95),
        points=(random,),
    )
    if player:
        report = _with_player(report, config, player, suite)
    show(report)
    report.write(config.report)
    if config.plot is not None:
        from rapid_nav.offline.reporting.plots import value_against_operations

        value_against_operations(report, config.plot)
    return report


def _with_player(
    report: AtariEvaluation, config: EvaluateAtariConfig, player: Checkpoint, suite: AtariSuite
) -> AtariEvaluation:
    """Return the report with a player's points, its controls and its baseline."""
    points = evaluate_points(player, suite, config.sweep)
    controls: list[AtariRow] = []
    if config.controls:
        seen = replace(suite, episodes=2, seed=VALIDATION.start).observations(
            early_exit_policy(player.network, player.thresholds('full'))
        )
        points, controls = evaluate_controls(player, suite, points, seen)
    path = config.baseline
    if path is None and config.checkpoint is None:
        path = shipped_model(f'{report.game}_baseline')
    baseline = None if path is None else _baseline(path, player, suite, points)

    def beside(row: AtariRow) -> AtariRow:
        if baseline is None:
            return row
        kept = share(row.score, report.random.score, baseline.score)
        return replace(row, score_vs_baseline=kept)

    return replace(
        report,
        checkpoint=(config.checkpoint or shipped_model(report.game)).name,
        task=dict(player.task),
        trained=Trained(
            **{key: player.card.get(key) for key in ('preset', 'steps', 'updates', 'seed')}
        ),
        points=tuple(map(beside, points)),
        controls=tuple(map(beside, controls)),
        baseline=baseline,
    )


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


def _baseline(
    path: Path, player: Checkpoint, suite: AtariSuite, points: list[AtariRow]
) -> AtariRow:
    """Play a baseline on the same games, as it sees them."""
    baseline = load_player(path, player.task['game'])
    if baseline.task == player.task and is_full_path(baseline, player):
        # Branches learned from it as it stood: the same weights would play the same games again.
        return replace(next(row for row in points if row.name == 'full'), name='baseline')
    return evaluate_full_path('baseline', baseline, suite.seen_by(baseline.task))


def is_full_path(plain: Checkpoint, player: Checkpoint) -> bool:
    """Return whether a plain network is, weight by weight, the full path of another."""
    if plain.network.config != player.network.config.without_branches:
        return False
    path = EarlyExitNetwork(player.network.config)
    path.load_state_dict(player.network.state_dict())
    path.load_plain(plain.network)
    before, after = player.network.state_dict(), path.state_dict()
    return all(torch.equal(before[name], after[name]) for name in before)
