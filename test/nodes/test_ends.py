"""Every executable, asked to end in the middle of its work, ends well, whichever signal asks."""

from collections.abc import Callable, Iterator
import contextlib
from dataclasses import dataclass
from functools import partial
import importlib.util
import os
from pathlib import Path
import signal

from listener import wait_until
from marked_process import MarkedProcess
from mcap.reader import make_reader
import pytest
import rclpy

from rapid_nav import resources
from rapid_nav.agent import checkpoint, training_state
from rapid_nav.airsim.drone import connect
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world
from rapid_nav.stack.flight import reserve_domain

TIMEOUT_S = 150.0
INTERRUPTED = 130  # the status of a command that has not done what it was to do

Moment = Callable[[MarkedProcess, Path], object]
Check = Callable[[Path], None]


@dataclass(frozen=True)
class End:
    """A program, the moment at which it is asked to end, and what it leaves behind."""

    doing: str
    command: str  # with {folder}, {port} and {checkpoint} to be filled in
    moment: Moment | str  # a word is the name of the node that is waited for
    status: int = 0
    check: Check = lambda folder: None

    def __str__(self) -> str:
        return f'{self.command.split(" -")[0]} {self.doing}'

    def start(self, folder: Path, domain: int, **values: object) -> MarkedProcess:
        """Start it in a folder that is made, and in a ROS domain."""
        folder.mkdir()
        words = self.command.format(folder=folder, **values).split()
        programs = resources.prefix() / ('bin' if words[0] == 'rapid-nav' else 'lib/rapid_nav')
        environment = {**os.environ, 'ROS_DOMAIN_ID': str(domain)}
        if words[:2] in (['rapid-nav', 'fly'], ['rapid-nav', 'train']):
            del environment['ROS_DOMAIN_ID']  # each chooses one of its own
        return MarkedProcess([str(programs / words[0]), *words[1:]], folder, environment)


def being_made(run: MarkedProcess, _: Path) -> bool:
    """Return whether it is past its imports, and so about to do something."""
    return run.handles_signals()


def says(words: str) -> Moment:
    """Return the moment at which it has said this."""
    return lambda run, _: words in run.output.read_text()


def writes(name: str) -> Moment:
    """Return the moment at which a file has appeared in its folder."""
    return lambda _, folder: any(folder.glob(name))


def records(_: MarkedProcess, folder: Path) -> bool:
    """Return whether the recorder's timer, which flushes its file, runs."""
    bag = folder / 'flight.mcap'
    return bag.exists() and bag.stat().st_size > 0


def has_children(count: int) -> Moment:
    """Return the moment at which a command has more than `count` processes of its own."""
    return lambda run, _: len(run.alive()) > count


@contextlib.contextmanager
def is_there(name: str, domain: int) -> Iterator[Callable[[], bool]]:
    """Yield what tells whether a node of this name is in a domain."""
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    ear = rclpy.create_node('ear', context=context)
    yield lambda: name in ear.get_node_names()
    ear.destroy_node()
    context.shutdown()


def bag_is_whole(folder: Path) -> None:
    with (folder / 'flight.mcap').open('rb') as file:
        assert make_reader(file).get_summary() is not None


def recording_is_kept(folder: Path) -> None:
    assert (folder / 'flight.rrd').read_bytes().startswith(b'RRF')


def training_is_kept(folder: Path) -> None:
    assert training_state.load(folder / 'out' / 'state.safetensors')
    assert checkpoint.load(folder / 'out' / 'policy.safetensors')


def report_is_written(folder: Path) -> None:
    assert (folder / 'report.json').exists()


def runs_on(folder: Path) -> None:
    """See that the bridge has left its simulator with a running clock."""
    drone = connect(port=int((folder / 'port').read_text()))
    began = drone.sense(depth=False).stamp_ns
    wait_until(lambda: drone.sense(depth=False).stamp_ns > began)
    drone.close()


BRIDGE = 'airsim_bridge --ros-args -r __ns:=/rapid -p port:={port}'
TRAINER = (
    'trainer --ros-args -r __ns:=/rapid -p out:={folder}/out -p replay_size:=1000 -p nice:=0 '
)
TRAIN_DRONE = (
    'rapid-nav train drone --out {folder}/out --worlds pillars --worlds-each 2 --no-points '
    '--network small --train.num-envs 2 --train.replay-size 500 --agent.batch-size 8 '
)
ENDS = [
    End('waiting for a simulator', 'airsim_bridge --ros-args -p port:=1', says('Waiting')),
    End('flying', BRIDGE, says('No node publishes cmd_vel')),
    End(
        'stepping', f'{BRIDGE} -p lockstep:=true', says('No node publishes cmd_vel'), check=runs_on
    ),
    End('being made', 'policy --ros-args -p checkpoint:={checkpoint}', being_made),
    End('waiting', 'policy --ros-args -p checkpoint:={checkpoint}', 'policy'),
    End('waiting', 'scene', 'scene'),
    End('waiting', 'outcome', 'outcome'),
    End('recording', 'record --ros-args -p file:={folder}/flight.mcap', records, 0, bag_is_whole),
    End('waiting', TRAINER, writes('out/policy.safetensors'), 0, training_is_kept),
    End(
        'saving',
        f'{TRAINER} -p save_seconds:=0.1',
        writes('out/state.safetensors'),
        0,
        training_is_kept,
    ),
    End('evaluating', f'{TRAINER} -p evaluate:=40', has_children(1), 0, training_is_kept),
    End('serving', 'rapid-nav sim --port 0', says('Simulating')),
    End('starting', 'rapid-nav fly --report {folder}/report.json', has_children(3)),
    End('flying', 'rapid-nav fly --report {folder}/report.json', says('flown')),
    End('starting', 'rapid-nav train fleet --out {folder}/out', has_children(1)),
    End(
        'flying',
        'rapid-nav train fleet --out {folder}/out --drones 1',
        says('transitions,'),
        0,
        training_is_kept,
    ),
    End(
        'saving',
        f'{TRAIN_DRONE} --save-seconds 0',
        writes('out/state.safetensors'),
        INTERRUPTED,
        training_is_kept,
    ),
    End('flying', 'rapid-nav evaluate drone --checkpoint {checkpoint}', being_made, INTERRUPTED),
    End('flying', 'rapid-nav calibrate drone --checkpoint {checkpoint}', being_made, INTERRUPTED),
    End('waiting', 'rapid-nav bench latency', has_children(1), INTERRUPTED),
    End('flying', 'rapid-nav bench steering', being_made, INTERRUPTED),
]
if importlib.util.find_spec('tf2_ros'):
    ENDS.append(End('waiting', 'odom_tf', 'odom_tf'))
if importlib.util.find_spec('rerun'):
    ENDS.append(
        End(
            'showing',
            'viewer --ros-args -p browser:=true -p save:={folder}/flight.rrd',
            says('The flight is at'),
            0,
            recording_is_kept,
        )
    )
if importlib.util.find_spec('minatar'):
    ENDS.append(
        End('training', 'rapid-nav compare settings --out {folder}', has_children(3), INTERRUPTED)
    )


@pytest.mark.parametrize('end', ENDS, ids=str)
def test_a_program_that_is_asked_to_end_ends_well_and_leaves_nothing_behind(
    end: End, tmp_path: Path, checkpoint: Path
) -> None:
    """By SIGINT, as Ctrl-C and ros2 launch send it, and by SIGTERM, side by side."""
    with contextlib.ExitStack() as stack:
        runs = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            folder, domain = tmp_path / number.name, stack.enter_context(reserve_domain())
            port = stack.enter_context(Server(make_world('pillars', 0), port=0)).port
            run = end.start(folder, domain, port=port, checkpoint=checkpoint)
            (folder / 'port').write_text(str(port))
            stack.callback(run.kill)
            runs[folder] = run, domain, number
        for folder, (run, domain, number) in runs.items():
            if isinstance(end.moment, str):
                run.wait_for(stack.enter_context(is_there(end.moment, domain)), TIMEOUT_S)
            else:
                run.wait_for(partial(end.moment, run, folder), TIMEOUT_S)
            run.process.send_signal(number)
        for folder, (run, _, _) in runs.items():
            status = run.process.wait(TIMEOUT_S)
            said = run.output.read_text()
            assert status == end.status, said
            assert 'Traceback' not in said
            end.check(folder)
            wait_until(lambda run=run: not run.alive())
