"""The launch file, on machines that have launch: it offers the stack's settings and starts it."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

launch = pytest.importorskip('launch')
pytest.importorskip('launch_ros')

from launch.actions import DeclareLaunchArgument, ExecuteProcess  # noqa: E402

from rapid_nav.stack import launch_actions  # noqa: E402
from rapid_nav.stack.fleet import fleet, FleetConfig  # noqa: E402
from rapid_nav.stack.flight import stack, StackConfig  # noqa: E402


def load(name: str):
    path = Path(__file__).parents[2] / 'launch' / f'{name}.launch.py'
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(module) -> dict[str, DeclareLaunchArgument]:
    """Return the arguments of a launch file."""
    entities = module.generate_launch_description().entities
    return {one.name: one for one in entities if isinstance(one, DeclareLaunchArgument)}


def started(module, **given: str) -> list[ExecuteProcess]:
    """Return the processes that a launch file starts with these arguments."""
    context = launch.LaunchContext()
    for name, argument in declared(module).items():
        default = argument.default_value[0].perform(context) if argument.default_value else ''
        context.launch_configurations[name] = given.get(name, default)
    return [action for action in module.start(context) if isinstance(action, ExecuteProcess)]


def test_every_setting_of_the_stack_is_an_argument_with_a_description() -> None:
    arguments = declared(load('drone_sim'))
    fields = {field.name for field in dataclasses.fields(StackConfig)}
    assert arguments.keys() == fields | {'rviz'}
    assert all(argument.description for argument in arguments.values())
    assert arguments['simulator'].choices == ['embedded', 'airsim']
    assert arguments['lockstep'].choices == ['true', 'false']


def test_it_starts_the_processes_that_the_stack_has(checkpoint: Path) -> None:
    processes = started(load('drone_sim'), checkpoint=str(checkpoint), world='rooms', port='1234')
    expected = stack(StackConfig(checkpoint=str(checkpoint), world='rooms'), port=1234)
    assert len(processes) == len(expected) + 1  # and rviz, on its condition


def test_a_training_is_launched_with_every_setting_of_the_fleet(tmp_path: Path) -> None:
    module = load('training')
    assert declared(module).keys() == {field.name for field in dataclasses.fields(FleetConfig)}
    given = {'drones': '3', 'lockstep': 'true', 'out': str(tmp_path)}
    assert len(started(module, **given)) == 1  # the trainer: there are no weights to fly by yet
    (tmp_path / 'policy.safetensors').touch()
    assert len(started(module, **given)) == len(fleet(FleetConfig(drones=3))) == 10


@pytest.mark.parametrize(
    ('given', 'complaint'),
    [
        ({'seed': 'three'}, 'seed:=three: it must be a whole number'),
        ({'threshold': 'high'}, 'threshold:=high: it must be a number'),
        ({'world': 'nowhere.yaml'}, 'world nowhere.yaml: there is no such file'),
    ],
)
def test_an_argument_that_is_no_good_is_named(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        started(load('drone_sim'), **given)


def test_a_ros_package_that_is_missing_is_named_with_its_remedy() -> None:
    with pytest.raises(ValueError, match='it needs no_such, .* apt install ros-.*-no-such'):
        launch_actions.require('no_such', 'it')
