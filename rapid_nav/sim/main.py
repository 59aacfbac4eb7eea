"""`rapid-nav sim`: serve a world until told to stop."""

from dataclasses import dataclass
import logging
import os
import signal
import sys
import threading
from typing import NoReturn

from rapid_nav.sim.server import PORT, Server
from rapid_nav.sim.worlds.world import make_world


@dataclass(frozen=True)
class SimConfig:
    """What to simulate, and for whom."""

    # The world is corridor, rooms, pillars or forest, or a scene or map_server YAML file.
    world: str = 'corridor'
    seed: int = 0  # The world and the sensors' noise have this seed.
    host: str = '127.0.0.1'  # It listens at this address; 0.0.0.0 lets everybody fly.
    port: int = PORT  # It listens on this port; 0 takes any free one.
    # This file, AirSim's settings.json, names vehicles, cameras, sensors and the clock's speed.
    settings: str = ''
    paused: bool = False  # The clock waits for a client to step it.
    start: float = -1.0  # The clock starts so many seconds after 1970; below 0 it starts now.


def main(config: SimConfig) -> NoReturn:
    """Serve until SIGINT or SIGTERM, with which the process ends."""
    if not 0 <= config.port <= 65535:
        raise ValueError(f'port is {config.port}; it must lie in [0, 65535]')
    logging.basicConfig(format='%(levelname)s %(message)s', level=logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = Server(
        make_world(config.world, config.seed),
        config.settings or None,
        config.host,
        config.port,
        config.seed,
        None if config.start < 0 else round(config.start * 1e9),
        config.paused,
    )
    with server:
        print(
            f'Simulating {config.world}, seed {config.seed}, on {config.host}:{server.port}',
            flush=True,
        )
        stop.wait()
    sys.stderr.flush()
    os._exit(0)  # nothing is left to tidy up, and the compiler's own end takes a second
