"""Train: drones in namespaces of their own, and a trainer that learns from them as they fly."""

from launch import LaunchContext, LaunchDescription
from launch.actions import EmitEvent, OpaqueFunction, SetEnvironmentVariable, TimerAction
from launch.events import Shutdown

from rapid_nav import launching
from rapid_nav.fleet_stack import fleet, FleetConfig


def start(context: LaunchContext) -> list:
    """Start the fleet; who dies is started again, until the time is over."""
    config = launching.settings(FleetConfig, context)
    actions = launching.actions(fleet(config), config.namespace)
    if config.duration:
        end = EmitEvent(event=Shutdown(reason=f'{config.duration:g} s of training are over'))
        actions.append(TimerAction(period=config.duration, actions=[end]))
    return actions


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and the fleet they describe."""
    return LaunchDescription([
        *launching.arguments(FleetConfig),
        SetEnvironmentVariable('PYTHONUNBUFFERED', '1'),
        *launching.middleware(),
        SetEnvironmentVariable('OMP_NUM_THREADS', '1'),  # the learner takes one core at most
        OpaqueFunction(function=start),
    ])
