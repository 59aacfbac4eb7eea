"""`rapid-nav fly` from outside: it flies, it can be repeated, and it leaves nothing behind."""

from collections.abc import Iterator
import json
import os
from pathlib import Path
import signal

from flight_process import Flight, PARTS
from listener import wait_until
import pytest


@pytest.fixture
def fly(checkpoint: Path, tmp_path: Path) -> Iterator:
    flights: list[Flight] = []

    def start(*flags: str) -> Flight:
        folder = tmp_path / str(len(flights))
        folder.mkdir()
        flights.append(Flight(checkpoint, folder, *flags))
        return flights[-1]

    yield start
    for flight in flights:
        flight.kill()


def test_two_lockstep_flights_with_one_seed_are_the_same_to_the_last_digit(fly) -> None:
    flags = ('--lockstep', '--duration', '20', '--seed', '4', '--world', 'pillars')
    one, other = fly(*flags).wait(), fly(*flags).wait()
    assert one.pop('latency_ms') and other.pop('latency_ms')
    assert one == other and one['status'] == 'finished'
    assert one['decisions'] == pytest.approx(20 / 0.102, abs=2 + one['flights'])
    assert sum(one['distance_m']) > 5.0
    assert one['dropped_images'] == 0
    assert sum(one['exit_shares']) == pytest.approx(1.0)


def test_two_flights_side_by_side_do_not_meet(fly) -> None:
    runs = [fly('--lockstep', '--flights', '2', '--seed', str(seed)) for seed in (1, 8)]
    one, other = (run.wait(240) for run in runs)
    assert one['flights'] == other['flights'] == 2
    assert one['distance_m'] != other['distance_m']


@pytest.mark.parametrize(
    ('number', 'moment'),
    [
        (signal.SIGTERM, 'setting up'),
        (signal.SIGINT, 'taking off'),
        (signal.SIGINT, 'flying'),
        (signal.SIGTERM, 'flying'),
    ],
)
def test_it_ends_with_a_summary_and_status_0_whenever_asked_to(
    fly, number: signal.Signals, moment: str
) -> None:
    flight = fly()
    flight.said({'setting up': 'Waiting', 'taking off': 'Simulating', 'flying': 'flown'}[moment])
    flight.process.send_signal(number)
    report = flight.wait()
    assert report['status'] == 'stopped' and report['reason'] == 'asked to end by a signal'
    assert report['decisions'] > 0 or moment != 'flying'
    assert 'decisions at' in flight.output.read_text()
    assert not flight.alive()


def test_ctrl_c_after_a_part_was_killed_still_gives_a_summary(fly) -> None:
    flight = fly().in_the_air()
    flight.process.send_signal(signal.SIGSTOP)  # it learns of both at once, however slow we are
    os.kill(flight.part('policy'), signal.SIGKILL)
    flight.process.send_signal(signal.SIGINT)
    flight.process.send_signal(signal.SIGCONT)
    assert flight.wait()['decisions'] > 0
    assert not flight.alive()


def test_a_part_that_is_told_to_end_ends_the_flight_in_good_order(fly) -> None:
    flight = fly().in_the_air()
    os.kill(flight.part('scene'), signal.SIGTERM)
    flight.wait()
    assert 'scene ended with status 0' in flight.output.read_text()


@pytest.mark.parametrize('victim', [*PARTS, 'fly'])
def test_whatever_is_killed_first_nothing_is_left(fly, victim: str) -> None:
    flight = fly().in_the_air()
    assert len(flight.alive()) == len(PARTS) + 1
    os.kill(flight.process.pid if victim == 'fly' else flight.part(victim), signal.SIGKILL)
    wait_until(lambda: flight.process.poll() is not None and not flight.alive())
    if victim != 'fly':
        assert flight.process.returncode == 1
        assert f'{victim} ended' in flight.output.read_text()
        report = json.loads(flight.report.read_text())
        assert report['status'] == 'failed' and report['reason'].startswith(f'{victim} ended')


def test_a_world_that_does_not_exist_is_one_clear_line_before_anything_starts(fly) -> None:
    flight = fly('--world', 'castle')
    assert flight.process.wait(60) == 2
    said = flight.output.read_text()
    assert said.count('\n') == 1 and "unknown world 'castle'; choose one of corridor" in said
    assert not flight.report.exists()


def test_pedras_task_flies_in_the_same_stack_and_repeats(fly, pedra: Path) -> None:
    flags = ('--checkpoint', str(pedra), '--lockstep', '--flights', '3', '--world', 'pillars')
    one, other = fly(*flags).wait(), fly(*flags).wait()
    assert one.pop('latency_ms') and other.pop('latency_ms')
    assert one == other
    assert one['flights'] == 3 and one['dropped_images'] == 0
    steps = one['decisions'] - 3  # the last decision of a flight is not flown
    assert 0 < sum(one['distance_m']) <= 0.42 * steps
