"""Which simulator answers at an address: AirSim 1.8.1, a relative of it, another, or none."""

import contextlib

from rapid_nav.airsim.rpc_client import (
    Client,
    ProtocolError,
    RPCError,
    TimeoutError,  # noqa: A004
    TransportError,
)

CLIENT_VERSION = 1  # of AirSim 1.8.1's own client
_REMEDY = 'use AirSim 1.8.1 or Colosseum up to 2.2'
# What rpclib answers to a call that it does not know as ours.
_UNKNOWN_CALL = ('could not find function', 'invalid number of arguments')


class NoDrone(ConnectionError):
    """There is nothing to fly at that address; says what is there and the remedy."""


class WrongSimulator(NoDrone):
    """What answers there is no AirSim 1.8.1, and will not become one."""


def check(client: Client, where: str, vehicle: str, timeout_s: float) -> None:
    """
    Raise NoDrone unless the vehicle exists there, of `where` as host:port.

    It is a WrongSimulator if another dialect than AirSim 1.8.1's is spoken.
    """
    try:
        client.call('ping')
        least = client.call('getMinRequiredClientVersion')
        pose = client.call('simGetVehiclePose', vehicle)
    except TimeoutError as error:
        raise NoDrone(
            f'A server at {where} accepts connections but did not answer a ping within '
            f'{timeout_s:g} s; check host and port, or whether the simulator hangs'
        ) from error
    except ProtocolError as error:
        raise WrongSimulator(
            f'The server at {where} is no AirSim ({error}); check host and port'
        ) from error
    except TransportError as error:
        raise NoDrone(
            f'No AirSim at {where} ({error}); start `rapid-nav sim`, or AirSim itself, or check '
            f'host and port'
        ) from error
    except RPCError as error:
        raise _refusal(client, where, vehicle, error) from error
    if not isinstance(least, int) or least > CLIENT_VERSION:
        raise WrongSimulator(
            f'The simulator at {where} wants clients of version {least} or later (Cosys-AirSim?); '
            f'{_REMEDY}'
        )
    if not isinstance(pose, dict):
        raise WrongSimulator(
            f'The simulator at {where} sends structures as arrays (Colosseum 2.3 or later?); '
            f'{_REMEDY}'
        )


def _refusal(client: Client, where: str, vehicle: str, error: RPCError) -> NoDrone:
    kind = WrongSimulator if any(words in str(error) for words in _UNKNOWN_CALL) else NoDrone
    with contextlib.suppress(RPCError):
        names = client.call('listVehicles')
        if vehicle and vehicle not in names:
            return NoDrone(
                f'No vehicle {vehicle!r} at {where}; there are {", ".join(names) or "none"}'
            )
    return kind(f'The simulator at {where} does not answer as AirSim 1.8.1 would: {error}')
