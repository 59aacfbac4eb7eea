"""Make an environment with ROS wheels an ament prefix that CMake and colcon can build against."""

from pathlib import Path
import re
import sys
import sysconfig

import numpy

# The wheels' CMake exports name the include folders of the machine they were built on.
PYTHON_INCLUDE = re.compile(r'/opt/python/[^/;"]+/include/python[0-9.]+')
NUMPY_INCLUDE = re.compile(r'/opt/python/[^/;"]+/lib/python[^;"]+/numpy/_?core/include')

# What a ROS installation's own set-up does: colcon's setup.bash sources this first.
LOCAL_SETUP = """\
export PATH="{prefix}/bin:$PATH"
export AMENT_PREFIX_PATH="{prefix}${{AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}}"
export CMAKE_PREFIX_PATH="{prefix}${{CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}}"
export LD_LIBRARY_PATH="{prefix}/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
"""


def relocate(prefix: Path) -> None:
    """Rewrite the exports below a prefix and give it the set-up files of an ament prefix."""
    for export in prefix.glob('share/*/cmake/*.cmake'):
        text = export.read_text()
        here = PYTHON_INCLUDE.sub(sysconfig.get_path('include'), text)
        here = NUMPY_INCLUDE.sub(numpy.get_include(), here)
        if here != text:
            export.write_text(here)
    for shell in ('sh', 'bash', 'zsh'):
        (prefix / f'local_setup.{shell}').write_text(LOCAL_SETUP.format(prefix=prefix))


if __name__ == '__main__':
    relocate(Path(sys.argv[1]).absolute())
