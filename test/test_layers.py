"""Who may import whom: the table that keeps tensors, metres, wires and messages apart."""

import ast
from pathlib import Path
import sys

import pytest

PACKAGE = Path(__file__).parents[1] / 'rapid_nav'
STDLIB = set(sys.stdlib_module_names) | {'_typeshed'}  # which is the type checker's own
ROS = {
    'rclpy', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'geometry_msgs', 'nav_msgs',
    'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs', 'tf2_ros',
    'visualization_msgs', 'rapid_nav.msg',
}
# The rooms, and what each may import beside the standard library and itself.
MAY_IMPORT = {
    'settings': set(),
    'core': {'numpy', 'torch', 'safetensors', 'rapid_nav.settings'},
    'core.onnx_stages': {'onnxruntime'},
    'core.graphs': {'onnx'},
    'core.machine_code': {'llvmlite'},
    'core.stage_code': {'llvmlite'},
    'flight': {'numpy', 'rapid_nav.settings'},
    'sim': {'numpy', 'numba', 'llvmlite', 'msgpack', 'yaml', 'PIL'},
    'airsim_transport': {'msgpack', 'rapid_nav.airsim_decode'},
    'airsim_decode': {'msgpack', 'numpy'},
    'airsim_dialect': {'rapid_nav.airsim_transport'},
    'airsim_images': {'numpy'},
    'airsim_readings': {'numpy', 'rapid_nav.flight'},
    'airsim_drone': {
        'airsim', 'numpy', 'rapid_nav.airsim_dialect', 'rapid_nav.airsim_images',
        'rapid_nav.airsim_readings', 'rapid_nav.airsim_transport', 'rapid_nav.flight',
    },
    'nodes': {
        'numpy', 'rapid_nav.core', 'rapid_nav.flight', 'rapid_nav.airsim_drone',
        'rapid_nav.airsim_readings', 'rapid_nav.settings', 'rapid_nav.shipped',
        'rapid_nav.steering', *ROS,
    },
    'nodes.definitions': {'ament_index_python'},
    'nodes.record': {'mcap'},
    'nodes.viewer': {'rerun'},
    'nodes.viewer_page': {'rerun_cli'},
    'nodes.viewer_scene': {'rerun'},
    'offline': {
        'numpy', 'torch', 'gymnasium', 'ale_py', 'minatar', 'matplotlib', 'rich', 'trimesh',
        'embreex', 'stable_baselines3', 'rapid_nav.core', 'rapid_nav.flight', 'rapid_nav.sim',
        'rapid_nav.settings', 'rapid_nav.shipped',
    },
    'offline.bags': {'mcap', 'mcap_ros2'},
    'offline.bench_runtimes': {'onnx', 'onnxruntime', 'openvino'},
    'offline.onnx_if': {'onnx', 'onnxruntime'},
    'offline.draw': {'PIL'},
    'offline.play_atari': {'PIL', 'imageio_ffmpeg'},
    'shipped': set(),
    'launching': {
        'ament_index_python', 'launch', 'launch_ros', 'rapid_nav.bringup', 'rapid_nav.shipped'},
    'steering': {'rapid_nav.settings'},
}
# What starts everything else may import anything, but only when it is asked to.
STARTERS = {
    'bench_latency', 'bench_rpc', 'bringup', 'cli', 'completion', 'dashboard', 'fleet',
    'fleet_stack', 'fly', 'processes'}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(PACKAGE.rglob('*.py'))


def name_of(path: Path) -> str:
    """Return the dotted name of a module inside the package, 'core.exits' say."""
    return '.'.join(path.relative_to(PACKAGE).with_suffix('').parts).removesuffix('.__init__')


def imports(tree: ast.AST) -> set[str]:
    """Return the full names of the modules that a tree imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, 'imports are absolute'
            found.add(node.module)
            if node.module == 'rapid_nav':
                found.update(f'rapid_nav.{alias.name}' for alias in node.names)
    return found - {'rapid_nav'}


def belongs(name: str, rooms: set[str]) -> bool:
    """Return whether a module is one of the rooms or lies inside one."""
    return any(name == room or name.startswith(f'{room}.') for room in rooms)


@pytest.mark.parametrize('path', modules(), ids=name_of)
def test_every_module_imports_only_what_its_room_may(path: Path) -> None:
    name = name_of(path)
    room = name.split('.')[0]
    tree = ast.parse(path.read_text())
    if room in STARTERS:
        body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        tree = ast.Module(body=body, type_ignores=[])
        allowed = {f'rapid_nav.{name}' for name in STARTERS}
        allowed |= {
            'rapid_nav.settings', 'rapid_nav.shipped', 'rapid_nav.steering', 'rapid_nav.flight',
            'tyro', 'rich'}
    elif room in ('', '__init__'):
        allowed = set()
    else:
        allowed = MAY_IMPORT[room] | MAY_IMPORT.get(name, set()) | {f'rapid_nav.{room}'}
    strangers = {
        module for module in imports(tree)
        if module.split('.')[0] not in STDLIB and not belongs(module, allowed)
    }
    assert not strangers, f'{name} imports {", ".join(sorted(strangers))}'


def test_nothing_but_the_nodes_needs_ros() -> None:
    for path in modules():
        if not name_of(path).startswith('nodes'):
            top = {module.split('.')[0] for module in imports(ast.parse(path.read_text()))}
            users = top & (ROS - {'rapid_nav.msg'})
            assert not users or name_of(path) in STARTERS, f'{path.name} imports {users}'


def test_every_module_begins_by_saying_what_it_is() -> None:
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text())), f'{path} has no first sentence'
