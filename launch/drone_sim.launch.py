"""Fly: starts the simulator, the bridge to it, the policy and what shows the flight."""

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from rapid_nav import resources
from rapid_nav.stack import flight, launch_actions


def start(context: LaunchContext) -> list[Any]:
    """Start the processes; the end of any of them is the end of all."""
    config = launch_actions.settings(flight.StackConfig, context)
    rviz = LaunchConfiguration('rviz')
    if IfCondition(rviz).evaluate(context):
        launch_actions.require('rviz2', 'rviz:=true')
    processes = flight.stack(config, flight.port_of(config))
    actions = launch_actions.actions(processes, config.namespace)
    actions.append(
        Node(
            package='rviz2',
            executable='rviz2',
            condition=IfCondition(rviz),
            arguments=['-d', str(resources.share() / 'config' / 'rapid_nav.rviz')],
        )
    )
    end = OnProcessExit(
        on_exit=lambda event, _: EmitEvent(
            event=Shutdown(reason=f'{event.process_name} ended with {event.returncode}')
        )
    )
    return [RegisterEventHandler(end), *actions]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and the stack they describe."""
    return LaunchDescription(
        [
            *launch_actions.arguments(flight.StackConfig),
            DeclareLaunchArgument(
                'rviz',
                default_value='false',
                choices=['true', 'false'],
                description='Show the flight in rviz2.',
            ),
            SetEnvironmentVariable('PYTHONUNBUFFERED', '1'),
            *launch_actions.middleware(),
            OpaqueFunction(function=start),
        ]
    )
