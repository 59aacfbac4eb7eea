"""Which processes make a fleet that learns: drones, each with its simulator, and one trainer."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from rapid_nav.drone.online_config import OnlineConfig
from rapid_nav.options import setting
from rapid_nav.ports import free_port
from rapid_nav.resources import share
from rapid_nav.stack.flight import AIRSIM_PORT, Process
from rapid_nav.world_names import split_names

SEEDS = 10_000  # of worlds to train in; those from here on are for judging


@dataclass(frozen=True)
class FleetConfig(OnlineConfig):
    """Who flies, where, and what is learned from it."""

    drones: int = setting(2, 'So many drones fly.', low=1, high=16)
    duration: float = setting(
        0.0, 'The training takes so long; 0 lets it go on until it is stopped.', unit='s', low=0.0
    )
    lockstep: bool = setting(
        False, 'Each simulator steps one decision at a time: as fast as the machine can.'
    )
    simulator: str = setting(
        'embedded',
        'Each drone flies in one that comes along, or all in one AirSim that runs.',
        choices=('embedded', 'airsim'),
    )
    host: str = setting('127.0.0.1', 'AirSim listens at this host.')
    port: int = setting(AIRSIM_PORT, "AirSim's RPC listens on this port.", low=1, high=65535)
    vehicles: str = setting('', 'The drones have these names in AirSim, separated by commas.')
    world: str = setting(
        'corridor,rooms,pillars,forest', 'Flights take place in these, turn about.'
    )
    period: float = setting(
        0.102, 'Two images are so far apart.', unit='simulated s', low=0.03, high=10.0
    )
    evaluate: int = setting(
        0, 'Each evaluation while it learns takes so many held-out flights; 0 makes none.', low=0
    )
    namespace: str = setting(
        'rapid', 'The trainer is in this namespace, each drone in one below it.'
    )

    def __post_init__(self) -> None:
        super().__post_init__()
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
    """Return who learns; in lockstep it may take its share, else it waits for everybody."""
    lesson = {
        field.name: getattr(config, field.name) for field in dataclasses.fields(OnlineConfig)
    }
    start = str(Path(config.start).resolve()) if config.start else ''
    return Process(
        'trainer',
        'trainer',
        respawn=True,
        parameters={
            **lesson,
            'out': str(Path(config.out).resolve()),
            'start': start,
            'drones': ','.join(f'drone{index}' for index in range(config.drones)),
            'nice': 0 if config.lockstep else 10,
            'evaluate': config.evaluate,
            'use_sim_time': False,
        },
    )


def drone(config: FleetConfig, index: int) -> list[Process]:
    """Return the processes of one drone: everything that happens to it, happens to it alone."""
    name = f'drone{index}'
    embedded = config.simulator == 'embedded'
    port = free_port(config.host) if embedded else config.port
    seed = config.seed + index * (SEEDS // config.drones)
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
                'world': config.world if embedded else '',
                'lockstep': config.lockstep,
                'task': config.task,
                'decision_period': config.period,
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
        processes.insert(
            0,
            Process(
                f'{name}/simulator',
                'rapid-nav',
                (
                    'sim',
                    '--host',
                    config.host,
                    '--port',
                    str(port),
                    '--world',
                    split_names(config.world)[0],
                    '--seed',
                    str(seed),
                    '--settings',
                    str(
                        share()
                        / 'config'
                        / ('training.json' if config.task == 'drone' else 'pedra.json')
                    ),
                    *(('--paused',) if config.lockstep else ()),
                ),
                respawn=True,
            ),
        )
    return processes


def fleet(config: FleetConfig) -> list[Process]:
    """Return the processes of a training, the trainer first: it makes the weights to fly by."""
    return [
        trainer(config),
        *(process for index in range(config.drones) for process in drone(config, index)),
    ]
