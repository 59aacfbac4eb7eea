"""`rapid-nav sim`: serve a world until told to stop."""

from dataclasses import dataclass
import logging
import signal
import threading

from rapid_nav.sim.server import PORT, Server
from rapid_nav.sim.world import make_world


@dataclass(frozen=True)
class SimConfig:
    """What to simulate, and for whom."""

    world: str = 'corridor'  # corridor, rooms, pillars, forest, or a scene or map_server .yaml
    seed: int = 0  # of the world and of the sensors' noise
    host: str = '127.0.0.1'  # where to listen; 0.0.0.0: everybody may fly
    port: int = PORT  # to listen on, 0 for any free one
    settings: str = ''  # AirSim's settings.json: vehicles, cameras, sensors, clock speed
    paused: bool = False  # wait for a client to step the clock
    start: float = -1.0  # the clock's first value, s since 1970; negative for now


def main(config: SimConfig) -> None:
    """Serve until SIGINT or SIGTERM."""
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
        print(f'Simulating {config.world}, seed {config.seed}, on {config.host}:{server.port}',
              flush=True)
        stop.wait()
