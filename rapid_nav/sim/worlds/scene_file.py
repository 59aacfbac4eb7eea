"""
Scene files: a world written down as primitives.

    start_poses: [[0, 0, -1.5, 0]]    # x, y, z [m; NED], yaw [rad]; found by chance if left out
    primitives:
      - {kind: plane, name: floor, position: [0, 0, 0]}
      - {kind: box, name: wall, position: [5, 0, -1.5], size: [0.2, 8, 3], yaw: 0.3}
      - {kind: cylinder, position: [2, 2, -1], size: [0.4, 0.4, 2], color: [200, 80, 60]}
      - {kind: sphere, position: [3, -2, -1], size: [1, 1, 1]}

Everything is in NED metres. A pose is a position and an orientation (w, x, y, z) or a yaw [rad].
"""

from collections import Counter
import logging
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
import numpy as np

from rapid_nav.geometry import from_euler, LEVEL
from rapid_nav.sim.outside import convert
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.plan import Plan
from rapid_nav.sim.worlds.primitives import pack_primitives, Primitive

log = logging.getLogger(__name__)
MOST_PRIMITIVES, MOST_STARTS = 20_000, 10_000
START_ROOM = 0.3  # [m], least clearance of a start pose that a file names
LONGEST_NAME = 200  # characters
Coordinate = Annotated[float, Meta(ge=-1e4, le=1e4)]  # [m, rad], or a quaternion's component
Triple = tuple[Coordinate, Coordinate, Coordinate]
Four = tuple[Coordinate, Coordinate, Coordinate, Coordinate]
Channel = Annotated[float, Meta(ge=0, le=255)]


class Entry(Struct, forbid_unknown_fields=True):
    """One primitive as a file gives it."""

    kind: str
    position: Triple
    name: Annotated[str, Meta(max_length=LONGEST_NAME)] | int | float | None = None
    orientation: Four | None = None
    yaw: Coordinate | None = None
    size: Triple | None = None
    color: tuple[Channel, Channel, Channel] = (170, 170, 170)


class Scene(Struct, forbid_unknown_fields=True):
    """A scene file."""

    primitives: Annotated[list[Entry], Meta(min_length=1, max_length=MOST_PRIMITIVES)]
    start_poses: Annotated[list[Four], Meta(min_length=1, max_length=MOST_STARTS)] | None = None
    name: Any = None
    indoor: Any = None  # of former releases


def scene(plan: Plan, path: Path, content: dict[str, Any]) -> None:
    """Draw up the scene of a file; raise ValueError naming file, primitive and remedy."""
    found = convert(content, Scene, str(path))
    if found.indoor is not None:
        log.warning('%s: indoor has no effect any more; delete it', path)
    plan.primitives = [
        primitive(f'{path}: primitive {number}', f'primitive_{number}', entry)
        for number, entry in enumerate(found.primitives)
    ]
    name, count = Counter(p.name for p in plan.primitives).most_common(1)[0]
    if count > 1:
        raise ValueError(f'{path}: {count} primitives are named {name!r}; names must differ')
    solid = [p for p in plan.primitives if p.kind != 'plane'] or plan.primitives
    corners = np.array([p.position[:2] for p in solid])
    plan.start_area = (*(corners.min(axis=0) - 2), *(corners.max(axis=0) + 2))
    if found.start_poses is not None:
        plan.fixed_starts = starts(path, np.array(found.start_poses), plan.primitives)


def primitive(where: str, name: str, entry: Entry) -> Primitive:
    """Return a primitive; `name` is what it is called if the file does not say."""
    if entry.name is not None:
        name = str(entry.name)
    where = f'{where} ({name})'
    if entry.size is None and entry.kind != 'plane':
        raise ValueError(f'{where}: size is missing; give [x, y, z] in metres')
    if entry.orientation is not None and entry.yaw is not None:
        raise ValueError(f'{where}: give an orientation or a yaw, not both')
    turn = LEVEL if entry.yaw is None else from_euler(yaw=entry.yaw)
    size = (100.0, 100.0, 0.1) if entry.size is None else entry.size
    color = tuple(int(channel) for channel in entry.color)
    try:
        return Primitive(entry.kind, name, entry.position, entry.orientation or turn, size, color)
    except ValueError as error:
        raise ValueError(f'{where}: {str(error).removeprefix(f"{name}: ")}') from None


def starts(path: Path, poses: np.ndarray, primitives: list[Primitive]) -> np.ndarray:
    """Return a file's start poses (M, 4) after checking that they are free."""
    room = clearance(pack_primitives(primitives), 0, poses[:, :3])
    for n in np.flatnonzero(room < START_ROOM):
        raise ValueError(
            f'{path}: start pose {n} is {room[n]:.2f} m from a surface; '
            f'leave at least {START_ROOM} m'
        )
    return poses
