"""`rapid-nav export`: a checkpoint in the form that flies without PyTorch."""

from dataclasses import dataclass
import logging
from pathlib import Path

from rapid_nav.inference import policy_package
from rapid_nav.options import setting
from rapid_nav.resources import shipped_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportConfig:
    """What `rapid-nav export` takes."""

    checkpoint: Path = setting(shipped_checkpoint(), 'Policy to export.')
    out: Path = setting(Path('drone.zip'), 'Zip file for the ONNX stages and the settings.')


def main(config: ExportConfig) -> int:
    """Write the policy's stages, settings and operating points into one file."""
    package = policy_package.export(config.checkpoint, config.out)
    log.info('%s: %d exits, %d bytes', config.out, len(package.models), config.out.stat().st_size)
    return 0
