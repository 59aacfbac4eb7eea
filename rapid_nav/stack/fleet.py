"""Which processes make a fleet that learns: drones, each with its simulator, and one trainer."""

import dataclasses
from dataclasses import dataclass
import logging
from pathlib import Path

from rapid_nav.drone.online_config import OnlineConfig
from rapid_nav.drone.seeds import training_seed
from rapid_nav.drone.task import TASKS
from rapid_nav.options import setting
from rapid_nav.ports import free_port
from rapid_nav.stack.flight import AIRSIM_PORT, camera_of, Process, simulator, task_of, worlds_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FleetConfig(OnlineConfig):
    """Who flies, where, and what is learned from it."""

    drones: int = setting(2, 'Number of drones.', low=1, high=16)
    duration: float = setting(
        0.0, 'Time after which training ends; 0 sets no limit.', unit='s', low=0.0
    )
    lockstep: bool = setting(
        False, 'Step each simulator one decision at a time: as fast as the machine can.'
    )
    simulator: str = setting(
        'embedded',
        'Simulator: embedded starts one for each drone, airsim uses one that runs already.',
        choices=('embedded', 'airsim'),
    )
    host: str = setting('127.0.0.1', 'Address of the simulators.')
    port: int = setting(AIRSIM_PORT, "Port of AirSim's RPC.", low=1, high=65535)
    vehicles: str = setting('', 'Names of the drones in AirSim, separated by commas.')
    world: str = setting(
        'corridor,rooms,pillars,forest', 'Worlds, separated by commas, in which flights alternate.'
    )
    period: float = setting(
        0.0,
        'Deprecated: the task sets the time between two images.',
        unit='simulated s',
        low=0.0,
        high=10.0,
    )
    evaluate: int = setting(
        0, 'Test flights of each evaluation during training; 0 makes none.', low=0
    )
    namespace: str = setting('rapid', 'Namespace of the trainer; each drone has one below it.')

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.period:
            log.warning(
                'period is deprecated and without effect: %s decides every %g s',
                self.task,
                TASKS[self.task].decision_period,
            )
        if self.simulator == 'airsim':
            if self.lockstep and self.drones > 1:
                raise ValueError(
                    'lockstep steps a whole simulator: with several drones in one '
                    'AirSim, fly without it'
                )
            if len(self.vehicle_names) != self.drones:
                raise ValueError(
                    f'vehicles names {len(self.vehicle_names)} for {self.drones} '
                    'drones; give as many, separated by commas'
                )

    @property
    def vehicle_names(self) -> list[str]:
        """The simulator's names of the drones."""
        return [name for name in self.vehicles.split(',') if name]

    @property
    def policy(self) -> Path:
        """Where the newest weights lie."""
        return Path(self.out).resolve() / 'policy.safetensors'


def trainer(config: FleetConfig) -> Process:
    """Return the process that learns; in lockstep it takes its share of the machine."""
    learning = {
        field.name: getattr(config, field.name) for field in dataclasses.fields(OnlineConfig)
    }
    return Process(
        'trainer',
        'trainer',
        respawn=True,
        parameters={
            **learning,
            'out': str(Path(config.out).resolve()),
            'start': _start(config),
            'drones': ','.join(f'drone{index}' for index in range(config.drones)),
            'nice': 0 if config.lockstep else 10,
            'evaluate': config.evaluate,
            'use_sim_time': False,
        },
    )


def _start(config: FleetConfig) -> str:
    """Return the full path of the checkpoint to start from; ValueError if it is of no use."""
    if not config.start:
        return ''
    path = Path(config.start).resolve()
    if not path.is_file():
        raise ValueError(f'start {config.start}: there is no such file')
    if task_of(path) != TASKS[config.task]:
        raise ValueError(f'start {config.start}: trained for another task than {config.task}')
    return str(path)


def drone(config: FleetConfig, index: int) -> list[Process]:
    """Return the processes of one drone, which share nothing with those of the others."""
    name = f'drone{index}'
    embedded = config.simulator == 'embedded'
    port = free_port(config.host) if embedded else config.port
    seed = training_seed(config.seed, index, config.drones)
    world = ','.join(worlds_of(config.world, seed)) if embedded else ''
    clock = (('/clock', 'clock'),)  # every simulator has its own time
    processes = [
        Process(
            f'{name}/airsim_bridge',
            'airsim_bridge',
            within=name,
            remap=clock,
            respawn=True,
            parameters={
                'host': config.host,
                'port': port,
                'seed': seed,
                'vehicle': '' if embedded else config.vehicle_names[index],
                'world': world,
                'lockstep': config.lockstep,
                'task': config.task,
            },
        ),
        Process(
            f'{name}/policy',
            'policy',
            within=name,
            remap=clock,
            respawn=True,
            parameters={
                'checkpoint': str(config.policy),
                'operating_point': 'full',
                'explore_seed': seed,
                'epsilon': config.epsilon_start,
            },
        ),
    ]
    if embedded:
        settings = camera_of(config.task) or 'training.json'
        start = ('--paused',) if config.lockstep else ()
        processes.insert(
            0,
            simulator(
                f'{name}/simulator', config.host, port, world, seed, settings, start, respawn=True
            ),
        )
    return processes


def fleet(config: FleetConfig) -> list[Process]:
    """
    Return the processes of a fleet, the trainer first: it makes the weights to fly by.

    ValueError says what cannot be trained: it is known before anything starts.
    """
    return [
        trainer(config),
        *(process for index in range(config.drones) for process in drone(config, index)),
    ]
