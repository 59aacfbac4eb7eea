"""`rapid-nav bench latency`: every exit, from image to command over ROS 2, depth over RPC."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rapid_nav import bringup
from rapid_nav.processes import Processes
from rapid_nav.settings import check, setting

if TYPE_CHECKING:
    from rapid_nav.nodes.stopwatch import Stopwatch
_START_S = 60.0  # for the policy to come up


@dataclass(frozen=True)
class LatencyConfig:
    """What is timed, and where the figures go."""

    checkpoint: str = setting('', 'The file of the network; if empty, the shipped one is timed.')
    rate: float = setting(
        20.0, 'The camera shows images at this rate.', unit='Hz', low=0.1, high=1000.0)
    images: int = setting(400, 'So many images are timed.', low=2, high=1000000)
    report: Path | None = setting(None, 'The figures are written to this JSON file.')

    def __post_init__(self) -> None:
        check(self)


def main(config: LatencyConfig) -> int:
    """Measure, print and write the report."""
    from rapid_nav import bench_rpc
    from rapid_nav.offline import bench_latency as exits

    waits, overhead = image_to_command(config)
    figures = {
        'image_to_command_ms': waits, **bench_rpc.run(), **exits.run(checkpoint_of(config))}
    for block in figures['threads'].values():
        block['callback_overhead_ms_p50'] = overhead
    print(json.dumps(figures, indent=2))
    if why := bench_rpc.stock_missing():
        print(why)
    if config.report:
        config.report.parent.mkdir(parents=True, exist_ok=True)
        config.report.write_text(json.dumps(figures, indent=2) + '\n')
    return 0


def checkpoint_of(config: LatencyConfig) -> Path:
    """Return the file of the network that is timed."""
    return Path(bringup.checkpoint_of(bringup.StackConfig(checkpoint=config.checkpoint)))


def image_to_command(config: LatencyConfig) -> tuple[dict[str, float], float]:
    """
    Return p50 and p99 [ms] from publishing a depth image to hearing its command.

    And the p50 [ms] of what of that passes in the policy's callback, but not in the network.
    The policy is the real node in a process of its own; another process, this one, is the camera.
    """
    import numpy as np

    checkpoint = checkpoint_of(config)
    # Nobody tells the time here but the wall.
    policy = bringup.Process(
        'policy', 'policy', parameters={'checkpoint': str(checkpoint), 'use_sim_time': False})
    with bringup.reserve_domain() as domain:
        environment = bringup.environment(domain)
        os.environ.update(environment)
        with Processes(environment, print) as processes, _stopwatch() as stopwatch:
            processes.start('policy', policy.command('rapid'))
            waits = stopwatch.measure(config.images, 1.0 / config.rate, _START_S)
    percentiles = {f'p{q}': 1e3 * float(np.percentile(waits, q)) for q in (50, 99)}
    return percentiles, 1e3 * float(np.median(stopwatch.overheads))


@contextlib.contextmanager
def _stopwatch() -> Iterator['Stopwatch']:
    import rclpy

    from rapid_nav.nodes.stopwatch import Stopwatch

    rclpy.init()
    try:
        yield Stopwatch()
    finally:
        rclpy.try_shutdown()
