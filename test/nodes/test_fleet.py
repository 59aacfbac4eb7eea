"""`rapid-nav train fleet` from outside: it learns while it flies, whichever process is killed."""

from collections.abc import Callable, Iterator
import os
from pathlib import Path
import signal
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from flight_process import COMMAND
from listener import Listener, wait_until
from marked_process import MarkedProcess
import pytest
import rclpy

from rapid_nav import resources
from rapid_nav.msg import ExitLevel
from rapid_nav.stack.flight import MIDDLEWARE

PATIENCE = 240.0  # [s]
# After a silence of this length Fast DDS takes a process for dead and frees what waits for it:
# longer than any test, so that a drone that waits for a dead process waits for good.
LEASE = (
    '<builtin><discovery_config><leaseDuration><sec>3600</sec></leaseDuration></discovery_config>'
    '</builtin></rtps>'
)
SEGMENT = 100  # depth images: more than a sender's shared memory has room for


class Fleet(MarkedProcess):
    """A run of `rapid-nav train fleet`, and a listener to what it reports."""

    def __init__(self, folder: Path, ros: Callable[..., Any], *flags: str) -> None:
        profile = folder / 'fastdds.xml'
        profile.write_text(resources.middleware_file().read_text().replace('</rtps>', LEASE))
        self.out = folder / 'out'
        command = [COMMAND, 'train', 'fleet', '--lockstep', '--out', str(self.out)]
        quick = '--learning-starts 50 --steps-per-update 10 --offer-seconds 1 --save-seconds 1'
        super().__init__(
            [*command, *quick.split(), *flags], folder, {**os.environ, MIDDLEWARE: str(profile)}
        )
        running = ros()
        node = rclpy.create_node('ear')
        ear = Listener(node)
        self.reports = ear.listen(DiagnosticArray, '/diagnostics')
        self.levels = [ear.listen(ExitLevel, f'drone{k}/exit_level') for k in range(2)]
        running.spin(node)

    def figure(self, name: str) -> float:
        """Return what the trainer said last of something, or 0."""
        for message in reversed(self.reports):
            if message.status[0].name == '/rapid/trainer':
                values = {item.key: item.value for item in message.status[0].values}
                return float(values.get(name, 0))
        return 0.0

    def kill_part(self, part: str, drone: str, number: int = signal.SIGKILL) -> None:
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

    def goes_on(self, drones: tuple[int, ...] = (0, 1), decisions: int = 20) -> None:
        """Wait until these drones have decided on more images."""
        enough = {k: len(self.levels[k]) + decisions for k in drones}
        wait_until(lambda: all(len(self.levels[k]) > enough[k] for k in drones), PATIENCE)


@pytest.fixture
def fleet(ros: Callable[..., Any], tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path, ros)
    yield made
    made.process.terminate()
    made.process.wait(PATIENCE)
    assert not made.alive()


@pytest.mark.slow
def test_a_fleet_learns_on_without_a_policy_and_a_simulator_that_come_back(fleet: Fleet) -> None:
    wait_until(lambda: fleet.figure('updates') >= 3, PATIENCE)
    first = {level.weights for level in fleet.levels[0]}
    fleet.goes_on()
    wait_until(lambda: len({level.weights for level in fleet.levels[0]} - first) > 0, PATIENCE)

    fleet.kill_part('policy', 'drone1')
    fleet.goes_on((0,))
    fleet.goes_on((1,))  # it has come back

    fleet.kill_part('simulator', 'drone0')
    fleet.goes_on((1,))
    fleet.goes_on((0,))
    assert fleet.output.read_text().count('starting it again') == 2


@pytest.mark.slow
def test_drones_fly_on_without_a_trainer_that_goes_on_where_it_was(fleet: Fleet) -> None:
    wait_until(lambda: fleet.figure('updates') >= 3, PATIENCE)
    fleet.goes_on()
    state = fleet.out / 'state.safetensors'
    wait_until(state.exists, PATIENCE)
    saved = state.stat().st_mtime_ns
    wait_until(lambda: state.stat().st_mtime_ns > saved, PATIENCE)
    before = fleet.figure('updates')
    fleet.reports.clear()
    fleet.kill_part('trainer', '')
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
    fleet.kill_part('policy', 'drone1')
    fleet.goes_on((1,))  # it has come back
    fleet.goes_on(decisions=SEGMENT)
    fleet.kill_part('trainer', '', signal.SIGSTOP)
    fleet.goes_on(decisions=SEGMENT)
    before = fleet.figure('updates')
    fleet.kill_part('trainer', '')
    fleet.reports.clear()
    fleet.goes_on(decisions=SEGMENT)
    wait_until(lambda: fleet.figure('updates') > before, PATIENCE)
    assert 'going on from transition' in fleet.output.read_text()
