"""The figures of flights add up."""

from hypothesis import given
from hypothesis import strategies as st
import numpy as np
import pytest

from rapid_nav.drone.episode import Episode, Progress
from rapid_nav.drone.flight_stats import DecisionRecord, FlightStats, Frame, Percentiles
from rapid_nav.drone.reward import RewardConfig

PERIOD_NS = 102_000_000


def frame(number: int, flight: int = 0, x: float = 0.0, **changes) -> Frame:
    values = {
        'position': (x, 0.0, 1.5),
        'speed': 2.0,
        'clearance': 5.0,
        'terminal': False,
        'collision': False,
        **changes,
    }
    return Frame(number * PERIOD_NS, flight, **values)


def test_flying_in_circles_covers_little_and_flying_straight_much() -> None:
    circling, straight = Progress(), Progress()
    for angle in np.linspace(0, 20 * np.pi, 2000):
        circling.to((0.4 * np.cos(angle), 0.4 * np.sin(angle), 1.0))
    for x in np.linspace(0.5, 25.5, 2000):
        straight.to((x, 0.5, 1.0))
    assert circling.distance == pytest.approx(0.4 * 20 * np.pi, rel=1e-3)
    assert circling.entered / circling.distance < 0.2
    assert straight.entered / straight.distance == pytest.approx(1.0)


@given(st.lists(st.tuples(*[st.floats(-50, 50)] * 3), min_size=1))
def test_what_was_new_on_the_way_is_what_was_entered(path) -> None:
    progress = Progress()
    assert sum(progress.to(point) for point in path) == progress.entered
    assert progress.entered < len(path)


def test_time_between_two_flights_does_not_count() -> None:
    stats = FlightStats()
    for number in range(11):
        stats.add_frame(frame(number, flight=0, x=0.2 * number))
    for number in range(100, 111):
        stats.add_frame(frame(number, flight=1, x=50 + 0.2 * number))
    assert stats.duration == pytest.approx(2 * 10 * 0.102)
    assert stats.summary().distance_m == pytest.approx([2.0, 2.0])
    assert stats.summary().flights == 2


def test_the_rate_of_images_is_right_from_the_second_one_on() -> None:
    stats = FlightStats()
    rates = []
    for number, flight in ((0, 0), (1, 0), (2, 0), (9, 1), (10, 1)):
        stats.add_frame(frame(number, flight))
        stats.add_decision(DecisionRecord(number * PERIOD_NS, 0, 2, 0.1, 0.001))
        rates.append(stats.image_rate())
    assert rates[0] == 0.0
    assert rates[1:] == pytest.approx([1 / 0.102] * 4)


def test_a_touch_counts_as_a_collision_when_it_ends_a_flight() -> None:
    stats = FlightStats()
    stats.add_frame(frame(0, collision=True))
    stats.add_frame(frame(1, terminal=True))
    stats.add_frame(frame(2, flight=1, terminal=True, collision=True))
    assert stats.summary().collisions == 1


def test_an_image_without_a_decision_was_dropped() -> None:
    stats = FlightStats()
    for number in range(4):
        stats.add_frame(frame(number))
        if number != 2:
            stats.add_decision(DecisionRecord(number * PERIOD_NS, number % 3, 3, 0.5, 0.004))
    summary = stats.summary()
    assert summary.dropped_images == 1
    assert summary.decisions == 3
    assert summary.exit_shares == pytest.approx([2 / 3, 1 / 3, 0])
    assert summary.macs_ratio == 0.5
    assert summary.latency_ms.p50 == pytest.approx(4.0)


def test_a_flight_that_never_was_has_a_summary_too() -> None:
    summary = FlightStats().summary()
    assert summary.flights == 0
    assert summary.exit_shares == ()
    assert summary.latency_ms == Percentiles(None, None)


def test_a_flight_ends_with_a_collision_or_with_its_cap() -> None:
    clear = np.full((36, 64), 10.0, np.float32)
    episode = Episode(RewardConfig(), cap=3.0)
    results = [episode.step(clear, np.array([x, 0.0, 1.5]), False) for x in (0.0, 1.6, 3.2)]
    assert [result.terminal for result in results] == [False, False, True]
    crash = Episode(RewardConfig(), cap=0.0).step(clear, np.zeros(3), True)
    assert (crash.terminal, crash.collision, crash.reward) == (True, True, -1.0)
    assert results[0].clearance == pytest.approx(10.0, rel=0.01)
