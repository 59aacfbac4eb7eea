"""What others score in Atari's games, as a yardstick: no figure here was measured by us."""

from typing import NamedTuple


class Reference(NamedTuple):
    """
    Published scores of a game.

    Random and Nature DQN: Mnih et al. 2015 (no-op starts, epsilon 0.05). Human: DQN Zoo's
    table. Dopamine: its DQN with Adam, the last ten iterations of training (sticky actions).
    Protocols differ between columns, so compare within one only.
    """

    random: float
    human: float
    nature_dqn: float
    dopamine_dqn: float


REFERENCES = {
    'pong': Reference(-20.7, 14.6, 18.9, 19.7),
    'breakout': Reference(1.7, 30.5, 401.2, 197.0),
    'space_invaders': Reference(148.0, 1669.0, 1976.0, 4333.0),
    'beam_rider': Reference(363.9, 16926.5, 6846.0, 5818.0),
    'qbert': Reference(163.9, 13455.0, 10596.0, 10610.0),
    'seaquest': Reference(68.4, 42055.0, 5286.0, 5130.0),
    'freeway': Reference(0.0, 29.6, 30.3, 26.9),
}


def normalised(game: str, score: float) -> dict[str, float | None]:
    """Return a score with random play as 0 and a human, or the DQN of 2015, as 1."""
    reference = REFERENCES.get(game)
    if reference is None:
        return {'human_normalised': None, 'dqn_normalised': None}
    return {
        'human_normalised': share(score, reference.random, reference.human),
        'dqn_normalised': share(score, reference.random, reference.nature_dqn),
    }


def share(score: float, random: float, other: float) -> float | None:
    """Return how much of another's lead over random play a score has; None if it has none."""
    return None if other == random else (score - random) / (other - random)
