"""Atari's preprocessing is gymnasium's, an episode can be gone on with, a life can be the end."""

import numpy as np
import pytest

from rapid_nav.offline.atari import env as atari_env
from rapid_nav.offline.atari.env import AtariVectorEnv, standard_env
from rapid_nav.offline.atari.task import AtariTask, snake_case

pytest.importorskip('ale_py', reason='ale-py (GPL) is an optional extra')

Step = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict]


def play(env: AtariVectorEnv, actions: np.ndarray) -> list[Step]:
    return [env.step(row) for row in actions]


def same(one: list[Step], other: list[Step]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        for a, b in zip(mine[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(mine[4]['score'], theirs[4]['score'])


@pytest.mark.parametrize(('name', 'size', 'steps'), [('Pong', 42, 960), ('Breakout', 84, 300)])
def test_every_observation_is_that_of_gymnasiums_own_wrappers(name, size, steps):
    pytest.importorskip('cv2', reason="gymnasium's wrapper shrinks pictures with it")
    task = AtariTask(game=name, size=size, no_ops=0, clip_rewards=False)
    theirs, ours = standard_env(task), AtariVectorEnv(task, 2)
    expected, _ = theirs.reset(seed=0)
    seen, _ = ours.reset(seed=0)
    np.testing.assert_array_equal(seen[1], expected)
    actions = np.random.default_rng(0).integers(ours.single_action_space.n, size=steps)
    ends = 0
    for action in actions:
        expected, reward, over, _, _ = theirs.step(int(action))
        seen, points, terminated, truncated, _ = ours.step(np.array([action, action]))
        np.testing.assert_array_equal(seen[1], expected)
        assert (points[1], terminated[1], truncated[1]) == (reward, over, False)
        if over:
            ends += 1
            expected, _ = theirs.reset()
            seen, points, terminated, _, _ = ours.step(np.array([0, 1]))  # starts the next one
            np.testing.assert_array_equal(seen[1], expected)
            assert points[1] == 0 and not terminated[1]
    assert ends > 0


def test_saved_games_go_on_exactly_as_if_never_saved(monkeypatch):
    monkeypatch.setattr(atari_env, 'RESEED', 100)  # so that some were and some were not
    task = AtariTask(game='breakout', size=42, sticky=0.25, life_loss=True)
    rng = np.random.default_rng(0)
    one = AtariVectorEnv(task, 3)
    one.reset(seed=1)
    play(one, rng.integers(4, size=(300, 3)))
    saved = one.state_dict()
    assert len(set(saved['count'])) > 1
    other = AtariVectorEnv(task, 3)
    other.reset(seed=9)
    other.load_state_dict(saved)
    further = rng.integers(4, size=(100, 3))
    same(play(one, further), play(other, further))


def test_games_of_one_seed_are_the_same_and_of_another_are_not():
    def games(seed: int) -> list[Step]:
        env = AtariVectorEnv(AtariTask(sticky=0.25, size=42), 1)
        env.reset(seed=seed)
        return play(env, np.random.default_rng(0).integers(6, size=(60, 1)))

    same(games(3), games(3))
    assert any((a[0] != b[0]).any() for a, b in zip(games(3), games(4), strict=True))


def test_a_lost_life_ends_an_episode_but_not_the_game():
    env = AtariVectorEnv(AtariTask(game='Breakout', size=42, life_loss=True), 1)
    env.reset(seed=0)
    lost, score = 0, 0.0
    for _, reward, terminated, _, info in play(
        env, np.random.default_rng(0).integers(4, size=(400, 1))
    ):
        lost += int(terminated[0])
        score += float(reward[0])
        if info['ended'][0]:
            break
        assert info['score'][0] == score  # of all lives together
    assert lost == 5


def test_a_new_episode_begins_with_a_stack_of_its_first_picture():
    env = AtariVectorEnv(AtariTask(game='Breakout', size=42, life_loss=True), 1)
    env.reset(seed=0)
    over = False
    for seen, _, terminated, _, _ in play(
        env, np.random.default_rng(0).integers(4, size=(200, 1))
    ):
        if over:
            assert (seen[0] == seen[0, :1]).all()
        over = bool(terminated[0])


def test_an_episode_is_cut_off_after_its_frames():
    env = AtariVectorEnv(AtariTask(size=42, no_ops=0, max_frames=100), 1)
    env.reset(seed=0)
    cut = [bool(step[3][0]) for step in play(env, np.zeros((30, 1), np.int64))]
    assert sum(cut) == 1 and cut.index(True) in (23, 24, 25)


def test_a_games_name_may_be_written_in_two_ways():
    assert snake_case('SpaceInvaders') == 'space_invaders' == snake_case('space_invaders')
    assert snake_case('Pong') == 'pong' and snake_case('NameThisGame') == 'name_this_game'


def test_mistakes_name_themselves_and_the_remedy():
    with pytest.raises(ValueError, match="no game 'pongg' in ale-py; it has .*pong"):
        AtariVectorEnv(AtariTask(game='Pongg'), 1)
    env = AtariVectorEnv(AtariTask(size=42), 2)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r'expected \(2,\)'):
        env.step(np.zeros(3, np.int64))
    saved = env.state_dict()
    saved['frames'] = saved['frames'] + 1
    with pytest.raises(ValueError, match='another version of ale-py'):
        env.load_state_dict(saved)
