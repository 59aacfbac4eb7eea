"""A world: its primitives, where a drone may start, and how it is made from a name or a file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from rapid_nav.sim.outside import read_yaml
from rapid_nav.sim.worlds.generators import generate, GENERATORS, is_generated, PARAMETRIC
from rapid_nav.sim.worlds.map_file import floor_plan
from rapid_nav.sim.worlds.plan import Plan
from rapid_nav.sim.worlds.primitives import pack_primitives, Primitive, Scenes
from rapid_nav.sim.worlds.scene_file import scene

MOST_BYTES = 8 * 2**20  # of a scene or map file


@dataclass(frozen=True, eq=False)
class World:
    """A scene in NED metres with free places to start from."""

    name: str
    seed: int
    primitives: tuple[Primitive, ...]
    start_poses: np.ndarray  # (M, 4) x, y, z [m; NED], yaw [rad]

    def shrunk(self, factor: float) -> 'World':
        """Return this world with every length multiplied by `factor`; drones keep their size."""
        if not factor > 0:
            raise ValueError(f'factor is {factor}; it must be positive')
        primitives = tuple(
            replace(
                p,
                position=tuple(factor * x for x in p.position),
                size=tuple(factor * x for x in p.size),
            )
            for p in self.primitives
        )
        starts = self.start_poses * (factor, factor, factor, 1.0)
        starts.flags.writeable = False
        return replace(self, primitives=primitives, start_poses=starts)

    @cached_property
    def arrays(self) -> Scenes:
        """Return the primitives as read-only arrays, a scene of this world alone."""
        scene = pack_primitives(self.primitives)
        for array in scene:
            array.flags.writeable = False
        return scene

    @cached_property
    def segmentation_ids(self) -> np.ndarray:
        """Return a number 1..255 for each primitive, the same for all `wall_...` and so on."""
        stems = [p.name.rstrip('0123456789').rstrip('_') for p in self.primitives]
        numbers = {stem: 1 + i % 255 for i, stem in enumerate(dict.fromkeys(stems))}
        return np.array([numbers[stem] for stem in stems], dtype=np.uint8)


def pack(worlds: Sequence[World]) -> Scenes:
    """Lay several worlds behind each other for the kernels, which find them by their index."""
    parts = [world.arrays for world in worlds]
    offsets = np.cumsum([0] + [len(part.kind) for part in parts], dtype=np.int64)
    rows = (np.concatenate(columns) for columns in list(zip(*parts, strict=True))[1:])
    return Scenes(offsets, *rows)


def make_world(spec: str | Path, seed: int = 0) -> World:
    """
    Make the world that `spec` names: a generator, a scene .yaml or a map_server .yaml.

    The same spec and seed give the same world everywhere; of a file, the seed only chooses the
    start poses. Raises ValueError or FileNotFoundError saying what is wrong and what would help.
    """
    name = str(spec)
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f'seed is {seed!r}; it must be a whole number from 0')
    if is_generated(name):
        return _world(name, int(seed), generate(name, int(seed)))
    if not name.endswith(('.yaml', '.yml')):
        raise ValueError(
            f'unknown world {name!r}; choose one of {", ".join((*GENERATORS, *PARAMETRIC))} '
            'or give the path of a scene or map_server .yaml file'
        )
    content = read_yaml(Path(name), MOST_BYTES, 'give a scene or map .yaml')
    plan = Plan(Path(name).stem, int(seed))
    if 'primitives' in content:
        scene(plan, Path(name), content)
    elif 'image' in content:
        floor_plan(plan, Path(name), content)
    else:
        raise ValueError(
            f'{name} has neither "primitives" (a scene) nor "image" (a map_server map)'
        )
    return _world(name, int(seed), plan)


def _world(name: str, seed: int, plan: Plan) -> World:
    """Freeze a finished plan."""
    primitives = tuple(plan.primitives)
    starts = plan.start_poses()
    starts.flags.writeable = False
    return World(name, seed, primitives, starts)
