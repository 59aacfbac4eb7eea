"""What every test gets: a port and a ROS domain of its own, and single-threaded arithmetic."""

from collections.abc import Iterable, Iterator
import contextlib
import os
from pathlib import Path
import random
import socket

from optional_packages import MAY_BE_MISSING
import pytest

os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('NUMBA_NUM_THREADS', '1')
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

with contextlib.suppress(ModuleNotFoundError):
    from hypothesis import HealthCheck, settings

    # The same examples every time, and none that fails because the machine is slow. To look for
    # new ones: --hypothesis-profile=default.
    settings.register_profile(
        'repeatable', deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile('repeatable')

PORTS = range(20_000, 30_000)  # below those that the kernel hands out to clients


class Module(pytest.Module):
    """A file of tests, skipped with the reason where a package is missing that it imports."""

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            missing = getattr(error.__cause__, 'name', None) or ''
            if missing.split('.')[0] not in MAY_BE_MISSING:
                raise
            pytest.skip(f'{missing} is not installed', allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> Module:
    """Collect every file of tests as above."""
    return Module.from_parent(parent, path=module_path)


@pytest.fixture
def port() -> Iterator[int]:
    """Yield a TCP port of this machine that nobody listens on and no other test is given."""
    for number in random.SystemRandom().sample(PORTS, len(PORTS)):
        with socket.socket(socket.AF_UNIX) as reservation:
            try:
                reservation.bind(f'\0rapid_nav/test_port/{number}')
                with socket.create_server(('127.0.0.1', number)):
                    pass
            except OSError:
                continue
            yield number
            return
    raise RuntimeError('every port is taken')


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
    from rapid_nav.agent.network import EarlyExitNetwork
    from rapid_nav.drone.actions import ActionGrid
    from rapid_nav.drone.task import TASKS
    from rapid_nav.inference.network_config import NetworkConfig

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
