"""Fly: the simulator, the bridge to it, the policy and what shows them, as bringup.py says."""

import dataclasses
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from rapid_nav import bringup, shipped

FIELDS = dataclasses.fields(bringup.StackConfig)


def argument(field: dataclasses.Field) -> DeclareLaunchArgument:
    """Return the launch argument of one setting."""
    about = field.metadata
    flag = isinstance(field.default, bool)
    choices = ('true', 'false') if flag else about['choices']
    unit = f' [{about["unit"]}]' if about['unit'] else ''
    return DeclareLaunchArgument(
        field.name, default_value=text(field.default), description=about['help'] + unit,
        **({'choices': list(choices)} if choices else {}))


def text(value: Any) -> str:
    """Return a setting as it is written on a command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings(context: LaunchContext) -> bringup.StackConfig:
    """Return the stack that the launch arguments describe."""
    values = {}
    for field in FIELDS:
        given, kind = LaunchConfiguration(field.name).perform(context), type(field.default)
        values[field.name] = given.lower() == 'true' if kind is bool else kind(given)
    return bringup.StackConfig(**values)


def start(context: LaunchContext) -> list[Any]:
    """Start the processes; the end of any of them is the end of all."""
    config = settings(context)
    actions: list[Any] = [
        Node(
            package='rapid_nav', executable=process.executable, name=process.name,
            namespace=config.namespace, output='screen',
            parameters=[str(shipped.parameters_file()), dict(process.parameters)])
        if process.parameters is not None else
        ExecuteProcess(cmd=process.command(config.namespace), name=process.name, output='screen')
        for process in bringup.stack(config, bringup.port_of(config))
    ]
    actions.append(Node(
        package='rviz2', executable='rviz2', condition=IfCondition(LaunchConfiguration('rviz')),
        arguments=['-d', str(shipped.share() / 'config' / 'rapid_nav.rviz')]))
    end = OnProcessExit(on_exit=lambda event, _: EmitEvent(
        event=Shutdown(reason=f'{event.process_name} ended with {event.returncode}')))
    return [RegisterEventHandler(end), *actions]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and the stack they describe."""
    return LaunchDescription([
        *map(argument, FIELDS),
        DeclareLaunchArgument(
            'rviz', default_value='false', choices=['true', 'false'],
            description='show the flight in rviz2'),
        SetEnvironmentVariable('PYTHONUNBUFFERED', '1'),
        OpaqueFunction(function=start),
    ])
