"""Train: starts drones in namespaces of their own, and a trainer that learns from them."""

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import EmitEvent, OpaqueFunction, SetEnvironmentVariable, TimerAction
from launch.events import Shutdown

from rapid_nav.stack import launch_actions
from rapid_nav.stack.fleet import fleet, FleetConfig
from rapid_nav.stack.flight import Process

_POLL_S = 0.5  # between two looks for weights


def start(context: LaunchContext) -> list[Action]:
    """Start the fleet, whose processes are restarted until the time is over."""
    config = launch_actions.settings(FleetConfig, context)
    trainer, *drones = fleet(config)
    actions = [*launch_actions.actions([trainer], config.namespace), *fly(context, config, drones)]
    if config.duration:
        end = EmitEvent(event=Shutdown(reason=f'{config.duration:g} s of training are over'))
        actions.append(TimerAction(period=config.duration, actions=[end]))
    return actions


def fly(context: LaunchContext, config: FleetConfig, drones: list[Process]) -> list[Action]:
    """Start the drones as soon as the trainer has written weights to fly by."""
    if config.policy.exists():
        return launch_actions.actions(drones, config.namespace)
    again = OpaqueFunction(function=fly, args=[config, drones])
    return [TimerAction(period=_POLL_S, actions=[again])]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, and the fleet they describe."""
    return LaunchDescription(
        [
            *launch_actions.arguments(FleetConfig),
            SetEnvironmentVariable('PYTHONUNBUFFERED', '1'),
            *launch_actions.middleware(),
            SetEnvironmentVariable('OMP_NUM_THREADS', '1'),  # the learner takes one core at most
            OpaqueFunction(function=start),
        ]
    )
