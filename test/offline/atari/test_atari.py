"""Atari from end to end: train, resume, choose points, evaluate, tabulate, film."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from rapid_nav.agent import checkpoint, training_state
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.init_weights import initialise
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.cli import evaluate_atari, play_atari
from rapid_nav.cli.evaluate_atari import EvaluateAtariConfig
from rapid_nav.cli.train_atari import main, preset_of, TrainAtariConfig
from rapid_nav.inference.checkpoint_format import CheckpointError
from rapid_nav.offline.atari.env import AtariVectorEnv
from rapid_nav.offline.atari.presets import FAST, NATURE
from rapid_nav.offline.atari.reference_scores import normalised
from rapid_nav.offline.evaluation import atari_suite, operating_points
from rapid_nav.offline.evaluation.atari_suite import PROTOCOLS
from rapid_nav.offline.reporting import atari_table
from rapid_nav.offline.reporting.kinds import AtariEvaluation, AtariRow, Score
from rapid_nav.offline.reporting.report import read
from rapid_nav.offline.training.loop import EnvironmentLoop, make_loop

pytest.importorskip('ale_py', reason='ale-py (GPL) is an optional extra')

SMALL = (
    'train.num_envs=4',
    'train.learning_starts=200',
    'train.replay_size=2000',
    'train.steps_per_update=32',
    'agent.batch_size=8',
    'task.size=28',
    'task.pool=1',
    'task.no_ops=4',
)
SHORT = TrainAtariConfig(
    game='Breakout', change=(*SMALL, 'train.epsilon_end=1'), steps=1200, points=False
)


@pytest.fixture(autouse=True)
def short_games(monkeypatch):
    quick = {
        name: dataclasses.replace(protocol, max_frames=140, no_ops=min(protocol.no_ops, 3))
        for name, protocol in PROTOCOLS.items()
    }
    for name in quick:
        monkeypatch.setitem(atari_suite.PROTOCOLS, name, quick[name])


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Return the folders of a plain training and of one that learns from it."""
    out = tmp_path_factory.mktemp('atari')
    plain = dataclasses.replace(SHORT, out=out / 'plain', network='plain')
    assert main(plain) == 0
    assert (
        main(
            dataclasses.replace(
                SHORT,
                steps=400,
                out=out / 'distilled',
                teacher=out / 'plain' / 'policy.safetensors',
            )
        )
        == 0
    )
    return out


def test_a_short_run_leaves_a_policy_that_names_its_origin(trained):
    plain = checkpoint.load(trained / 'plain' / 'policy.safetensors')
    assert plain.task['game'] == 'breakout' and plain.card['preset'] == 'fast'
    assert plain.card['steps'] == 1200 and 'train.num_envs=4' in plain.card['change']
    rows = [
        json.loads(line) for line in (trained / 'plain' / 'log.jsonl').read_text().splitlines()
    ]
    assert {'return', 'td_error', 'q'} <= rows[-1].keys()


def test_branches_learn_from_the_plain_network_and_leave_it_as_it_was(trained):
    plain = checkpoint.load(trained / 'plain' / 'policy.safetensors')
    distilled = checkpoint.load(trained / 'distilled' / 'policy.safetensors')
    seen = torch.rand(4, *plain.network.config.input_shape)
    torch.testing.assert_close(distilled.network(seen), plain.network(seen))
    assert distilled.card['teacher']['steps'] == 1200 and distilled.network.num_levels == 2


def test_a_training_that_was_saved_ends_exactly_as_one_that_never_stopped(tmp_path):
    preset = preset_of(dataclasses.replace(SHORT, steps=560))

    def begin() -> EnvironmentLoop:
        env = AtariVectorEnv(preset.task, preset.train.num_envs)
        return make_loop(env, preset.network(env.num_actions), preset.agent, preset.train, 4)

    straight, resumed = begin(), begin()
    while straight.trainer.step < 560:
        if straight.trainer.step == 400:
            training_state.save(tmp_path / 'state', straight.state_dict())
        straight.advance()
    resumed.load_state_dict(training_state.load(tmp_path / 'state'))
    while resumed.trainer.step < 560:
        resumed.advance()
    assert straight.trainer.learner.updates > 10
    one, other = straight.state_dict(), resumed.state_dict()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_an_evaluation_has_its_keys_in_both_protocols_and_makes_the_tables_rows(
    trained, tmp_path, capsys
):
    path, base = (trained / name / 'policy.safetensors' for name in ('distilled', 'plain'))
    policy = dataclasses.replace(checkpoint.load(path), operating_points={'balanced': (0.4,)})
    checkpoint.save(tmp_path / 'policy.safetensors', policy)
    for protocol in PROTOCOLS:
        report = evaluate_atari.main(
            EvaluateAtariConfig(
                game='Breakout',
                checkpoint=tmp_path / 'policy.safetensors',
                baseline=base,
                protocol=protocol,
                episodes=2,
                sweep=(0.9,),
                controls=protocol == 'nature',
                report=tmp_path / f'{protocol}.json',
            )
        )
        assert report == read(tmp_path / f'{protocol}.json')
        assert (report.game, report.protocol, report.episodes) == ('breakout', protocol, 2)
        assert [row.name for row in report.points] == ['balanced', 'full', 'threshold 0.9']
        for row in report.points:
            assert row.human_normalised is not None
            assert row.macs_vs_nature < row.macs_ratio
        full = report.points[1]
        assert full.macs_ratio == 1 and full.score == report.baseline.score
    names = [row.name for row in read(tmp_path / 'nature.json').controls]
    assert names == ['exit 0 alone', 'random exits', 'q_gap', 'entropy', 'perfect gate']
    capsys.readouterr()
    atari_table.main(
        atari_table.GamesTableConfig((tmp_path / 'nature.json', tmp_path / 'machado.json'))
    )
    table = capsys.readouterr().out
    assert '| breakout | nature | policy.safetensors, `balanced` | 400 | 0 |' in table
    assert 'breakout | machado | baseline' in table and 'threshold' not in table


def test_operating_points_keep_to_their_share_of_the_operations(trained):
    policy = checkpoint.load(trained / 'distilled' / 'policy.safetensors')
    chosen = operating_points.choose_for_atari(policy, {'balanced': 0.5}, episodes=1, candidates=4)
    assert len(chosen.thresholds('balanced')) == 1
    with pytest.raises(ValueError, match='no threshold keeps to 0.001'):
        operating_points.choose_for_atari(policy, {'balanced': 0.001}, episodes=1, candidates=2)


def test_random_play_needs_no_checkpoint(tmp_path):
    report = evaluate_atari.main(EvaluateAtariConfig(game='Pong', policy='random', episodes=2))
    assert report.points[0].name == 'random' and report.points[0].score <= 0


def test_mistakes_name_themselves_and_the_remedy(trained):
    path = trained / 'plain' / 'policy.safetensors'
    with pytest.raises(ValueError, match='plays breakout, not pong; name its --game'):
        evaluate_atari.main(EvaluateAtariConfig(game='pong', checkpoint=path))
    with pytest.raises(CheckpointError, match='no such checkpoint'):
        evaluate_atari.main(EvaluateAtariConfig(game='tennis'))
    with pytest.raises(ValueError, match='another task'):
        main(dataclasses.replace(SHORT, game='Pong', teacher=path))
    with pytest.raises(
        ValueError, match=r"'agent.n_stpe=3' changes no setting.*agent has .*n_step"
    ):
        FAST.changed(['agent.n_stpe=3'])
    with pytest.raises(ValueError, match='network.x=3'):
        FAST.changed(['network.x=3'])
    with pytest.raises(ValueError, match="'many' is no value of train.num_envs, which is 16"):
        FAST.changed(['train.num_envs=many'])
    with pytest.raises(ValueError, match='must lie in'):
        FAST.changed(['agent.learning_rate=-1'])


def test_a_preset_can_be_changed_one_setting_at_a_time():
    changed = NATURE.changed(['agent.learning_rate=1e-3', 'agent.mode=joint', 'task.sticky=0.25'])
    assert (changed.agent.learning_rate, changed.agent.mode) == (1e-3, 'joint')
    assert changed.task.sticky == 0.25 and changed.train == NATURE.train
    assert FAST.changed(['agent.double=true']).agent.double


def test_the_presets_networks_cost_what_they_are_said_to():
    from rapid_nav.inference.network_config import NATURE_DQN_MACS

    fast = FAST.network(6).macs
    assert fast[0] < 0.1 * fast[1] and fast[1] < 0.1 * NATURE_DQN_MACS
    plain = NATURE.network(6, branches=False).macs
    assert plain == (NATURE_DQN_MACS,)


def test_first_weights_hand_on_what_differs_and_ignore_the_background():
    network = EarlyExitNetwork(FAST.network(6))
    picture = torch.full((2, 4, 42, 42), 0.34)
    picture[1, :, 20, 20] = 0.9  # a ball
    with torch.no_grad():
        before = network(picture)
        initialise(network, 0.34)
        after = network(picture)
    torch.testing.assert_close(after[0], torch.zeros(6), atol=1e-5, rtol=0)
    assert (after[1] - after[0]).abs().max() > 5 * (before[1] - before[0]).abs().max()


def test_scores_are_normalised_by_the_published_ones():
    assert normalised('pong', -20.7) == {'human_normalised': 0, 'dqn_normalised': 0}
    assert normalised('pong', 18.9)['dqn_normalised'] == pytest.approx(1)
    assert normalised('breakout', 30.5)['human_normalised'] == pytest.approx(1)
    assert normalised('tennis', 3.0)['human_normalised'] is None


def test_the_interquartile_mean_is_given_where_there_are_several_games_or_seeds():
    def report(game: str, kept: float) -> AtariEvaluation:
        played = {'score': 1.0, 'score_ci95': (0.0, 2.0)}
        point = AtariRow(
            name='balanced',
            macs_ratio=0.2,
            exit_shares=(0.9, 0.1),
            decisions=10,
            score_vs_baseline=kept,
            **played,
        )
        return AtariEvaluation(
            game=game,
            protocol='nature',
            protocol_about='',
            episodes=1,
            seed=10_000,
            random=Score(**played),
            points=(point,),
        )

    assert atari_table.together([report('pong', 0.9)]) == []
    (line,) = atari_table.together([report('pong', 0.9), report('breakout', 1.0)])
    assert 'one seed each' in line and '95 %' not in line
    (line,) = atari_table.together(
        [
            report(game, kept)
            for game, kept in (('pong', 0.9), ('pong', 1.1), ('breakout', 1.0), ('breakout', 1.0))
        ]
    )
    assert 'keeps 1.00x' in line and '2 games and 2 seeds' in line


def test_playing_writes_a_video_whose_screen_is_the_games(trained, tmp_path, capsys):
    imageio_ffmpeg = pytest.importorskip('imageio_ffmpeg', reason='an optional extra')
    policy = checkpoint.load(trained / 'distilled' / 'policy.safetensors')
    checkpoint.save(
        tmp_path / 'p.safetensors',
        Checkpoint(policy.network, policy.task, {'balanced': (0.4,)}, policy.card),
    )
    play_atari.main(
        play_atari.PlayAtariConfig(
            game='Breakout',
            checkpoint=tmp_path / 'p.safetensors',
            video=tmp_path / 'out.mp4',
            steps=30,
            protocol='machado',
        )
    )
    assert '30 decisions at balanced' in capsys.readouterr().out
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / 'out.mp4'))
    assert frames == 30 and seconds == pytest.approx(2.0, abs=0.1)


def test_the_coloured_screen_shows_the_very_game_that_is_played(trained):
    policy = checkpoint.load(trained / 'plain' / 'policy.safetensors')
    protocol = atari_suite.PROTOCOLS['machado']
    shown = list(play_atari.moments(policy, (), protocol, seed=3))
    ends = [index for index, moment in enumerate(shown) if moment.score > 0]
    assert len(shown) > 20 and shown[0].screen.shape == (210, 160, 3)
    assert not ends or (shown[ends[0]].screen != shown[0].screen).any()
