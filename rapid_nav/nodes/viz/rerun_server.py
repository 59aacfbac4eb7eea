"""The page in which a browser shows a flight: Rerun's own server, at an address of our choice."""

import os
from pathlib import Path
import socket
import subprocess
import webbrowser

import rerun_cli

from rapid_nav.shutdown import end_with_parent

_ANY_ADDRESS = ('0.0.0.0', '::')
_END_TIMEOUT_S = 1.0


class RerunServer:
    """
    Serves a page that shows the data served at another port, until closed.

    The SDK could do this in our process, but only for the whole network.
    """

    def __init__(self, host: str, port: int, data_port: int) -> None:
        name = socket.gethostname() if host in _ANY_ADDRESS else host
        data = f'rerun+http://{name}:{data_port}/proxy'
        self.address = f'http://{name}:{port}/?url={data.replace("+", "%2B")}'
        # `python -m rerun` would start this as a process of its own, and leave it behind.
        command = [
            str(Path(rerun_cli.__file__).with_name('rerun')),
            '--serve-web',
            '--bind',
            host,
            '--web-viewer-port',
            str(port),
            data,
        ]
        self.server = subprocess.Popen(
            end_with_parent(command),
            env={**os.environ, 'RUST_LOG': 'warn'},
            stdin=subprocess.DEVNULL,
        )

    def open(self) -> None:
        """Open a browser where there is a screen."""
        if os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY'):
            webbrowser.open(self.address)

    def close(self) -> None:
        """End the server."""
        self.server.terminate()
        try:
            self.server.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.server.kill()
