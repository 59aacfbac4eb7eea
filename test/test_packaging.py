"""What pip and colcon install: declared once, whole, and no more than is needed."""

import ast
import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree
import zipfile

from optional_packages import MAY_BE_MISSING
import pytest

from rapid_nav.version import VERSION

ROOT = Path(__file__).parents[1]
SYSTEM_KEYS = {'PIL': 'python3-pil', 'cv2': 'python3-opencv'}  # rosdep's, else python3-NAME
BENCHMARKS = {'openvino', 'trimesh', 'embreex', 'stable_baselines3', 'rosbags', 'imageio_ffmpeg'}
OPTIONAL = {*BENCHMARKS, 'minatar', 'rerun_cli', 'tensorboard', '_typeshed'}
PACKAGE = ElementTree.parse(ROOT / 'package.xml').getroot()
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in {missing}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Missing())
sys.path[:0] = {path}
"""


def run_without(missing: set[str], script: str) -> str:
    """Return what a script prints where these packages are not installed."""
    program = WITHOUT.format(missing=missing, path=sys.path) + script
    done = subprocess.run(
        [sys.executable, '-c', program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def imported(folder: str) -> set[str]:
    """Return the packages that the modules of a folder import, anywhere in them."""
    names = set()
    for path in (ROOT / folder).rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.split('.')[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split('.')[0])
    ours = {'rapid_nav', *(path.stem for path in (ROOT / 'test/helpers').glob('*.py'))}
    return names - ours - set(sys.stdlib_module_names)


def test_one_version_is_said_everywhere() -> None:
    assert PACKAGE.findtext('version') == VERSION
    changelog = (ROOT / 'CHANGELOG.rst').read_text()
    assert re.search(rf'^{re.escape(VERSION)} \(.+\)\n-+$', changelog, re.MULTILINE)
    assert f'\nversion: {VERSION}\n' in (ROOT / 'CITATION.cff').read_text()


@pytest.mark.parametrize('folder', ['rapid_nav', 'launch', 'test'])
def test_every_import_is_a_declared_dependency_or_may_be_missing(folder: str) -> None:
    kinds = {'depend', 'exec_depend'} | ({'test_depend'} if folder == 'test' else set())
    declared = {entry.text for kind in kinds for entry in PACKAGE.findall(kind)}
    undeclared = {
        name
        for name in imported(folder) - MAY_BE_MISSING - OPTIONAL
        if not declared & {name, SYSTEM_KEYS.get(name, f'python3-{name}')}
    }
    assert not undeclared


def test_tests_are_skipped_and_not_broken_where_packages_are_missing() -> None:
    script = """
import pytest
sys.exit(pytest.main(['--co', '-q', '-p', 'no:hypothesispytest', '-p', 'no:cacheprovider']))
"""
    assert 'tests collected' in run_without(MAY_BE_MISSING, script)


def test_a_robot_decides_and_steers_with_numpy_and_onnx_runtime_alone() -> None:
    script = """
import importlib, pkgutil
import numpy as np
import rapid_nav.drone, rapid_nav.inference
from rapid_nav.resources import shipped_checkpoint
for package in (rapid_nav.drone, rapid_nav.inference):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):
        importlib.import_module(module.name)
from rapid_nav.inference.policy import load_policy
policy = load_policy(shipped_checkpoint())
image = np.zeros((1, *policy.metadata.network.input_shape), np.float32)
decision = policy.decide(image, policy.metadata.thresholds('balanced'))
print(int(decision.action))
"""
    missing = {'torch', 'numba', 'gymnasium', 'rclpy', 'rich', 'airsim', 'yaml', 'PIL'}
    assert 0 <= int(run_without(missing, script)) < 25


def test_a_command_whose_extra_is_not_installed_names_the_remedy() -> None:
    script = """
from rapid_nav.cli.main import main
import contextlib
with contextlib.redirect_stderr(sys.stdout):
    assert main(['train', 'drone', '--train.steps', '1']) == 2
"""
    said = run_without({'torch'}, script)
    assert (
        "torch is not installed, and this command needs it; pip install 'rapid_nav[train]'" in said
    )


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel from a copy of what is under version control."""
    source = tmp_path_factory.mktemp('wheel')
    for name in ('rapid_nav', 'config', 'models', 'launch'):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'setup.py', 'package.xml', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, source)
    build = "from setuptools.build_meta import build_wheel; print(build_wheel('.'))"
    done = subprocess.run(
        [sys.executable, '-c', build],
        cwd=source,
        env={**os.environ, 'PYTHONPATH': ''},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return zipfile.ZipFile(source / done.stdout.splitlines()[-1])


def test_a_wheel_holds_modules_models_config_and_worlds_but_no_nodes(
    wheel: zipfile.ZipFile,
) -> None:
    names = set(wheel.namelist())
    data = f'rapid_nav-{VERSION}.data/data/share/rapid_nav/'
    for folder in ('models', 'config'):
        for path in (ROOT / folder).rglob('*.*'):
            assert data + str(path.relative_to(ROOT)) in names
    nodes = ROOT / 'rapid_nav' / 'nodes'
    for path in (ROOT / 'rapid_nav').rglob('*.py'):
        assert (str(path.relative_to(ROOT)) in names) == (nodes not in path.parents)
    assert 'rapid_nav/py.typed' in names


def test_a_wheel_requires_pytorch_for_training_alone(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read(f'rapid_nav-{VERSION}.dist-info/METADATA').decode()
    assert f'\nVersion: {VERSION}\n' in metadata and '\nLicense-Expression: MIT\n' in metadata
    extras = set(re.findall(r'^Provides-Extra: (.+)$', metadata, re.MULTILINE))
    assert {'fly', 'train', 'sim', 'atari', 'view'} <= extras
    required = re.findall(r'^Requires-Dist: ([\w-]+)[^;\n]*(?:; (.*))?$', metadata, re.MULTILINE)
    assert {name for name, when in required if not when} == {'numpy', 'rich'}
    assert {when for name, when in required if name == 'torch'} == {'extra == "train"'}
    fly = {name for name, when in required if 'fly' in when}
    assert fly == {'onnxruntime', 'onnx', 'safetensors', 'msgpack'}
