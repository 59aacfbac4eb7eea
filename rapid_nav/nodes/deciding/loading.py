"""A checkpoint made ready to fly: read, checked against its task, warmed up, and named."""

from dataclasses import dataclass
from pathlib import Path
import time
import zlib

import numpy as np

from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.checkpoint_format import CheckpointError, refusing
from rapid_nav.inference.exit_rule import only_exit
from rapid_nav.inference.policy import load_policy
from rapid_nav.inference.policy import Policy as Network
from rapid_nav.resources import shipped_checkpoint

WARM_UP = 20  # decisions at each exit, which also tell how long each takes


@dataclass(frozen=True)
class Loaded:
    """A network that flies from its first decision on as quickly as ever."""

    checkpoint: str  # as it was named
    path: Path
    checkpoint_id: int  # CRC-32 of the file
    network: Network
    task: FlightTask
    times: tuple[float, ...]  # that leaving at each exit takes [ms], rising

    @property
    def updates(self) -> str:
        """How long these weights have learned, as far as the file says."""
        return str(self.network.metadata.card.get('updates', 'unknown'))


def load(checkpoint: str, before: FlightTask | None = None) -> Loaded:
    """
    Make a checkpoint ready, the shipped one if it is ''; ValueError says what is wrong with it.

    With the task that flies already, it must be of the same: camera, bridge and history are.
    """
    path = Path(checkpoint or shipped_checkpoint())
    network = load_policy(path)
    with refusing(path):
        task = FlightTask.from_dict(network.metadata.task)
    sizes = network.metadata.network
    wanted = (task.observation.shape, ActionGrid(task.actions).num_actions)
    if (tuple(sizes.input_shape), sizes.num_actions) != wanted:
        raise CheckpointError(
            f'{path}: a network of {sizes.input_shape} and {sizes.num_actions} actions cannot fly '
            f'a task of {wanted[0]} and {wanted[1]}; train it for its task'
        )
    if before is not None and task != before:
        raise CheckpointError(
            f'{path}: trained for another task than the one that is flown; '
            'start the policy anew to fly it'
        )
    checkpoint_id = zlib.crc32(path.read_bytes())
    return Loaded(checkpoint, path, checkpoint_id, network, task, warm_up(network))


def warm_up(network: Network) -> tuple[float, ...]:
    """Run every exit; return the time that leaving there takes [ms], rising."""
    observation = np.zeros((1, *network.metadata.network.input_shape), np.float32)
    times = [0.0]
    for level in range(network.num_levels):
        thresholds = only_exit(level, network.num_levels)
        spent = []
        for _ in range(WARM_UP):
            began = time.perf_counter()
            network.decide(observation, thresholds)
            spent.append(1e3 * (time.perf_counter() - began))
        times.append(max(float(np.median(spent)), times[-1] + 1e-6))
    return tuple(times[1:])
