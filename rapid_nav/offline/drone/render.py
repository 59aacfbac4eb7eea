"""What drones of the embedded simulator see, many at once: depth, and what the network gets."""

from collections.abc import Callable

import numpy as np

from rapid_nav.drone.observation import nearness, shrink
from rapid_nav.drone.task import FlightTask
from rapid_nav.sim.render import camera
from rapid_nav.sim.render.views import make_views
from rapid_nav.sim.worlds.primitives import Scenes

Look = Callable[[Scenes, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""
From scenes, which of them each drone is in (N,), positions (N, 3) and orientations (N, 4) to what
they see: depth (N, h, w) [m], and the newest part of an observation (N, c, h, w) uint8.
"""


def eyes(task: FlightTask, render_scale: int = 2) -> Look:
    """Return the eyes of a task; a depth image is rendered so many times as large and shrunk."""
    about, fov = task.observation, float(np.radians(task.fov))

    def depth_only(
        scenes: Scenes, index: np.ndarray, position: np.ndarray, orientation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        depth = shrink(
            camera.render_depth(
                scenes,
                index,
                position,
                orientation,
                about.width * render_scale,
                about.height * render_scale,
                fov,
            ),
            about.height,
            about.width,
        )
        return depth, nearness(depth, about.half_depth)[:, None]

    def in_color(
        scenes: Scenes, index: np.ndarray, position: np.ndarray, orientation: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        # Rays through the small picture's pixels alone: a fifth of what 320 x 180 take, of which
        # a resize to 103 x 103 keeps little more than a point of each.
        size = about.width, about.height
        views = make_views(scenes, index, position, orientation, *size, fov, task.aspect)
        depth, picture = camera.depth_and_color(views)
        return depth, np.ascontiguousarray(picture.transpose(0, 3, 1, 2))

    return in_color if about.kind == 'rgb' else depth_only
