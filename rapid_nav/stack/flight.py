"""Which processes make a flight, and with what parameters: the one description of the stack."""

from collections.abc import Iterator, Mapping
import contextlib
from dataclasses import dataclass, fields
import importlib.util
import logging
import os
from pathlib import Path
import random
import socket
from typing import Any

from rapid_nav.drone.task import FlightTask, name_of, TASKS
from rapid_nav.exit_options import ExitOptions
from rapid_nav.options import setting
from rapid_nav.ports import check_port, free_port
from rapid_nav.resources import middleware_file, parameters_file, prefix, share, shipped_checkpoint
from rapid_nav.world_names import split_names

AIRSIM_PORT = 41451
# ROS 2 maps domains to UDP ports; up to here they stay clear of Linux's ephemeral ports.
_DOMAINS = range(1, 102)
MIDDLEWARE = 'FASTRTPS_DEFAULT_PROFILES_FILE'  # where Fast DDS looks for its settings
_VERBOSE = {logging.INFO: ('-v',), logging.DEBUG: ('-vv',)}


@dataclass(frozen=True)
class StackConfig(ExitOptions):
    """What is flown, where, and what is kept of it."""

    simulator: str = setting(
        'embedded',
        'Simulator: embedded starts one, airsim uses one that runs already.',
        choices=('embedded', 'airsim'),
    )
    host: str = setting('127.0.0.1', 'Address of the simulator.')
    port: int = setting(
        0,
        "Port of the simulator's RPC; 0 takes a free one if it is embedded, else AirSim's 41451.",
        low=0,
        high=65535,
    )
    world: str = setting(
        'corridor',
        'World: corridor, rooms, pillars or forest, or a scene or map_server YAML file.',
    )
    seed: int = setting(0, "Seed of the first flight's world; each flight takes the next.", low=0)
    lockstep: bool = setting(
        False, 'Step the simulator one decision at a time: flights repeat exactly, at full speed.'
    )
    duration: float = setting(
        0.0, 'Time in flight after which it ends; 0 sets no limit.', unit='simulated s', low=0
    )
    flights: int = setting(0, 'Number of flights after which it ends; 0 sets no limit.', low=0)
    view: bool = setting(False, 'Show the flight on a page in the browser.')
    save_view: str = setting(
        '', 'File (.rrd) for what the browser would show; if empty, it is not kept.'
    )
    record: str = setting(
        '', 'File (.mcap) for the messages of the flight; if empty, they are not kept.'
    )
    vehicle: str = setting(
        '', 'Name of the drone in the simulator; if empty, its first one flies.'
    )
    namespace: str = setting('rapid', 'Namespace of all topics and nodes.')


@dataclass(frozen=True)
class Process:
    """One process of the stack; a ROS node if it has parameters."""

    name: str
    executable: str  # in lib/rapid_nav of the installation
    arguments: tuple[str, ...] = ()
    parameters: Mapping[str, Any] | None = None
    within: str = ''  # the namespace that it has below the stack's
    remap: tuple[tuple[str, str], ...] = ()  # topics: from, to
    respawn: bool = False  # whether it is started again when it ends

    def namespace(self, of_the_stack: str) -> str:
        """Return its whole namespace."""
        return f'{of_the_stack}/{self.within}' if self.within else of_the_stack

    def command(self, namespace: str, level: int = logging.WARNING) -> list[str]:
        """Return the command line that starts it where there is no ros2 launch, logging so."""
        program = [str(prefix() / 'lib' / 'rapid_nav' / self.executable), *self.arguments]
        if self.parameters is None:
            return [*program, *_VERBOSE.get(level, ())]
        given = [f'{name}:={_yaml(value)}' for name, value in self.parameters.items()]
        node, where = self.name.rpartition('/')[2], self.namespace(namespace)
        logger = f'{where.replace("/", ".")}.{node}'
        return [
            *program,
            '--ros-args',
            '-r',
            f'__node:={node}',
            '-r',
            f'__ns:=/{where}',
            '--params-file',
            str(parameters_file()),
            *(word for old, new in self.remap for word in ('-r', f'{old}:={new}')),
            *(word for parameter in given for word in ('-p', parameter)),
            *(('--log-level', f'{logger}:=debug') if level in _VERBOSE else ()),
        ]


def stack(config: StackConfig, port: int, recorder: str = '') -> list[Process]:
    """
    Return the processes of a flight with a simulator at this port, the simulator first.

    A recorder is a node that is not to miss anything of the flight: it is waited for. ValueError
    says what cannot be flown: whatever can be known is checked before anything starts.
    """
    if config.record:
        if Path(config.record).exists():
            raise ValueError(f'{config.record} exists already; record to another file')
        recorder = ','.join(filter(None, (recorder, 'record')))
    embedded = config.simulator == 'embedded'
    where = {'host': config.host, 'port': port, 'vehicle': config.vehicle}
    world = ','.join(worlds_of(config.world, config.seed)) if embedded else ''
    checkpoint = checkpoint_of(config)
    task = task_of(checkpoint, config.operating_point)
    processes = [
        Process(
            'policy',
            'policy',
            parameters={
                **{one.name: getattr(config, one.name) for one in fields(ExitOptions)},
                'checkpoint': str(checkpoint),
                'recorder': recorder,
            },
        ),
        Process(
            'airsim_bridge',
            'airsim_bridge',
            parameters={
                **where,
                'world': world,
                'seed': config.seed,
                'lockstep': config.lockstep,
                'duration': config.duration,
                'flights': config.flights,
                'recorder': recorder,
                'task': name_of(task),
                'decision_period': task.decision_period,
            },
        ),
        Process('scene', 'scene', parameters=where),
    ]
    if importlib.util.find_spec('tf2_ros'):
        processes.append(Process('odom_tf', 'odom_tf', parameters=where))
    if config.view or config.save_view:
        processes.append(viewer(config))
    if config.record:
        file = str(Path(config.record).resolve())
        processes.append(Process('record', 'record', parameters={'file': file}))
    if embedded:
        settings = camera_of(name_of(task))
        start = ('--paused', '--start', '1') if config.lockstep else ()
        processes.insert(
            0, simulator('simulator', config.host, port, world, config.seed, settings, start)
        )
    return processes


def simulator(
    name: str,
    host: str,
    port: int,
    world: str,
    seed: int,
    settings: str = '',
    start: tuple[str, ...] = (),
    respawn: bool = False,
) -> Process:
    """Return an embedded simulator that begins in the first of the worlds."""
    given = {'host': host, 'port': port, 'world': split_names(world)[0], 'seed': seed}
    if settings:
        given['settings'] = str(share() / 'config' / settings)
    flags = [word for key, value in given.items() for word in (f'--{key}', str(value))]
    return Process(name, 'rapid-nav', ('sim', *flags, *start), respawn=respawn)


def viewer(config: StackConfig) -> Process:
    """Return what shows the flight; ValueError says what to install if it cannot."""
    if not importlib.util.find_spec('rerun'):
        raise ValueError(
            'the viewer needs rerun-sdk, which is large and so installed on demand only: '
            "make fly ARGS='--view' does it, or pip install rerun-sdk"
        )
    save = str(Path(config.save_view).resolve()) if config.save_view else ''
    return Process('viewer', 'viewer', parameters={'browser': config.view, 'save': save})


def port_of(config: StackConfig) -> int:
    """Return the port that was asked for, or one that is free; ValueError if it is in use."""
    if config.simulator == 'airsim':
        return config.port or AIRSIM_PORT
    if config.port:
        check_port(config.host, config.port)
    return config.port or free_port(config.host)


def worlds_of(names: str, seed: int) -> list[str]:
    """
    Return the worlds that a list names, files by their full paths.

    Each is made once: ValueError says which there is not, or what is wrong with it.
    """
    from rapid_nav.sim.worlds.world import make_world  # an AirSim has worlds of its own

    worlds = split_names(names)
    if not worlds:
        raise ValueError('world names none; choose corridor, rooms, pillars or forest')
    for number, name in enumerate(worlds):
        if name.endswith(('.yaml', '.yml')):
            worlds[number] = str(Path(name).resolve())
            if not Path(name).is_file():
                raise ValueError(f'world {name}: there is no such file')
        make_world(worlds[number], seed)
    return worlds


def checkpoint_of(config: StackConfig) -> Path:
    """Return the file of the network; ValueError says what to do if there is none."""
    path = Path(config.checkpoint).resolve() if config.checkpoint else shipped_checkpoint()
    if not path.is_file():
        raise ValueError(f'checkpoint {path}: no such file; train it with `rapid-nav train drone`')
    return path


def task_of(checkpoint: Path, operating_point: str = '') -> FlightTask:
    """
    Return what a network was trained for.

    ValueError if it is no network, not one to fly, or has no operating point of this name.
    """
    from rapid_nav.inference.policy_package import metadata_of

    metadata = metadata_of(checkpoint)
    if operating_point:
        metadata.thresholds(operating_point)
    task = FlightTask.from_dict(metadata.task)
    motion = TASKS[name_of(task)].actions.motion
    if task.actions.motion != motion:
        raise ValueError(
            f'{checkpoint}: trained to move by {task.actions.motion}, where nodes that see '
            f'{task.observation.kind} move by {motion}'
        )
    return task


def camera_of(task: str) -> str:
    """Return the simulator's settings file for the camera of a task, '' for AirSim's own."""
    return '' if task == 'drone' else 'pedra.json'


@contextlib.contextmanager
def reserve_domain() -> Iterator[int]:
    """Yield a ROS domain that no other run on this machine has reserved, for as long as needed."""
    for number in random.SystemRandom().sample(_DOMAINS, len(_DOMAINS)):
        with socket.socket(socket.AF_UNIX) as lock:
            try:
                lock.bind(f'\0rapid_nav/domain/{number}')
            except OSError:
                continue
            yield number
            return
    raise RuntimeError(f'all {len(_DOMAINS)} ROS domains are taken; end some flights first')


def environment(domain: int | str) -> dict[str, str]:
    """Return the environment of every process of one run: its domain, and this machine only."""
    return {
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'OMP_NUM_THREADS': '1',
        'PYTHONUNBUFFERED': '1',
        'RCUTILS_COLORIZED_OUTPUT': '0',
        'RUST_LOG': 'error',
        MIDDLEWARE: str(middleware_file()),
        **os.environ,
        'ROS_DOMAIN_ID': str(domain),
    }


def _yaml(value: Any) -> str:
    """Return a parameter as the command line wants it: strings quoted, booleans in lower case."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)
