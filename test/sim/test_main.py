"""`rapid-nav sim` as a process, and the benchmark that uses it."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from rapid_nav.airsim.drone import connect
from rapid_nav.benchmarks import rpc
from rapid_nav.sim.main import serve
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world

SERVE = 'from rapid_nav.sim.main import main, SimConfig; main(SimConfig(port=0, paused=True))'


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_the_simulator_says_where_it_is_and_ends_when_told(number):
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, '-c', SERVE], env=environment, stdout=subprocess.PIPE, text=True
    )
    said = process.stdout.readline()
    assert said.startswith('Simulating corridor, seed 0, on 127.0.0.1:')
    drone = connect(port=int(said.rsplit(':')[-1]))
    process.send_signal(number)
    assert process.wait(120) == 0
    process.stdout.close()
    with pytest.raises(ConnectionError):
        drone.sense()


def test_a_fault_of_the_physics_is_logged_and_ends_the_simulator_with_status_1(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server, stop = Server(make_world('corridor', 0), port=0), threading.Event()
    server.engine.goal = None
    assert serve(server, stop, 'corridor') == 1
    assert stop.is_set()
    assert 'the physics cannot go on' in caplog.text and 'Traceback' in caplog.text


def test_the_benchmark_has_our_transport_beside_the_stock_one():
    times = rpc.run(rounds=1, images=5)
    assert times['rpc_depth_ms'] > 0
    if rpc.stock_missing() is None:
        assert times['rpc_depth_stock_ms'] > 0
    else:
        assert times['rpc_depth_stock_ms'] is None
