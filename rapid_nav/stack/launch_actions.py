"""What the launch files have in common: arguments from settings, and processes as actions."""

from collections.abc import Iterable
import dataclasses
import os
from typing import Any, TYPE_CHECKING, TypeVar

from ament_index_python.packages import get_package_prefix, PackageNotFoundError
from launch import Action, LaunchContext  # type: ignore[attr-defined]  # not our folder
from launch.actions import DeclareLaunchArgument, ExecuteProcess, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from rapid_nav import resources
from rapid_nav.stack.flight import MIDDLEWARE, Process

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar('Config', bound='DataclassInstance')


def arguments(config: type[Any]) -> list[DeclareLaunchArgument]:
    """Return a launch argument for each setting of a class."""
    return [argument(field) for field in dataclasses.fields(config)]


def argument(field: 'dataclasses.Field[Any]') -> DeclareLaunchArgument:
    """Return the launch argument of one setting."""
    about = field.metadata
    flag = isinstance(field.default, bool)
    choices = ('true', 'false') if flag else about['choices']
    unit = f' [{about["unit"]}]' if about['unit'] else ''
    return DeclareLaunchArgument(
        field.name,
        default_value=text(field.default),
        description=about['help'] + unit,
        **({'choices': list(choices)} if choices else {}),
    )


def text(value: Any) -> str:
    """Return a setting as it is written on a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings(config: type[Config], context: LaunchContext) -> Config:
    """Return the settings that the launch arguments give."""
    values = {}
    for field in dataclasses.fields(config):
        default: Any = field.default
        given = LaunchConfiguration(field.name).perform(context)
        try:
            values[field.name] = (
                given.lower() == 'true' if isinstance(default, bool) else type(default)(given)
            )
        except ValueError:
            kind = 'a whole number' if isinstance(default, int) else 'a number'
            raise ValueError(f'{field.name}:={given}: it must be {kind}') from None
    return config(**values)


def require(package: str, why: str) -> None:
    """Raise ValueError that says what to install unless a ROS package is there."""
    try:
        get_package_prefix(package)
    except PackageNotFoundError:
        name = f'ros-{os.environ.get("ROS_DISTRO", "jazzy")}-{package.replace("_", "-")}'
        raise ValueError(
            f'{why} needs {package}, which is not installed: apt install {name}'
        ) from None


def actions(processes: Iterable[Process], namespace: str) -> list[Action]:
    """Return what starts the processes of a stack, and restarts those that respawn."""
    return [
        Node(
            package='rapid_nav',
            executable=process.executable,
            name=process.name.rpartition('/')[2],
            namespace=process.namespace(namespace),
            output='screen',
            remappings=list(process.remap),
            respawn=process.respawn,
            respawn_delay=2.0,
            parameters=[str(resources.parameters_file()), dict(process.parameters)],
        )
        if process.parameters is not None
        else ExecuteProcess(
            cmd=process.command(namespace),
            name=process.name,
            output='screen',
            respawn=process.respawn,
            respawn_delay=2.0,
        )
        for process in processes
    ]


def middleware() -> list[Action]:
    """Return what configures Fast DDS for a fleet, unless the environment does."""
    if MIDDLEWARE in os.environ:
        return []
    return [SetEnvironmentVariable(MIDDLEWARE, str(resources.middleware_file()))]
