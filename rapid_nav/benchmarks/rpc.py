"""How long a depth image takes over AirSim's RPC, with our transport and with the stock one."""

from collections.abc import Iterator
import contextlib
import os
from pathlib import Path
import queue
import re
import statistics
import subprocess
import sys
import time

from rapid_nav.resources import prefix
from rapid_nav.stack.processes import Processes

STOCK = Path(sys.prefix) / 'stock-airsim'  # where set-up puts msgpack-rpc-python and its tornado
ROUNDS, IMAGES = 3, 40  # images a round
_WARM_UP = 5  # images
_TIMEOUT_S = 120.0  # of a simulator that starts, and of a round
_MEASURE = (
    'import sys; from rapid_nav.benchmarks.rpc import measure; measure(*map(int, sys.argv[1:]))'
)


def run(rounds: int = ROUNDS, images: int = IMAGES) -> dict[str, float | None]:
    """Return the median [ms] of a 256x144 depth image with each; None where stock is not there."""
    ours, stock = [], []
    with _simulator() as port:
        for _ in range(rounds):  # in turns, so that both see the same machine
            ours += _child(port, images, ours=True)
            if stock_missing() is None:
                stock += _child(port, images, ours=False)
    return {
        'rpc_depth_ms': statistics.median(ours),
        'rpc_depth_stock_ms': statistics.median(stock) if stock else None,
    }


def stock_missing() -> str | None:
    """Return why the stock transport cannot run here, or None if it can."""
    if not (STOCK / 'msgpackrpc').is_dir():
        return f'the stock transport (msgpack-rpc-python) is not installed in {STOCK}'
    if sys.version_info >= (3, 12):
        return 'the stock transport (tornado 4.5) does not import on Python 3.12 and later'
    return None


def environment(stock: bool) -> dict[str, str]:
    """Return an environment whose `import airsim` finds the stock transport, or ours."""
    paths = [str(STOCK) if stock else '', *sys.path]
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, paths))}


def measure(port: int, images: int, ours: int) -> None:
    """Print how long each image took [ms]; for a process of its own, as transports exclude."""
    if ours:
        from rapid_nav.airsim import rpc_client

        rpc_client.install()
    import airsim

    client = airsim.MultirotorClient(port=port, timeout_value=30)
    request = [airsim.ImageRequest('0', airsim.ImageType.DepthPlanar, True, False)]
    times = []
    for _ in range(_WARM_UP + images):
        began = time.perf_counter()
        answer = client.simGetImages(request)[0]
        times.append((time.perf_counter() - began) * 1e3)
        assert len(answer.image_data_float) == 256 * 144
    print(*times[_WARM_UP:])


def _child(port: int, images: int, ours: bool) -> list[float]:
    done = subprocess.run(
        [sys.executable, '-c', _MEASURE, str(port), str(images), str(int(ours))],
        env=environment(stock=not ours),
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f'the RPC benchmark failed: {done.stderr.strip()[-2000:]}')
    return [float(word) for word in done.stdout.split()]


@contextlib.contextmanager
def _simulator() -> Iterator[int]:
    """Run a simulator in a process of its own; yield its port."""
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    command = [str(prefix() / 'bin' / 'rapid-nav'), 'sim', '--port', '0']
    with Processes(os.environ, lambda _, line: said.put(line)) as processes:
        processes.start('simulator', command)
        while not (port := re.search(r'^Simulating .*:(\d+)$', said.get(timeout=_TIMEOUT_S))):
            pass  # it logs something
        yield int(port[1])
