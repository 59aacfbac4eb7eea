"""Say what a bare machine lacks before anything is downloaded."""

import importlib.util
from pathlib import Path
import shutil
import sys
import sysconfig

OLDEST, NEWEST = (3, 10), (3, 13)


def missing() -> list[str]:
    """Return one sentence for each thing that is missing, with its remedy."""
    found = []
    version = '.'.join(map(str, sys.version_info[:2]))
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found.append(
            f'{sys.executable} is Python {version}; ROS wheels exist for 3.10 to 3.13: '
            'choose one with make PYTHON=python3.11'
        )
    if importlib.util.find_spec('ensurepip') is None:
        found.append(f'Python {version} cannot make environments: apt install python3-venv')
    if not (Path(sysconfig.get_path('include')) / 'Python.h').exists():
        found.append(f"Python {version}'s headers are missing: apt install python3-dev")
    for program, package in (('gcc', 'gcc'), ('g++', 'g++'), ('cmake', 'cmake')):
        if shutil.which(program) is None:
            found.append(f'{program} is missing: apt install {package}')
    return found


if __name__ == '__main__':
    if complaints := missing():
        sys.exit('\n'.join(['This machine cannot build rapid_nav yet:', *complaints]))
