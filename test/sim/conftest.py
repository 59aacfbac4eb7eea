"""A running simulator in a paused world, and airsim's own client for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from rapid_nav.airsim import rpc_client

rpc_client.install()  # the transport that airsim imports, in every test below

if TYPE_CHECKING:  # a machine without a package that these import still runs the other tests
    import airsim

    from rapid_nav.airsim.drone import AirSimDrone
    from rapid_nav.sim.server import Server
    from rapid_nav.sim.worlds.world import World


@pytest.fixture(scope='session')
def world() -> World:
    from rapid_nav.sim.worlds.world import make_world

    return make_world('corridor', 1)


@pytest.fixture
def server(world: World) -> Iterator[Server]:
    from rapid_nav.sim.server import Server

    with Server(world, port=0, start_ns=0, paused=True) as running:
        yield running


@pytest.fixture
def drone(server: Server) -> Iterator[AirSimDrone]:
    from rapid_nav.airsim.drone import connect

    flying = connect(port=server.port)
    yield flying
    flying.close()


@pytest.fixture
def client(server: Server) -> airsim.MultirotorClient:
    """Airsim's unmodified MultirotorClient, on our transport."""
    airsim = pytest.importorskip('airsim')
    return airsim.MultirotorClient(port=server.port, timeout_value=120)


@pytest.fixture(scope='module')
def module_server(world: World) -> Iterator[Server]:
    """One simulator for a whole module, for tests that do not mind what was there before."""
    from rapid_nav.sim.server import Server

    with Server(world, port=0, start_ns=0, paused=True) as running:
        yield running
