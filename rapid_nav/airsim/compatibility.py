"""What answers at an address: AirSim 1.8.1, one of its relatives, something else, or nobody."""

import contextlib
from typing import Any

from rapid_nav.airsim.rpc_client import RPCError, TimeoutError, TransportError  # noqa: A004


class NoDrone(ConnectionError):
    """There is nothing to fly at that address, or it speaks another dialect; says which."""


def check(client: Any, where: str, vehicle: str, timeout_s: float) -> None:
    """Raise NoDrone unless AirSim 1.8.1's dialect is spoken there and the vehicle exists."""
    try:
        client.ping()
        least = client.getMinRequiredClientVersion()
        pose = client.client.call('simGetVehiclePose', vehicle)
    except TimeoutError as error:
        raise NoDrone(
            f'Something at {where} accepts connections but did not answer a ping within '
            f'{timeout_s:g} s; check host and port, or whether the simulator hangs'
        ) from error
    except TransportError as error:
        raise NoDrone(
            f'No AirSim at {where} ({error}); start `rapid-nav sim`, or AirSim itself, or check '
            f'host and port'
        ) from error
    except RPCError as error:
        raise NoDrone(_other_vehicle(client, where, vehicle, error)) from error
    if least > client.getClientVersion():
        raise NoDrone(
            f'The simulator at {where} wants clients of version {least} or later (Cosys-AirSim?); '
            f'use AirSim 1.8.1 or Colosseum up to 2.2'
        )
    if not isinstance(pose, dict):
        raise NoDrone(
            f'The simulator at {where} sends structures as arrays (Colosseum 2.3 or later?); '
            f'use AirSim 1.8.1 or Colosseum up to 2.2'
        )


def _other_vehicle(client: Any, where: str, vehicle: str, error: RPCError) -> str:
    with contextlib.suppress(RPCError):
        names = client.listVehicles()
        if vehicle and vehicle not in names:
            return f'No vehicle {vehicle!r} at {where}; there are {", ".join(names) or "none"}'
    return f'The simulator at {where} does not answer as AirSim 1.8.1 would: {error}'
