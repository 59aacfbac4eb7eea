"""`rapid-nav sim`: serve a world until asked to stop."""

from dataclasses import dataclass
import logging
import os
import sys
from threading import Event
from typing import NoReturn

from rapid_nav.options import check, setting
from rapid_nav.shutdown import stop_requested
from rapid_nav.sim.server import PORT, Server
from rapid_nav.sim.worlds.world import make_world


@dataclass(frozen=True)
class SimConfig:
    """What `rapid-nav sim` takes."""

    world: str = setting(
        'corridor',
        'World: corridor, rooms, pillars or forest, or a scene or map_server YAML file.',
    )
    seed: int = setting(0, "Seed of the world and of the sensors' noise.", low=0)
    host: str = setting(
        '127.0.0.1', 'Address to listen at; 0.0.0.0 accepts clients from other machines.'
    )
    port: int = setting(PORT, 'Port to listen on; 0 takes any free one.', low=0, high=65535)
    settings: str = setting(
        '',
        "AirSim's settings.json, with vehicles, cameras, sensors and the clock's speed; "
        'if empty, the defaults.',
    )
    paused: bool = setting(False, 'Start with a paused clock, which a client steps.')
    start: float = setting(
        -1.0, "The clock's first value, after 1970; below 0 it is the machine's time.", unit='s'
    )

    def __post_init__(self) -> None:
        check(self)


def main(config: SimConfig) -> NoReturn:
    """Serve until SIGINT or SIGTERM, or a fault of the physics, with which the process ends."""
    logging.basicConfig(format='%(levelname)s %(message)s', level=logging.INFO)
    with stop_requested() as stop:
        server = Server(
            make_world(config.world, config.seed),
            config.settings or None,
            config.host,
            config.port,
            config.seed,
            None if config.start < 0 else round(config.start * 1e9),
            config.paused,
        )
        status = serve(server, stop, f'{config.world}, seed {config.seed}, on {config.host}')
        sys.stderr.flush()
        os._exit(status)  # nothing is left to tidy up, and the compiler's own end takes a second


def serve(server: Server, stop: Event, what: str) -> int:
    """Serve `what` until `stop` is set; return the exit status, 1 after a fault."""
    server.engine.on_fault = stop.set
    with server:
        print(f'Simulating {what}:{server.port}', flush=True)
        stop.wait()
    return 0 if server.engine.fault is None else 1
