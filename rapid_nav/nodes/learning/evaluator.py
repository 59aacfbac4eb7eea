"""Test flights of what was learned, in the embedded simulator and a process of their own."""

import json
from pathlib import Path
import subprocess
import tempfile

from rapid_nav.resources import prefix
from rapid_nav.shutdown import end_with_parent


class Evaluator:
    """Evaluates the newest checkpoint again and again, at the lowest priority."""

    def __init__(self, flights: int) -> None:
        self.flights = flights  # of one evaluation; 0: none
        self.figures: dict[str, float] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = tempfile.TemporaryDirectory(prefix='rapid_nav_') if flights else None

    def update(self, checkpoint: Path) -> None:
        """Read the last evaluation if it is over, and start the next one."""
        if self.folder is None or (self.process and self.process.poll() is None):
            return
        report = Path(self.folder.name) / 'report.json'
        if self.process and report.exists():
            points = json.loads(report.read_text())['points']
            self.figures = {f'evaluation_{point["name"]}_m': point['msf_m'] for point in points}
        # A copy: the trainer keeps only its newest files.
        copy = Path(self.folder.name) / 'policy.safetensors'
        copy.write_bytes(checkpoint.read_bytes())
        command = end_with_parent(
            [
                'nice',
                '-n',
                '19',
                str(prefix() / 'bin' / 'rapid-nav'),
                'evaluate',
                'drone',
                '--checkpoint',
                str(copy),
                '--flights',
                str(self.flights),
                '--report',
                str(report),
            ]
        )
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def end(self) -> None:
        """Stop the evaluation that runs."""
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.folder:
            self.folder.cleanup()
