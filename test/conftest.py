"""What every test gets: ports and ROS domains of its own, and quiet arithmetic."""

from collections.abc import Iterator
import importlib.util
import os
from pathlib import Path

from hypothesis import settings
import pytest

# A busy machine fails no example: hypothesis' deadline is wall-clock time.
settings.register_profile('patient', deadline=None)
settings.load_profile('patient')
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('NUMBA_NUM_THREADS', '1')
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

# `pip install .` alone has no ROS: the rest is tested there all the same.
collect_ignore = [] if importlib.util.find_spec('rclpy') else ['nodes', 'cli/test_fly.py']


@pytest.fixture
def port() -> int:
    """Return a TCP port that nobody listens on."""
    from rapid_nav.ports import free_port

    return free_port()


@pytest.fixture
def domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Give this test and the processes it starts a ROS domain that no other run uses."""
    from rapid_nav.stack.flight import reserve_domain

    with reserve_domain() as number:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(number))
        yield number


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a network that has learned nothing yet."""
    return untrained('drone', tmp_path_factory.mktemp('models'))


@pytest.fixture(scope='session')
def pedra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a network for PEDRA's task that has learned nothing yet."""
    return untrained('pedra', tmp_path_factory.mktemp('models'))


def untrained(name: str, folder: Path) -> Path:
    """Write a network for a task that has learned nothing yet; return the file."""
    from networks import THREE_EXITS
    import torch

    from rapid_nav.agent.checkpoint import Checkpoint, save
    from rapid_nav.agent.config import NetworkConfig
    from rapid_nav.agent.network import EarlyExitNetwork
    from rapid_nav.drone.actions import ActionGrid
    from rapid_nav.drone.task import TASKS

    torch.manual_seed(0)
    torch.set_num_threads(1)
    task = TASKS[name]
    config = NetworkConfig(
        task.observation.shape, ActionGrid(task.actions).num_actions, THREE_EXITS
    )
    network = EarlyExitNetwork(config)
    path = folder / 'untrained.safetensors'
    save(path, Checkpoint(network, task.to_dict(), {'never': (1.5, 1.5)}))
    return path
