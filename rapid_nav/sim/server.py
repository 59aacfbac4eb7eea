"""The embedded simulator: a world with vehicles, behind AirSim's RPC."""

from collections.abc import Mapping
from pathlib import Path
import time
from typing import Any

from rapid_nav.sim.airsim_settings import read_settings
from rapid_nav.sim.engine import Engine
from rapid_nav.sim.rpc.arguments import anything, collect, Method
from rapid_nav.sim.rpc.camera_methods import CameraMethods
from rapid_nav.sim.rpc.flight_methods import FlightMethods
from rapid_nav.sim.rpc.sensor_methods import sensor_methods
from rapid_nav.sim.rpc.server import RpcServer
from rapid_nav.sim.rpc.state_methods import StateMethods
from rapid_nav.sim.rpc.time_methods import TimeMethods
from rapid_nav.sim.rpc.world_methods import IGNORED, WorldMethods
from rapid_nav.sim.worlds.world import World

PORT = 41451  # AirSim's own


class Server:
    """
    Serves a world. `with Server(world) as server:` or start() and stop(); `port` tells where.

    The same seed gives the same noise. With `start_ns` (the clock's first value [ns], else now),
    `paused` from the beginning and stepped by its client, every answer is the same bit by bit.
    """

    def __init__(
        self,
        world: World,
        settings: Mapping[str, Any] | str | Path | None = None,
        host: str = '127.0.0.1',
        port: int = PORT,
        seed: int = 0,
        start_ns: int | None = None,
        paused: bool = False,
    ) -> None:
        about = read_settings(settings)
        start_ns = time.time_ns() if start_ns is None else start_ns
        self.engine = Engine(world, about, seed, start_ns)
        self.engine.pause(paused)
        flight = FlightMethods(self.engine)
        self.methods = flight.methods() | sensor_methods(self.engine)
        self.methods |= collect(
            flight,
            TimeMethods(self.engine, about),
            StateMethods(self.engine),
            CameraMethods(self.engine),
            WorldMethods(self.engine),
        )
        for name, count in IGNORED.items():
            self.methods[name] = Method((anything,) * count, lambda *_args: None)
        self._rpc = RpcServer(self.methods, host, port)

    @property
    def port(self) -> int:
        """Where it listens, once started."""
        return self._rpc.port

    def start(self) -> 'Server':
        """Compile what is not compiled yet, then listen and let time pass."""
        self.engine.warm_up()
        self._rpc.start()
        self.engine.start()
        return self

    def stop(self) -> None:
        """Hang up and stand still."""
        self.engine.stop()
        self._rpc.stop()

    def __enter__(self) -> 'Server':
        """Start."""
        return self.start()

    def __exit__(self, *_exception: object) -> None:
        """Stop."""
        self.stop()
