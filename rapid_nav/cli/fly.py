"""`rapid-nav fly`: the whole stack without ros2 launch, watched until its flights are over."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import logging
import os
from pathlib import Path
import signal
import threading
import time
from typing import NamedTuple, TYPE_CHECKING

from rapid_nav.cli.dashboard import Dashboard, summary
from rapid_nav.offline.reporting.kinds import Flight
from rapid_nav.options import setting
from rapid_nav.shutdown import stop_requested
from rapid_nav.stack import flight
from rapid_nav.stack.processes import Processes

if TYPE_CHECKING:
    from rapid_nav.nodes.lib.flight_listener import FlightListener
_QUIET_S = 0.4  # of silence, after which nothing more of a whole flight is under way
_LOST_S = 3.0  # the same, when the last frame or its decision has not come
_FINISH_S = 20.0  # for a bag to be finished: without its index the standard tools refuse it
_RECORDER = 'recorder'
_ASKED_TO_END = (0, -signal.SIGTERM, -signal.SIGINT)


@dataclass(frozen=True)
class FlyConfig(flight.StackConfig):
    """What `rapid-nav fly` takes."""

    report: Path | None = setting(None, 'JSON file for the figures of the flight.')


class End(NamedTuple):
    """How a flight ended, as its report tells it."""

    status: str  # finished, stopped or failed
    reason: str

    @property
    def exit_status(self) -> int:
        """The exit status of the command."""
        return int(self.status == 'failed')


def main(config: FlyConfig) -> int:
    """Fly, show it, sum it up; return 0 unless a process of it failed."""
    with stop_requested() as stop, domain_of_this_run() as domain:
        environment = flight.environment(domain)
        os.environ.update(environment)
        port = flight.port_of(config)
        stack = flight.stack(config, port, _RECORDER)
        level = logging.getLogger('rapid_nav').level
        if config.report:
            config.report.parent.mkdir(parents=True, exist_ok=True)
        title = f'{config.world} {config.seed} on port {port}, ROS_DOMAIN_ID={domain}'
        with _recorder(config.namespace) as recorder, Dashboard(title) as dashboard:
            with Processes(environment, dashboard.say) as processes:
                for process in stack:
                    processes.start(process.name, process.command(config.namespace, level))
                end = _watch(processes, recorder, dashboard, stop)
            report = _report(config, recorder, end)
        dashboard.console.print(summary(report), markup=False, soft_wrap=True)
        report.write(config.report)
    return end.exit_status


def _watch(
    processes: Processes, recorder: 'FlightListener', dashboard: Dashboard, stop: threading.Event
) -> End:
    """Show the flight until it is over or a process of it ends; return how it ended."""
    while not stop.wait(0.1):
        with recorder.lock:
            dashboard.update(recorder.stats)
        if ended := processes.ended():
            name, status = ended
            if name == 'airsim_bridge' and status == 0:
                _await_last_messages(recorder)
                if 'record' in processes.running:
                    processes.end('record', _FINISH_S)
                return End('finished', 'the flights are over')
            if stop.wait(0.2):
                break  # so it was asked to end, as we were
            reason = f'{name} ended with status {status}'
            dashboard.say(name, f'{reason}, and so does the flight')
            return End('stopped' if status in _ASKED_TO_END else 'failed', reason)
    return End('stopped', 'asked to end by a signal')


def _await_last_messages(recorder: 'FlightListener') -> None:
    """Wait for messages under way: the last frame ends a flight, and has its decision."""
    received, since = -1, time.monotonic()
    while (silence := time.monotonic() - since) < _LOST_S:
        if received != (count := recorder.received()):
            received, since = count, time.monotonic()
        elif silence > _QUIET_S and recorder.complete():
            return
        time.sleep(0.02)


def _report(config: FlyConfig, recorder: 'FlightListener', end: End) -> Flight:
    with recorder.lock:
        flown = recorder.stats.summary()
    return Flight(
        world=config.world if config.simulator == 'embedded' else config.simulator,
        seed=config.seed,
        lockstep=config.lockstep,
        checkpoint=str(flight.checkpoint_of(config)),
        **end._asdict(),
        **vars(flown),
    )


@contextlib.contextmanager
def domain_of_this_run() -> Iterator[str]:
    """Yield the domain that was asked for, or one of our own."""
    if given := os.environ.get('ROS_DOMAIN_ID'):
        yield given
        return
    with flight.reserve_domain() as number:
        yield str(number)


@contextlib.contextmanager
def _recorder(namespace: str) -> Iterator['FlightListener']:
    """Yield a recorder that listens in a thread of its own."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from rapid_nav.nodes.lib.flight_listener import FlightListener
    from rapid_nav.nodes.lib.spin import spinning

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    recorder = FlightListener(_RECORDER, namespace)
    executor = SingleThreadedExecutor()
    executor.add_node(recorder)
    with spinning(executor):
        yield recorder
