"""Rendering for many drones of the embedded simulator at once: depth, and observations."""

from collections.abc import Callable

import numpy as np

from rapid_nav.drone.observation import nearness, shrink
from rapid_nav.drone.task import FlightTask
from rapid_nav.sim.render import camera
from rapid_nav.sim.render.views import make_views
from rapid_nav.sim.worlds.primitives import Scenes

Renderer = Callable[[Scenes, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""
From scenes, the index of each drone's (N,), positions (N, 3) and orientations (N, 4) to depth
(N, h, w) [m] and the newest image of an observation (N, c, h, w) uint8.
"""


def renderer_of(task: FlightTask, render_scale: int = 2) -> Renderer:
    """Return a task's renderer; depth is rendered `render_scale` times as large and shrunk."""
    config, fov = task.observation, float(np.radians(task.fov))

    def depth_only(
        scenes: Scenes, index: np.ndarray, position: np.ndarray, orientation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        depth = shrink(
            camera.render_depth(
                scenes,
                index,
                position,
                orientation,
                config.width * render_scale,
                config.height * render_scale,
                fov,
            ),
            config.height,
            config.width,
        )
        return depth, nearness(depth, config.half_depth)[:, None]

    def in_color(
        scenes: Scenes, index: np.ndarray, position: np.ndarray, orientation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        # Rays through the small image's pixels alone take a fifth of those of 320 x 180, of
        # which a resize to 103 x 103 keeps little more than a point of each.
        size = config.width, config.height
        views = make_views(scenes, index, position, orientation, *size, fov, task.aspect)
        depth, picture = camera.depth_and_color(views)
        return depth, np.ascontiguousarray(picture.transpose(0, 3, 1, 2))

    return in_color if config.kind == 'rgb' else depth_only
