"""Where the files lie that come with the package, installed or in the repository."""

from pathlib import Path

SHIPPED_CHECKPOINT = 'drone.safetensors'


def shipped_checkpoint() -> Path:
    """Return where the checkpoint that comes with the package lies."""
    return share() / 'models' / SHIPPED_CHECKPOINT


def shipped_model(name: str) -> Path:
    """Return where a checkpoint of that name lies, if it comes with the package."""
    return share() / 'models' / f'{name}.safetensors'


def prefix() -> Path:
    """Return the installation this module is part of, or the repository it lies in."""
    here = Path(__file__).absolute()
    for folder in here.parents:
        if (folder / 'share' / 'rapid_nav').is_dir():
            return folder
    return here.parents[1]


def share() -> Path:
    """Return the folder of models, config and launch files."""
    installed = prefix() / 'share' / 'rapid_nav'
    return installed if installed.is_dir() else prefix()


def parameters_file() -> Path:
    """Return the parameters that every node is given."""
    return share() / 'config' / 'parameters.yaml'


def middleware_file() -> Path:
    """Return how Fast DDS is to hand messages from process to process."""
    return share() / 'config' / 'fastdds.xml'
