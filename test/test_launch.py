"""The launch file, on machines that have launch: it offers the stack's settings and starts it."""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

launch = pytest.importorskip('launch')
pytest.importorskip('launch_ros')

from launch.actions import DeclareLaunchArgument, ExecuteProcess  # noqa: E402

from rapid_nav.bringup import stack, StackConfig  # noqa: E402


@pytest.fixture
def launch_file():
    path = Path(__file__).parents[1] / 'launch' / 'drone_sim.launch.py'
    spec = importlib.util.spec_from_file_location('drone_sim', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_of_the_stack_is_an_argument_with_a_description(launch_file) -> None:
    entities = launch_file.generate_launch_description().entities
    arguments = {a.name: a for a in entities if isinstance(a, DeclareLaunchArgument)}
    fields = {field.name for field in dataclasses.fields(StackConfig)}
    assert arguments.keys() == fields | {'rviz'}
    assert all(argument.description for argument in arguments.values())
    assert arguments['simulator'].choices == ['embedded', 'airsim']
    assert arguments['lockstep'].choices == ['true', 'false']


def test_it_starts_the_processes_that_the_stack_has(launch_file, checkpoint: Path) -> None:
    given = {'checkpoint': str(checkpoint), 'world': 'rooms', 'rviz': 'false', 'port': '1234'}
    context = launch.LaunchContext()
    for argument in launch_file.generate_launch_description().entities:
        if isinstance(argument, DeclareLaunchArgument):
            default = argument.default_value[0].perform(context) if argument.default_value else ''
            context.launch_configurations[argument.name] = given.get(argument.name, default)
    processes = [
        action for action in launch_file.start(context) if isinstance(action, ExecuteProcess)]
    expected = stack(StackConfig(checkpoint=str(checkpoint), world='rooms'), port=1234)
    assert len(processes) == len(expected) + 1  # and rviz, on its condition
