"""How a node starts and ends: asked to more than once, refused, or by a fault of its own."""

import os
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest

from rapid_nav import resources

PROGRAMS = resources.prefix() / 'lib' / 'rapid_nav'
FAULTY = """
import sys
import rclpy
from rclpy.node import Node
from rapid_nav.nodes.lib.spin import run

class Faulty(Node):
    def __init__(self):
        super().__init__('faulty')
        self.create_timer(0.1, self.fail if 'callback' in sys.argv else print)

    def fail(self):
        raise ValueError('a bug')

    def destroy_node(self):
        print('closed', flush=True)
        super().destroy_node()

def work(node):
    try:
        while rclpy.ok():
            if 'work' in sys.argv:
                node.fail()
    finally:
        print('saved', flush=True)

sys.exit(run(Faulty, None if 'alone' in sys.argv else work))
"""


@pytest.mark.parametrize(
    ('program', 'said'),
    [
        (('rapid-nav', 'sim', '--port', '0'), 'Simulating'),
        (('airsim_bridge', '--ros-args', '-p', 'port:=1'), 'Waiting'),
    ],
)
def test_any_number_of_interrupts_is_one(
    domain: int, tmp_path: Path, program: tuple[str, ...], said: str
) -> None:
    with (tmp_path / 'output').open('w+') as output:
        process = subprocess.Popen(
            [PROGRAMS / program[0], *program[1:]], stdout=output, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 60
        while said not in (told := Path(output.name).read_text()):
            assert process.poll() is None and time.monotonic() < deadline, told
            time.sleep(0.05)
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)  # ros2 launch may pass on what the terminal sent
            time.sleep(0.003)
        process.kill()
        assert process.wait() == 0, Path(output.name).read_text()
        assert 'Traceback' not in Path(output.name).read_text()


@pytest.mark.parametrize('fault', ['callback', 'work', 'callback alone'])
def test_a_fault_ends_a_node_in_good_order_and_shows_its_traceback(
    domain: int, fault: str
) -> None:
    done = subprocess.run(
        [sys.executable, '-c', FAULTY, *fault.split()],
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert 'Traceback' in done.stderr and 'ValueError: a bug' in done.stderr
    assert done.stdout.split()[-1] == 'closed'
    assert ('saved' in done.stdout) == ('alone' not in fault)


@pytest.mark.parametrize(
    ('program', 'complaint'),
    [
        (('policy', 'checkpoint:=/nowhere.safetensors'), '/nowhere.safetensors'),
        (('scene', 'port:=70000'), 'port'),
        (('scene', 'port:=nine'), 'port'),
        (('record', 'file:=/proc/flight.mcap'), '/proc'),
    ],
    ids=str,
)
def test_what_a_node_refuses_when_it_is_made_is_one_line(
    domain: int, program: tuple[str, ...], complaint: str
) -> None:
    name, parameter = program
    done = subprocess.run(
        [PROGRAMS / name, '--ros-args', '-p', parameter],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1 and complaint in done.stderr
