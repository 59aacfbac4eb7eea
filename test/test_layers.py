"""Which folder may import which: tensors, metres, wires and messages stay apart."""

import ast
from pathlib import Path
import sys

import pytest

PACKAGE = Path(__file__).parents[1] / 'rapid_nav'
STDLIB = set(sys.stdlib_module_names) | {'_typeshed'}  # which is the type checker's own
ROS = {
    'rclpy',
    'builtin_interfaces',
    'cv_bridge',
    'diagnostic_msgs',
    'geometry_msgs',
    'nav_msgs',
    'rcl_interfaces',
    'rosgraph_msgs',
    'sensor_msgs',
    'std_msgs',
    'std_srvs',
    'tf2_ros',
    'visualization_msgs',
    'rapid_nav.msg',
}
FOR_ALL = ('atomic_write', 'options', 'ports', 'shutdown', 'world_names')
# The folders, and what each may import beside the standard library and itself. A longer name adds
# to a shorter one.
MAY_IMPORT = {
    'options': set(),
    'resources': set(),
    'version': set(),
    'atomic_write': set(),
    'exit_options': {'rapid_nav.options'},
    'exit_colors': set(),
    'world_names': set(),
    'geometry': {'numpy'},
    'simulated_time': set(),
    'ports': set(),
    'shutdown': set(),
    'agent': {'numpy', 'torch', 'safetensors', 'rapid_nav.options', 'rapid_nav.inference'},
    'inference': {'numpy', 'onnxruntime', 'safetensors', 'rapid_nav.options'},
    'inference.exit_rule': {'torch'},  # for type checkers alone
    'inference.onnx_export': {'onnx'},
    'inference.policy': {'torch', 'rapid_nav.agent'},  # for the runtime 'eager' alone
    'drone': {
        'numpy',
        'rapid_nav.options',
        'rapid_nav.geometry',
        'rapid_nav.exit_colors',
        'rapid_nav.simulated_time',
    },
    'drone.networks': {'rapid_nav.agent.config', 'rapid_nav.inference.network_config'},
    'drone.online_config': {'rapid_nav.agent.config'},
    'airsim': {'msgpack', 'numpy', 'rapid_nav.drone', 'rapid_nav.geometry', 'rapid_nav.options'},
    'sim': {
        'numpy',
        'numba',
        'llvmlite',
        'msgpack',
        'msgspec',
        'yaml',
        'PIL',
        're2',
        'rapid_nav.geometry',
        'rapid_nav.options',
        'rapid_nav.simulated_time',
    },
    'nodes': {
        'numpy',
        'rapid_nav.airsim',
        'rapid_nav.drone',
        'rapid_nav.exit_colors',
        'rapid_nav.exit_options',
        'rapid_nav.geometry',
        'rapid_nav.inference',
        'rapid_nav.options',
        'rapid_nav.resources',
        'rapid_nav.simulated_time',
        *ROS,
    },
    'nodes.learning': {'rapid_nav.agent'},
    'nodes.trainer': {'rapid_nav.agent'},
    'nodes.lib.msgdef': {'ament_index_python'},
    'nodes.bag_recorder': {'mcap'},
    'nodes.viewer': {'rerun'},
    'nodes.viz.rerun_server': {'rerun_cli'},
    'nodes.viz.rerun_convert': {'rerun'},
    'offline': {
        'numpy',
        'torch',
        'gymnasium',
        'rich',
        'rapid_nav.agent',
        'rapid_nav.drone',
        'rapid_nav.exit_colors',
        'rapid_nav.geometry',
        'rapid_nav.inference',
        'rapid_nav.options',
        'rapid_nav.resources',
        'rapid_nav.sim',
    },
    'offline.atari': {'ale_py'},
    'offline.minatar': {'minatar'},
    'offline.reporting': {'matplotlib', 'msgspec', 'PIL'},
    'offline.training.bag_reader': {'mcap', 'mcap_ros2'},
    'benchmarks': {
        'numpy',
        'torch',
        'gymnasium',
        'matplotlib',
        'onnx',
        'onnxruntime',
        'openvino',
        'trimesh',
        'embreex',
        'stable_baselines3',
        'airsim',
        'rapid_nav.agent',
        'rapid_nav.airsim',
        'rapid_nav.drone',
        'rapid_nav.inference',
        'rapid_nav.offline',
        'rapid_nav.options',
        'rapid_nav.resources',
        'rapid_nav.sim',
        'rapid_nav.stack',
    },
    'benchmarks.end_to_end_latency': {'rclpy', 'rapid_nav.nodes.lib.latency_probe'},
    'stack': {
        'rapid_nav.options',
        'rapid_nav.resources',
        'rapid_nav.exit_options',
        'rapid_nav.drone',
        'rapid_nav.inference',
    },
    'stack.flight': {'rapid_nav.sim'},  # which worlds there are, where one is to be started
    'stack.launch_actions': {'ament_index_python', 'launch', 'launch_ros'},
}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(PACKAGE.rglob('*.py'))


def name_of(path: Path) -> str:
    """Return the dotted name of a module inside the package, 'core.exits' say."""
    name = '.'.join(path.relative_to(PACKAGE).with_suffix('').parts)
    return name.removesuffix('__init__').removesuffix('.')


def imports(tree: ast.AST) -> set[str]:
    """Return the full names of the modules that a tree imports."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'imports are absolute'
            found.add(node.module or '')
            if node.module == 'rapid_nav':
                found.update(f'rapid_nav.{alias.name}' for alias in node.names)
    return found - {'rapid_nav'}


def belongs(name: str, folders: set[str]) -> bool:
    """Return whether a module is one of the folders or lies inside one."""
    return any(name == folder or name.startswith(f'{folder}.') for folder in folders)


def allowed_for(name: str) -> set[str]:
    """Return what a module may import: what its folders may, and what is its own."""
    parts = name.split('.')
    prefixes = ['.'.join(parts[:end]) for end in range(1, len(parts) + 1)]
    assert any(prefix in MAY_IMPORT for prefix in prefixes), f'{name} lies in no known folder'
    allowed = {f'rapid_nav.{folder}' for folder in (parts[0], *FOR_ALL)}
    return allowed.union(*(MAY_IMPORT.get(prefix, set()) for prefix in prefixes))


@pytest.mark.parametrize('path', [path for path in modules() if name_of(path)], ids=name_of)
def test_every_module_imports_only_what_its_folder_may(path: Path) -> None:
    name = name_of(path)
    tree = ast.parse(path.read_text())
    if name.split('.')[0] == 'cli':  # a command imports what it needs when it runs
        return
    foreign = {
        module
        for module in imports(tree)
        if module.split('.')[0] not in STDLIB and not belongs(module, allowed_for(name))
    }
    assert not foreign, f'{name} imports {", ".join(sorted(foreign))}'


def test_nothing_but_nodes_stack_and_commands_needs_ros() -> None:
    for path in modules():
        if name_of(path).split('.')[0] not in ('nodes', 'stack', 'cli'):
            top = {module.split('.')[0] for module in imports(ast.parse(path.read_text()))}
            users = top & (ROS - {'rapid_nav.msg'})
            allowed = MAY_IMPORT.get(name_of(path), set())
            assert not users - allowed, f'{path.name} imports {users}'


def test_every_module_begins_by_saying_what_it_is() -> None:
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text())), f'{path} has no first sentence'
