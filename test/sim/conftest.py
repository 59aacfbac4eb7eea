"""A running simulator in a paused world, and airsim's own client for it."""

from collections.abc import Iterator

import pytest

from rapid_nav.airsim import rpc_client
from rapid_nav.airsim.drone import AirSimDrone, connect
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world, World

rpc_client.install()
import airsim  # noqa: E402  (it imports the transport)


@pytest.fixture(scope='session')
def world() -> World:
    return make_world('corridor', 1)


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    with Server(world, port=0, start_ns=0, paused=True) as running:
        yield running


@pytest.fixture
def drone(server: Server) -> Iterator[AirSimDrone]:
    flying = connect(port=server.port)
    yield flying
    flying.close()


@pytest.fixture
def client(server: Server) -> airsim.MultirotorClient:
    """Airsim's unmodified MultirotorClient, on our transport."""
    return airsim.MultirotorClient(port=server.port, timeout_value=10)


@pytest.fixture(scope='module')
def module_server(world: World) -> Iterator[Server]:
    """One simulator for a whole module, for tests that do not mind what was there before."""
    with Server(world, port=0, start_ns=0, paused=True) as running:
        yield running
