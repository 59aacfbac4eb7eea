"""The networks of each of the drone's tasks."""

from collections.abc import Mapping

from rapid_nav.agent.config import c3f2_stages, light_stages, rapid_stages, small_stages
from rapid_nav.drone.actions import ActionGrid
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage

NETWORKS = ('rapid', 'plain', 'small', 'light')
_DEPTH: Mapping[str, tuple[Stage, ...]] = {
    'rapid': rapid_stages(),
    'plain': rapid_stages()[-1:],
    'small': small_stages(),
    'light': light_stages(),
}
_RGB: Mapping[str, tuple[Stage, ...]] = {
    'rapid': c3f2_stages(),
    'plain': c3f2_stages()[-1:],
    'small': (Stage((Conv(16, 8, 4, pool=2, pool_stride=2), Conv(32, 3, 2, 1)), 128, 'input'),),
    'light': light_stages(),
}


def network_for(task: FlightTask, network: str = 'rapid') -> NetworkConfig:
    """Return one of NETWORKS for what a task sees and can do; duelling for depth alone."""
    rgb = task.observation.kind == 'rgb'
    return NetworkConfig(
        task.observation.shape,
        ActionGrid(task.actions).num_actions,
        (_RGB if rgb else _DEPTH)[network],
        duelling=not rgb,
    )
