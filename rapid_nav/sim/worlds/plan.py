"""A world being drawn up: solids added by place and height, and a search for free starts."""

from collections import Counter
from collections.abc import Sequence
import math
import zlib

import numpy as np

from rapid_nav.geometry import from_euler, from_z_axis, LEVEL, UPSIDE_DOWN
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.worlds.primitives import pack_primitives, Primitive, Scenes

START_CLEARANCE = 0.8  # [m], from a start pose to the nearest surface
START_VIEW = 3.0  # [m], free flight straight ahead of a start pose
STARTS = 32
Color = tuple[int, int, int]
Numbers = Sequence[float] | np.ndarray


class Plan:
    """
    Collects primitives; x, y [m] are NED, heights [m] count up from the floor at z = 0.

    `rng` is all the chance there is in a world and depends on its name and seed alone.
    """

    def __init__(self, name: str, seed: int) -> None:
        self.rng = np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), seed]))
        self.primitives: list[Primitive] = []
        self.start_area = (0.0, 0.0, 1.0, 1.0)  # x0, y0, x1, y1 [m]
        self.start_places: np.ndarray | None = None  # (N, 2) [m], instead of the whole area
        self.start_heights = (1.1, 1.7)  # [m]
        self.shades = 0.15  # by which neighbours of one colour differ
        self.fixed_starts: np.ndarray | None = None  # (M, 4), instead of a search
        self._numbers: Counter[str] = Counter()

    def add(
        self,
        kind: str,
        name: str,
        position: Numbers,
        size: Numbers,
        color: Color,
        orientation: Numbers = LEVEL,
    ) -> None:
        """Add a primitive in NED; its name gets a number."""
        number = self._numbers[name]
        self._numbers[name] += 1
        shade = 1 + self.shades * self.rng.uniform(-1, 1)
        self.primitives.append(
            Primitive(
                kind,
                f'{name}_{number}',
                tuple(position),
                tuple(orientation),
                tuple(size),
                tuple(min(255, int(c * shade)) for c in color),
            )
        )

    def floor(
        self,
        size: float,
        color: Color = (120, 115, 105),
        middle: tuple[float, float] | None = None,
    ) -> None:
        """Add the ground at height 0; unless told otherwise, the world begins at (0, 0)."""
        x, y = middle or (size / 2, size / 2)
        self.add('plane', 'floor', (x, y, 0), (size, size, 0.1), color)

    def ceiling(
        self,
        size: float,
        height: float,
        color: Color = (225, 225, 220),
        middle: tuple[float, float] | None = None,
    ) -> None:
        """Close the world at a height."""
        x, y = middle or (size / 2, size / 2)
        self.add('plane', 'ceiling', (x, y, -height), (size, size, 0.1), color, UPSIDE_DOWN)

    def enclose(self, name: str, size: float, height: float, thick: float, color: Color) -> None:
        """Build four walls around the square from (0, 0) to (size, size)."""
        low, high = -thick, size + thick
        for x0, y0, x1, y1 in (
            (low, low, high, 0),
            (low, size, high, high),
            (low, 0, 0, size),
            (size, 0, high, size),
        ):
            self.block(name, x0, y0, x1, y1, 0, height, color)

    def box(
        self,
        name: str,
        x: float,
        y: float,
        low: float,
        high: float,
        dx: float,
        dy: float,
        color: Color,
        yaw: float = 0.0,
    ) -> None:
        """Add an upright box centred on (x, y) between two heights."""
        self.add(
            'box',
            name,
            (x, y, -(low + high) / 2),
            (dx, dy, high - low),
            color,
            from_euler(yaw=yaw) if yaw else LEVEL,
        )

    def block(
        self,
        name: str,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        low: float,
        high: float,
        color: Color,
    ) -> None:
        """Add an upright box between two corners."""
        self.box(name, (x0 + x1) / 2, (y0 + y1) / 2, low, high, x1 - x0, y1 - y0, color)

    def post(
        self, name: str, x: float, y: float, low: float, high: float, radius: float, color: Color
    ) -> None:
        """Add an upright cylinder between two heights."""
        self.add(
            'cylinder',
            name,
            (x, y, -(low + high) / 2),
            (2 * radius, 2 * radius, high - low),
            color,
        )

    def bar(
        self,
        name: str,
        start: Numbers,
        end: Numbers,
        radius: float,
        color: Color,
        square: bool = False,
    ) -> None:
        """Add a straight bar between two points (x, y, height), round or square."""
        a, b = np.array(start, dtype=float), np.array(end, dtype=float)
        a[2], b[2] = -a[2], -b[2]
        length = float(np.linalg.norm(b - a))
        self.add(
            'box' if square else 'cylinder',
            name,
            (a + b) / 2,
            (2 * radius, 2 * radius, length),
            color,
            from_z_axis(b - a),
        )

    def ball(
        self, name: str, x: float, y: float, height: float, radius: float, color: Color
    ) -> None:
        """Add a sphere."""
        self.add('sphere', name, (x, y, -height), (2 * radius,) * 3, color)

    def start_poses(self) -> np.ndarray:
        """Return up to STARTS poses (M, 4) away from all surfaces that look where it is free."""
        if self.fixed_starts is not None:
            return self.fixed_starts
        scene = pack_primitives(self.primitives)
        for clear, view in ((START_CLEARANCE, START_VIEW), (0.5, 1.5), (0.35, 0.5)):
            poses = self._search(scene, clear, view)
            if len(poses):
                return poses
        raise ValueError('no place in this world is free enough for a drone to start from')

    def _search(self, scene: Scenes, clear: float, view: float) -> np.ndarray:
        """Draw places; keep those with a clearance of `clear` and `view` free ahead [m]."""
        count = 40 * STARTS
        if self.start_places is None:
            x0, y0, x1, y1 = self.start_area
            places = self.rng.uniform((x0, y0), (x1, y1), (count, 2))
        else:
            places = self.start_places[self.rng.integers(len(self.start_places), size=count)]
        heights = self.rng.uniform(*self.start_heights, (count, 1))
        points = np.hstack([places, -heights])
        points = points[clearance(scene, 0, points, 2.0) >= clear]
        poses: list[tuple[float, ...]] = []
        for point in points:
            yaws = self.rng.uniform(-math.pi, math.pi) + np.arange(8) * math.pi / 4
            ahead = np.stack([np.cos(yaws), np.sin(yaws), np.zeros(8)], axis=1)
            ranges = cast_rays(scene, 0, point, ahead, 2 * view)
            open_ways = np.flatnonzero(ranges > view)
            if len(open_ways):
                yaw = yaws[open_ways[0]]
                poses.append((*point, math.remainder(yaw, 2 * math.pi)))
            if len(poses) == STARTS:
                break
        return np.array(poses).reshape(-1, 4)
