"""`rapid-nav train fleet` from outside: it learns while it flies, whoever is killed."""

from collections.abc import Iterator
import os
from pathlib import Path
import signal
import subprocess
import time

from diagnostic_msgs.msg import DiagnosticArray
from flight_process import Flight
from listener import Listener, wait_until
import pytest
import rclpy

from rapid_nav import resources
from rapid_nav.msg import ExitLevel

PATIENCE = 120.0  # [s]
LEASE = 20.0  # [s] of silence, after which Fast DDS takes somebody for dead
LONG_PAUSE = 8.0  # [s] between two decisions; a loaded machine makes some of 2 s


class Fleet(Flight):
    """A run of `rapid-nav train fleet`, and an ear for what it says of itself."""

    def __init__(self, folder: Path, ros, *flags: str) -> None:
        self.output, self.mark = folder / 'output.txt', str(folder)
        environment = {**os.environ, 'RAPID_NAV_TEST_RUN': self.mark}
        with self.output.open('w') as output:
            self.process = subprocess.Popen(
                [
                    str(resources.prefix() / 'bin' / 'rapid-nav'),
                    'train',
                    'fleet',
                    '--lockstep',
                    '--out',
                    str(folder / 'out'),
                    '--learning-starts',
                    '50',
                    '--steps-per-update',
                    '10',
                    '--offer-seconds',
                    '1',
                    '--save-seconds',
                    '1',
                    *flags,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        running = ros()
        node = rclpy.create_node('ear')
        ear = Listener(node)
        self.said = ear.listen(DiagnosticArray, '/diagnostics')
        self.levels = [ear.listen(ExitLevel, f'drone{k}/exit_level') for k in range(2)]
        self.heard = [(0, 0.0)] * 2  # by drone: how many decisions, and when the last one came
        running.spin(node)

    def figure(self, name: str) -> float:
        """Return what the trainer said last of something, or 0."""
        for message in reversed(self.said):
            if message.status[0].name == '/rapid/trainer':
                values = {item.key: item.value for item in message.status[0].values}
                return float(values.get(name, 0))
        return 0.0

    def kill(self, part: str, drone: str, number: int = signal.SIGKILL) -> None:
        """Kill a part of a drone, or of the fleet, or send it another signal."""
        about = {
            'simulator': 'rapid-nav sim',
            'policy': 'lib/rapid_nav/policy',
            'trainer': 'lib/rapid_nav/trainer',
        }[part]
        seed = {'drone0': '--seed 0 ', 'drone1': '--seed 5000 '}.get(drone, '')
        mark = seed if part == 'simulator' else f'__ns:=/rapid/{drone}'.rstrip('/') + ' '
        victim = next(
            pid
            for pid, command in self.alive().items()
            if about in command and mark in command and 'setpriv' not in command
        )
        os.kill(victim, number)

    def goes_on(self, drones: tuple[int, ...] = (0, 1)) -> None:
        """Wait until these drones decide on more images, and more is learned."""
        decided = [len(levels) for levels in self.levels]
        wait_until(lambda: all(len(self.levels[k]) > decided[k] + 20 for k in drones), PATIENCE)

    def flies_on(self, seconds: float) -> None:
        """See that no drone pauses for long meanwhile."""
        for k, levels in enumerate(self.levels):
            self.heard[k] = (len(levels), time.monotonic())
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            for k, levels in enumerate(self.levels):
                if len(levels) > self.heard[k][0]:
                    self.heard[k] = (len(levels), now)
                pause = now - self.heard[k][1]
                assert pause < LONG_PAUSE, f'drone{k} has not decided for {pause:.0f} s'
            time.sleep(0.05)


@pytest.fixture
def fleet(ros, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, ros)
    yield made
    made.process.terminate()
    made.process.wait(30)
    assert not made.alive()


@pytest.mark.slow
def test_a_fleet_learns_on_without_a_policy_and_a_simulator_that_come_back(fleet: Fleet) -> None:
    wait_until(lambda: fleet.figure('updates') >= 3, PATIENCE)
    first = {level.weights for level in fleet.levels[0]}
    fleet.goes_on()
    wait_until(lambda: len({level.weights for level in fleet.levels[0]} - first) > 0, PATIENCE)

    fleet.kill('policy', 'drone1')
    fleet.goes_on((0,))
    fleet.goes_on((1,))  # it has come back

    fleet.kill('simulator', 'drone0')
    fleet.goes_on((1,))
    fleet.goes_on((0,))
    assert fleet.output.read_text().count('starting it again') == 2


@pytest.mark.slow
def test_drones_fly_on_without_a_trainer_that_goes_on_where_it_was(fleet: Fleet) -> None:
    wait_until(lambda: fleet.figure('updates') >= 3, PATIENCE)
    fleet.goes_on()
    time.sleep(2.5)  # for a state to be saved
    before = fleet.figure('updates')
    fleet.said.clear()
    fleet.kill('trainer', '')
    fleet.goes_on()  # they fly by what they have
    wait_until(lambda: fleet.figure('updates') > before, PATIENCE)
    newest = {level.weights for level in fleet.levels[0]}
    wait_until(lambda: {level.weights for level in fleet.levels[0][-20:]} - newest, PATIENCE)
    assert fleet.figure('lost_share') < 0.2  # since it began anew; a killed drone's are lost
    said = fleet.output.read_text()
    assert said.count('starting it again') == 1 and 'going on from transition' in said


@pytest.mark.slow
def test_no_drone_waits_for_a_trainer_that_is_stopped_or_dies_after_a_policy_did(
    fleet: Fleet,
) -> None:
    wait_until(lambda: fleet.figure('updates') >= 3, PATIENCE)
    fleet.kill('policy', 'drone1')
    fleet.goes_on((1,))  # it has come back
    fleet.flies_on(LEASE - 5)
    fleet.kill('trainer', '', signal.SIGSTOP)
    fleet.flies_on(LEASE + 5)
    before = fleet.figure('updates')
    fleet.kill('trainer', '')
    fleet.said.clear()
    fleet.flies_on(LEASE + 10)
    wait_until(lambda: fleet.figure('updates') > before, PATIENCE)
    assert 'going on from transition' in fleet.output.read_text()
