"""The loop without a node: it hands frames out, and leaves a simulator that runs."""

from collections.abc import Iterator
import math

import pytest

from rapid_nav.airsim.drone import AirSimDrone, connect
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.bridge.control_loop import ControlLoop
from rapid_nav.nodes.bridge.handoff import Handoff
from rapid_nav.nodes.lib.diagnostics import Faults
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(make_world('corridor', 1), port=0) as running:
        yield running


@pytest.fixture
def watcher(server: Server) -> Iterator[AirSimDrone]:
    drone = connect(port=server.port)
    yield drone
    drone.close()


def make_loop(server: Server, **settings: object) -> ControlLoop:
    config = BridgeConfig(port=server.port, lockstep=True, **settings)
    return ControlLoop(config, Handoff(), Faults(), lambda *_: math.inf, lambda: True)


def frames_of(loop: ControlLoop):
    return loop.frames(lambda: True, lambda: False)


@pytest.mark.parametrize('fault', [RuntimeError, KeyboardInterrupt, GeneratorExit])
def test_a_fault_leaves_the_simulators_clock_running(
    server: Server, watcher: AirSimDrone, fault: type[BaseException]
) -> None:
    frames = frames_of(make_loop(server))
    next(frames)
    assert watcher._is_paused()
    with pytest.raises(fault):
        frames.throw(fault)
    assert not watcher._is_paused()


def test_a_frame_is_handed_out_again_until_its_command_comes(server: Server) -> None:
    loop = make_loop(server)
    frames = frames_of(loop)
    first = next(frames)
    again = next(frames)
    assert again.repeated and again.sense is first.sense
    loop.command(first.sense.stamp_ns, BodyVelocity(forward=1.0))
    following = next(frames)
    assert not following.repeated and following.sequence == first.sequence + 1
    assert following.sense.stamp_ns - first.sense.stamp_ns == pytest.approx(0.102e9)
    frames.close()


def test_a_command_for_an_earlier_flight_is_counted_and_not_flown(server: Server) -> None:
    loop = make_loop(server, answer_timeout=0.01)
    frames = frames_of(loop)
    old = next(frames).sense.stamp_ns
    loop.handoff.submit('reset')
    following = next(frame for frame in frames if frame.flight == 1)
    loop.command(old, BodyVelocity(forward=5.0))
    assert loop.faults.counts['commands_between_flights'] == 1
    assert loop.handoff.wait_for_command(old, 0.01) is None
    assert following.sense.stamp_ns > old
    frames.close()
