"""A run of `rapid-nav fly` as a process, with the processes that belong to it."""

import importlib.util
import json
import os
from pathlib import Path
import subprocess
import time

from rapid_nav import resources

FLY = str(resources.prefix() / 'bin' / 'rapid-nav')
PARTS = (
    'simulator',
    'policy',
    'airsim_bridge',
    'scene',
    *(('odom_tf',) if importlib.util.find_spec('tf2_ros') else ()),
)


class Flight:
    """A run of `rapid-nav fly`, and the processes that belong to it."""

    def __init__(self, checkpoint: Path, folder: Path, *flags: str) -> None:
        self.report, self.output = folder / 'report.json', folder / 'output.txt'
        environment = {k: v for k, v in os.environ.items() if k != 'ROS_DOMAIN_ID'}
        self.mark = f'{folder}'  # every part inherits it, so none can hide
        environment['RAPID_NAV_TEST_RUN'] = self.mark
        with self.output.open('w') as output:
            self.process = subprocess.Popen(
                [
                    FLY,
                    'fly',
                    '--checkpoint',
                    str(checkpoint),
                    '--report',
                    str(self.report),
                    *flags,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def wait(self, timeout: float = 150.0) -> dict:
        """Wait for a good end; return the report."""
        assert self.process.wait(timeout) == 0, self.output.read_text()
        return json.loads(self.report.read_text())

    def said(self, words: str, timeout: float = 120.0) -> 'Flight':
        """Wait until it says this."""
        deadline = time.monotonic() + timeout
        while words not in self.output.read_text():
            assert time.monotonic() < deadline, self.output.read_text()
            assert self.process.poll() is None, self.output.read_text()
            time.sleep(0.1)
        return self

    def in_the_air(self) -> 'Flight':
        """Wait until it flies."""
        return self.said('flown')

    def alive(self) -> dict[int, str]:
        """Return the command lines of the processes of this run that live."""
        found = {}
        for folder in Path('/proc').glob('[0-9]*'):
            try:
                mine = f'RAPID_NAV_TEST_RUN={self.mark}'.encode() in (
                    folder / 'environ'
                ).read_bytes().split(b'\0')
                command = (folder / 'cmdline').read_bytes().replace(b'\0', b' ').decode()
            except OSError:
                continue
            if mine and command:
                found[int(folder.name)] = command
        return found

    def part(self, name: str) -> int:
        """Return the number of the process of one part."""
        program = f'/lib/rapid_nav/{"rapid-nav sim" if name == "simulator" else name}'
        return next(pid for pid, command in self.alive().items() if program in command)
