"""`rapid-nav train fleet`: drones fly and a trainer learns from them, without ros2 launch."""

from dataclasses import dataclass
import json
import os
from pathlib import Path
import threading
import time

from rapid_nav.cli.fly import domain_of_this_run
from rapid_nav.offline.reporting.kinds import FleetTraining
from rapid_nav.options import setting
from rapid_nav.shutdown import stop_requested
from rapid_nav.stack import flight
from rapid_nav.stack.fleet import fleet, FleetConfig
from rapid_nav.stack.processes import Processes

_FIRST_WEIGHTS_S = 120.0  # for the trainer to come up
_POLL_S = 1.0
_REFUSED = 2  # the status of a node that refuses its parameters
_SHOWN = ('return', 'epsilon', 'updates', 'td_error', 'lost_share')


@dataclass(frozen=True)
class TrainFleetConfig(FleetConfig):
    """What `rapid-nav train fleet` takes."""

    report: Path | None = setting(None, 'JSON file for the last row of the log.')


def main(config: TrainFleetConfig) -> int:
    """Train until the time is over or a signal asks for the end; return 0."""
    trainer, *drones = fleet(config)
    with domain_of_this_run() as domain, stop_requested() as stop:
        environment = flight.environment(domain)
        print(
            f'Training {config.drones} drones into {config.out}, ROS_DOMAIN_ID={domain}',
            flush=True,
        )
        with Processes(
            environment, lambda name, line: print(f'[{name}] {line}', flush=True), timeout=10.0
        ) as processes:
            started = time.time()
            processes.keep(trainer.name, trainer.command(config.namespace))
            _await_weights(config.policy, processes, stop)
            for process in drones:
                processes.keep(process.name, process.command(config.namespace))
            _watch(config, processes, stop, started)
    FleetTraining(figures=_figures(config)).write(config.report)
    return 0


def _await_weights(policy: Path, processes: Processes, stop: threading.Event) -> None:
    """Wait until there are weights to fly by; ValueError if the trainer cannot start."""
    deadline = time.monotonic() + _FIRST_WEIGHTS_S
    while not policy.exists() and not stop.wait(0.1):
        if processes.ended() or time.monotonic() > deadline:
            raise ValueError('the trainer did not start; what it said stands above')


def _watch(
    config: FleetConfig, processes: Processes, stop: threading.Event, started: float
) -> None:
    """
    Restart what ends and print how it goes, until it is over.

    ValueError if a process refuses its settings: it would do so again.
    """
    shown = None
    while not stop.wait(_POLL_S):
        for name, status in processes.revive():
            if status == _REFUSED:
                raise ValueError(f'{name} refuses to start; what it said stands above')
            print(f'[{name}] ended with status {status}: starting it again', flush=True)
        figures = _figures(config)
        if figures and figures != shown:
            shown = figures
            print(_shown(figures), flush=True)
        if config.duration and time.time() - started >= config.duration:
            return


def _shown(figures: dict[str, float | None]) -> str:
    """Return a row of the trainer's log as one line."""
    named = [f'{name} {value:.4g}' for name in _SHOWN if (value := figures.get(name)) is not None]
    speed = figures['steps_per_second'] or 0.0
    return f'{figures["step"]:,} transitions, {speed:.0f}/s  ' + '  '.join(named)


def _figures(config: FleetConfig) -> dict[str, float | None]:
    """Return the last line of the trainer's log."""
    try:
        with (Path(config.out) / 'log.jsonl').open('rb') as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            figures: dict[str, float | None] = json.loads(file.read().splitlines()[-1])
            return figures
    except (OSError, IndexError, ValueError):
        return {}  # nothing yet
