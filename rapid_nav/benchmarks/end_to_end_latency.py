"""`rapid-nav bench latency`: every exit, from image to command over ROS 2, depth over RPC."""

from collections.abc import Iterator
import contextlib
import dataclasses
from dataclasses import dataclass, replace
import os
from pathlib import Path
import signal
import tempfile
from typing import TYPE_CHECKING

from rapid_nav.drone.flight_stats import Percentiles
from rapid_nav.drone.online_config import OnlineConfig
from rapid_nav.offline.reporting.kinds import LatencyBenchmark
from rapid_nav.options import check, setting
from rapid_nav.stack import flight
from rapid_nav.stack.processes import Processes

if TYPE_CHECKING:
    from rapid_nav.nodes.lib.latency_probe import LatencyProbe
_START_S = 60.0  # for the policy to come up
_TURNS = 4  # of a trainer that is stopped, and one that learns


@dataclass(frozen=True)
class LatencyConfig:
    """What `rapid-nav bench latency` takes."""

    checkpoint: str = setting('', 'File of the network; if empty, the shipped one.')
    rate: float = setting(20.0, 'Rate of the images.', unit='Hz', low=0.1, high=1000.0)
    images: int = setting(400, 'Number of images that are timed.', low=2, high=1000000)
    trainer: bool = setting(
        False, 'Time as many again beside a trainer that learns from them all the time.'
    )
    report: Path | None = setting(None, 'JSON file for the figures.')

    def __post_init__(self) -> None:
        check(self)


def main(config: LatencyConfig) -> int:
    """Measure, print and write the report."""
    from rapid_nav.benchmarks import exit_latency as exits
    from rapid_nav.benchmarks import rpc

    waits, overhead = image_to_command(config)
    depth, measured = rpc.run(), exits.run(checkpoint_of(config))
    figures = replace(
        measured,
        threads={
            count: replace(times, callback_overhead_ms_p50=overhead)
            for count, times in measured.threads.items()
        },
        image_to_command_ms=waits,
        rpc_depth_ms=depth['rpc_depth_ms'],
        rpc_depth_stock_ms=depth['rpc_depth_stock_ms'],
    )
    if config.trainer:
        figures = beside_trainer(config, figures)
    print(figures.to_json())
    if why := rpc.stock_missing():
        print(why)
    figures.write(config.report)
    return 0


def checkpoint_of(config: LatencyConfig) -> Path:
    """Return the file of the network that is timed."""
    return Path(flight.checkpoint_of(flight.StackConfig(checkpoint=config.checkpoint)))


def image_to_command(config: LatencyConfig) -> tuple[Percentiles, float]:
    """
    Return p50 and p99 [ms] from publishing a depth image to hearing its command.

    And the p50 [ms] of what of that passes in the policy's callback, but not in the network.
    The policy is the real node in a process of its own; another process, this one, is the camera.
    """
    import numpy as np

    with _policy(config) as (_, probe):
        waits = probe.measure(config.images, 1.0 / config.rate, _START_S)
        return percentiles_ms(waits), 1e3 * float(np.median(probe.overheads))


def beside_trainer(config: LatencyConfig, figures: LatencyBenchmark) -> LatencyBenchmark:
    """
    Add the same beside a trainer at work and beside one that is stopped, and p99's ratio.

    Both take turns, so that what else the machine does falls on both alike. The policy runs its
    whole network, as in a fleet, and takes what the trainer offers.
    """
    period = 1.0 / config.rate
    waits: dict[int, list[float]] = {signal.SIGSTOP: [], signal.SIGCONT: []}
    with (
        tempfile.TemporaryDirectory() as out,
        _policy(config, operating_point='full') as (processes, probe),
    ):
        probe.measure(1, period, _START_S)
        learning = OnlineConfig(
            out=out,
            start=str(checkpoint_of(config)),
            learning_starts=50,
            steps_per_update=1,
            offer_seconds=5.0,
        )
        processes.start(
            'trainer',
            flight.Process(
                'trainer',
                'trainer',
                parameters={**dataclasses.asdict(learning), 'use_sim_time': False},
            ).command('rapid'),
        )
        # The file it was given, that of the trainer's start, and one of what it has learned.
        probe.show_until(lambda: len(probe.flown) > 2, period, 2 * _START_S)
        for number in _TURNS * tuple(waits):
            processes.running['trainer'].send_signal(number)
            waits[number] += probe.measure(config.images // _TURNS, period, _START_S)
        processes.running['trainer'].send_signal(signal.SIGCONT)
    alone, beside = (percentiles_ms(waits[number]) for number in (signal.SIGSTOP, signal.SIGCONT))
    assert alone.p99 and beside.p99, 'both were measured'
    return replace(
        figures,
        full_path_ms=alone,
        full_path_beside_trainer_ms=beside,
        beside_trainer_p99_ratio=beside.p99 / alone.p99,
    )


def percentiles_ms(waits: list[float]) -> Percentiles:
    """Return the percentiles [ms] of times [s]."""
    return Percentiles.of([1e3 * wait for wait in waits])


@contextlib.contextmanager
def _policy(
    config: LatencyConfig, **parameters: str
) -> Iterator[tuple[Processes, 'LatencyProbe']]:
    """Yield a running policy, and the camera that times it."""
    policy = flight.Process(
        'policy',
        'policy',
        parameters={'checkpoint': str(checkpoint_of(config)), 'use_sim_time': False, **parameters},
    )
    with flight.reserve_domain() as domain:
        environment = flight.environment(domain)
        os.environ.update(environment)
        with Processes(environment, print) as processes, _latency_probe() as probe:
            processes.start('policy', policy.command('rapid'))
            yield processes, probe


@contextlib.contextmanager
def _latency_probe() -> Iterator['LatencyProbe']:
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from rapid_nav.nodes.lib.latency_probe import LatencyProbe

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)  # they interrupt, as everywhere
    try:
        yield LatencyProbe()
    finally:
        rclpy.try_shutdown()
