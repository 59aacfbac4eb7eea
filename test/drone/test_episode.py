"""When one flight is over, and when all are."""

import numpy as np

from rapid_nav.drone.episode import Episode, Flights
from rapid_nav.drone.reward import pedra, RewardConfig

FAR = np.full((9, 16), 20.0)  # [m]


def flights(cap: float = 0.0, duration: float = 0.0, count: int = 0) -> Flights:
    started = Flights(RewardConfig(), cap, duration, count, slack=0.05)
    started.begin()
    return started


def step(under_way: Flights, seconds: float, x: float = 0.0, collided: bool = False) -> tuple:
    result, over = under_way.step(
        round(1e9 + seconds * 1e9), FAR, np.array([x, 0.0, 1.0]), collided
    )
    return result.terminal, over


def test_a_collision_or_the_cap_ends_a_flight_but_not_all() -> None:
    under_way = flights(cap=10.0)
    assert step(under_way, 0.0) == (False, False)
    assert step(under_way, 1.0, x=9.0) == (False, False)
    assert step(under_way, 2.0, x=10.5) == (True, False)
    under_way.begin()
    assert step(under_way, 3.0, collided=True) == (True, False)
    assert under_way.number == 1


def test_so_many_flights_are_all() -> None:
    under_way = flights(count=2)
    assert step(under_way, 0.0, collided=True) == (True, False)
    under_way.begin()
    assert step(under_way, 1.0) == (False, False)
    assert step(under_way, 2.0, collided=True) == (True, True)


def test_the_time_between_two_flights_does_not_count() -> None:
    under_way = flights(duration=2.0)
    assert step(under_way, 0.0) == (False, False)
    assert step(under_way, 1.0, collided=True) == (True, False)
    under_way.begin()
    assert step(under_way, 60.0) == (False, False)
    assert step(under_way, 60.9) == (False, False)
    assert step(under_way, 60.96) == (True, True)


def test_what_is_too_near_counts_as_a_collision():
    near = Episode(pedra(), cap=100.0).step(np.full((36, 64), 1.3), np.zeros(3), collided=False)
    assert near.terminal and near.collision and near.reward == -1.0
    far = Episode(pedra(), cap=100.0).step(np.full((36, 64), 1.4), np.zeros(3), collided=False)
    assert not far.terminal and not far.collision
