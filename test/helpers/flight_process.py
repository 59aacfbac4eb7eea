"""A run of `rapid-nav fly` as a process, with the processes that belong to it."""

import importlib.util
import json
import os
from pathlib import Path
from typing import Any

from marked_process import MarkedProcess

from rapid_nav import resources

COMMAND = str(resources.prefix() / 'bin' / 'rapid-nav')
PARTS = (
    'simulator',
    'policy',
    'airsim_bridge',
    'scene',
    *(('odom_tf',) if importlib.util.find_spec('tf2_ros') else ()),
)


class Flight(MarkedProcess):
    """A run of `rapid-nav fly` in a ROS domain of its own choice."""

    def __init__(self, checkpoint: Path, folder: Path, *flags: str) -> None:
        self.report = folder / 'report.json'
        command = [COMMAND, 'fly', '--checkpoint', str(checkpoint), '--report', str(self.report)]
        environment = {k: v for k, v in os.environ.items() if k != 'ROS_DOMAIN_ID'}
        super().__init__([*command, *flags], folder, environment)

    def wait(self, timeout: float = 150.0) -> dict[str, Any]:
        """Wait for a good end; return the report."""
        assert self.process.wait(timeout) == 0, self.output.read_text()
        report: dict[str, Any] = json.loads(self.report.read_text())
        return report

    def in_the_air(self) -> 'Flight':
        """Wait until it flies."""
        self.said('flown')
        return self

    def part(self, name: str) -> int:
        """Return the number of the process of one part."""
        program = f'/lib/rapid_nav/{"rapid-nav sim" if name == "simulator" else name}'
        return next(pid for pid, command in self.alive().items() if program in command)
