"""`rapid-nav fly`: the whole stack without ros2 launch, watched until its flights are over."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import json
import os
from pathlib import Path
import signal
import threading
import time
from typing import Any, TYPE_CHECKING

from rapid_nav import bringup
from rapid_nav.dashboard import Dashboard, summary
from rapid_nav.processes import Processes
from rapid_nav.settings import setting

if TYPE_CHECKING:
    from rapid_nav.nodes.recorder import Recorder
_LAST_WORDS_S = 10.0  # at most, for messages still under way when the bridge has ended
_SILENCE_S = 0.4  # after which nothing more is under way


@dataclass(frozen=True)
class FlyConfig(bringup.StackConfig):
    """A flight, and where its account goes."""

    report: Path | None = setting(None, 'JSON file that the account is written to')


def main(config: FlyConfig) -> int:
    """Fly, show it, sum it up; return 0 unless something ended that should not have."""
    with _domain() as domain, _asked_to_stop() as stop:
        environment = bringup.environment(domain)
        os.environ.update(environment)
        port = bringup.port_of(config)
        stack = bringup.stack(config, port)
        if config.report:
            config.report.parent.mkdir(parents=True, exist_ok=True)
        title = f'{config.world} {config.seed} on port {port}, ROS_DOMAIN_ID={domain}'
        with _recorder(config.namespace) as recorder, Dashboard(title) as dashboard:
            with Processes(environment, dashboard.say) as processes:
                for process in stack:
                    processes.start(process.name, process.command(config.namespace))
                crash = _watch(processes, recorder, dashboard, stop)
            report = _report(config, recorder)
    dashboard.console.print(summary(report), markup=False, soft_wrap=True)
    if config.report:
        config.report.write_text(json.dumps(report, indent=2) + '\n')
    if crash:
        dashboard.console.print(crash, markup=False, style='red')
    return 1 if crash else 0


def _watch(
    processes: Processes, recorder: 'Recorder', dashboard: Dashboard, stop: threading.Event
) -> str:
    """Show the flight until it is over; return who ended that should not have, or ''."""
    while not stop.wait(0.1):
        with recorder.lock:
            dashboard.update(recorder.journal)
        if ended := processes.ended():
            name, status = ended
            if name == 'airsim_bridge' and status == 0:
                _hear_out(recorder)
                return ''
            return '' if stop.wait(0.2) else f'{name} ended with status {status}'
    return ''


def _hear_out(recorder: 'Recorder') -> None:
    """Wait for what is still under way: the last frame ends a flight, and has its decision."""
    deadline = time.monotonic() + _LAST_WORDS_S
    heard, since = -1, time.monotonic()
    while (now := time.monotonic()) < deadline:
        if heard != (count := recorder.heard()):
            heard, since = count, now
        elif now - since > _SILENCE_S and recorder.complete():
            return
        time.sleep(0.02)


def _report(config: FlyConfig, recorder: 'Recorder') -> dict[str, Any]:
    with recorder.lock:
        account = recorder.journal.report()
    embedded = config.simulator == 'embedded'
    return {
        'world': config.world if embedded else config.simulator, 'seed': config.seed,
        'lockstep': config.lockstep, 'checkpoint': str(bringup.checkpoint_of(config)), **account,
    }


@contextlib.contextmanager
def _domain() -> Iterator[str]:
    """Yield the domain that was asked for, or one of our own."""
    if given := os.environ.get('ROS_DOMAIN_ID'):
        yield given
        return
    with bringup.reserve_domain() as number:
        yield str(number)


@contextlib.contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, a hang-up or a kill sets."""
    stop = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _recorder(namespace: str) -> Iterator['Recorder']:
    """Yield a recorder that listens in a thread of its own."""
    import rclpy
    from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
    from rclpy.signals import SignalHandlerOptions

    from rapid_nav.nodes.recorder import Recorder

    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    recorder = Recorder(namespace=namespace)
    executor.add_node(recorder)

    def listen() -> None:
        with contextlib.suppress(ExternalShutdownException):
            executor.spin()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield recorder
    finally:
        rclpy.try_shutdown()
        listener.join(1.0)
