"""Held-out flights in the embedded simulator, in a process of their own, of what was learned."""

import json
from pathlib import Path
import subprocess
import tempfile

from rapid_nav.resources import prefix
from rapid_nav.shutdown import end_with_parent


class Evaluation:
    """Flies the newest checkpoint again and again, in what time the others leave."""

    def __init__(self, flights: int) -> None:
        self.flights = flights  # 0: never
        self.figures: dict[str, float] = {}
        self.flying: subprocess.Popen[bytes] | None = None
        self.folder = tempfile.TemporaryDirectory(prefix='rapid_nav_') if flights else None

    def turn(self, checkpoint: Path) -> None:
        """See whether the last evaluation is over, and begin the next one."""
        if self.folder is None or (self.flying and self.flying.poll() is None):
            return
        report = Path(self.folder.name) / 'report.json'
        if self.flying and report.exists():
            points = json.loads(report.read_text())['points']
            self.figures = {f'evaluation_{point["name"]}_m': point['msf_m'] for point in points}
        # A copy: the trainer keeps only its newest files.
        flown = Path(self.folder.name) / 'policy.safetensors'
        flown.write_bytes(checkpoint.read_bytes())
        command = end_with_parent(
            [
                'nice',
                '-n',
                '19',
                str(prefix() / 'bin' / 'rapid-nav'),
                'evaluate',
                'drone',
                '--checkpoint',
                str(flown),
                '--flights',
                str(self.flights),
                '--report',
                str(report),
            ]
        )
        self.flying = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def end(self) -> None:
        """Stop flying."""
        if self.flying:
            self.flying.kill()
            self.flying.wait()
        if self.folder:
            self.folder.cleanup()
