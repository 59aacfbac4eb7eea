"""A simulator that answers what a test tells it to, at the wire."""

import contextlib
import socket
import threading
from typing import Any

import msgpack

VECTOR = {'x_val': 0.0, 'y_val': 0.0, 'z_val': 0.0}
TURN = {'w_val': 1.0, 'x_val': 0.0, 'y_val': 0.0, 'z_val': 0.0}
POSE = {'position': VECTOR, 'orientation': TURN}
ANSWERS: dict[str, Any] = {
    'ping': True,
    'getServerVersion': 1,
    'getMinRequiredClientVersion': 1,
    'simGetVehiclePose': POSE,
    'listVehicles': ['SimpleFlight'],
    'getMultirotorState': {
        'kinematics_estimated': {**POSE, 'linear_velocity': VECTOR, 'angular_velocity': VECTOR},
        'timestamp': 5,
        'landed_state': 1,
    },
    'simGetCollisionInfo': {'has_collided': False, 'object_name': ''},
}
SILENCE = object()  # as an answer: none


class FakeSimulator:
    """Answers methods with values or with what functions of the arguments return."""

    def __init__(self, port: int = 0, **answers: Any) -> None:
        self.answers = {**ANSWERS, **answers}
        self._listener = socket.create_server(('127.0.0.1', port))
        self.port = self._listener.getsockname()[1]
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> 'FakeSimulator':
        return self

    def __exit__(self, *_exception: object) -> None:
        # A listener that is only closed goes on to accept until its thread looks again.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Break every connection."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self.connections.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        requests = msgpack.Unpacker()
        with contextlib.suppress(OSError):
            while data := connection.recv(65536):
                requests.feed(data)
                for _, msgid, method, args in requests:
                    self._answer(connection, msgid, method, args)

    def _answer(self, connection: socket.socket, msgid: int, method: str, args: list[Any]) -> None:
        answer, error = self.answers.get(method), None
        if method not in self.answers:
            error = f"rpclib: server could not find function '{method}' with argument count 0."
        elif callable(answer):
            answer = answer(*args)
        if answer is not SILENCE:
            connection.sendall(msgpack.packb([1, msgid, error, answer], use_single_float=True))
