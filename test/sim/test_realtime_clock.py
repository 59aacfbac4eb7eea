"""A free-running clock: as fast as real time, and slower rather than jumpy on a slow machine."""

import pytest

from rapid_nav.sim.realtime_clock import RealtimeClock


class Machine:
    """Makes the steps that are owed, each of which takes some time of its own clock [s]."""

    def __init__(self, speed: float, step_s: float) -> None:
        self.now, self.made, self.most, self.step_s = 100.0, 0, 0, step_s
        self.pace = RealtimeClock(speed, lambda: self.now)

    def run(self, seconds: float) -> None:
        """Make steps for some time [s]."""
        end = self.now + seconds
        while self.now < end:
            steps, wait = self.pace.due(self.made)
            self.made += steps
            self.most = max(self.most, steps)
            self.now += steps * self.step_s if wait is None else wait


@pytest.mark.parametrize('speed', [1.0, 3.0, 0.5])
def test_a_free_clock_keeps_to_the_wall_and_to_its_speed(speed: float) -> None:
    machine = Machine(speed / 0.003, step_s=1e-5)
    machine.run(20.0)
    assert machine.made * 0.003 == pytest.approx(20.0 * speed, abs=0.02)


def test_a_machine_that_is_too_slow_makes_time_slow_and_never_jumps() -> None:
    machine = Machine(1 / 0.003, step_s=0.004)
    machine.run(20.0)
    assert 0.7 < machine.made * 0.003 / 20.0 < 0.76
    assert machine.most * 0.003 < 0.26


def test_time_in_which_the_machine_was_stopped_is_given_up() -> None:
    machine = Machine(1 / 0.003, step_s=1e-5)
    machine.run(1.0)
    machine.now += 60.0
    machine.run(1.0)
    assert machine.made * 0.003 == pytest.approx(2.0, abs=0.05)


def test_after_a_pause_nothing_is_owed_for_it() -> None:
    machine = Machine(1 / 0.003, step_s=1e-5)
    machine.run(1.0)
    machine.now += 0.2
    machine.pace.restart()
    machine.run(1.0)
    assert machine.made * 0.003 == pytest.approx(2.0, abs=0.02)
