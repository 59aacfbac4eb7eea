"""TCP ports of this machine."""

import socket


def free_port(host: str = '127.0.0.1') -> int:
    """Return a port of an address of this machine that nobody listens on."""
    with _socket(host) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(host: str, port: int) -> None:
    """Raise ValueError unless a server can listen on a port of an address of this machine."""
    with _socket(host) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ValueError(
                f'port {port} of {host} cannot be served: {error.strerror}; '
                'choose another, or 0 for any that is free'
            ) from None


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
