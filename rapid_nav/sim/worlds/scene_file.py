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

import logging
from pathlib import Path
from typing import Any

import numpy as np

from rapid_nav.geometry import from_euler, LEVEL
from rapid_nav.sim.physics.signed_distance import clearance
from rapid_nav.sim.worlds.plan import Plan
from rapid_nav.sim.worlds.primitives import pack_primitives, Primitive
from rapid_nav.sim.worlds.yaml_file import number, numbers

log = logging.getLogger(__name__)
MOST = 20000  # primitives
KEYS = {'name', 'indoor', 'start_poses', 'primitives'}
PRIMITIVE_KEYS = {'kind', 'name', 'position', 'orientation', 'yaw', 'size', 'color'}
START_ROOM = 0.3  # [m], least clearance of a start pose that a file names


def scene(plan: Plan, path: Path, content: dict[str, Any]) -> None:
    """Draw up the scene of a file; raise ValueError naming file, primitive and remedy."""
    unknown(str(path), content, KEYS)
    entries = content['primitives']
    if not isinstance(entries, list) or not entries:
        raise ValueError(f'{path}: primitives must be a list with at least one primitive')
    if len(entries) > MOST:
        raise ValueError(f'{path}: {len(entries)} primitives; at most {MOST} are read')
    if 'indoor' in content:
        log.warning('%s: indoor has no effect any more; delete it', path)
    plan.primitives = [primitive(f'{path}: primitive {n}', e) for n, e in enumerate(entries)]
    names = [p.name for p in plan.primitives]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f'{path}: two primitives are named {twice!r}; names must differ')
    solid = [p for p in plan.primitives if p.kind != 'plane'] or plan.primitives
    corners = np.array([p.position[:2] for p in solid])
    plan.start_area = (*(corners.min(axis=0) - 2), *(corners.max(axis=0) + 2))
    if 'start_poses' in content:
        plan.fixed_starts = starts(path, content['start_poses'], plan.primitives)


def primitive(where: str, entry: Any) -> Primitive:
    """Return one primitive of the list."""
    if not isinstance(entry, dict):
        raise ValueError(f'{where} is {entry!r}; write {{kind: box, position: [...], ...}}')
    unknown(where, entry, PRIMITIVE_KEYS)
    kind = entry.get('kind', '(missing)')
    name = str(entry.get('name', where.rsplit(': ', 1)[-1].replace(' ', '_')))
    if 'position' not in entry:
        raise ValueError(f'{where} ({name}): position is missing; give [x, y, z] in NED metres')
    if 'size' not in entry and kind != 'plane':
        raise ValueError(f'{where} ({name}): size is missing; give [x, y, z] in metres')
    if 'orientation' in entry and 'yaw' in entry:
        raise ValueError(f'{where} ({name}): give an orientation or a yaw, not both')
    orientation: tuple[float, ...] = LEVEL
    if 'orientation' in entry:
        orientation = numbers(f'{where} ({name}): orientation', entry['orientation'], 4)
    elif 'yaw' in entry:
        orientation = from_euler(yaw=number(f'{where} ({name})', entry, 'yaw'))
    try:
        return Primitive(
            kind,
            name,
            numbers(f'{where} ({name}): position', entry['position'], 3),
            orientation,
            numbers(f'{where} ({name}): size', entry.get('size', [100, 100, 0.1]), 3),
            tuple(
                map(
                    int,
                    numbers(f'{where} ({name}): color', entry.get('color', [170, 170, 170]), 3),
                )
            ),
        )
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(where) else f'{where}: {text}') from None


def starts(path: Path, value: Any, primitives: list[Primitive]) -> np.ndarray:
    """Return the file's start poses (M, 4) after checking that they are free."""
    if not isinstance(value, list) or not value:
        raise ValueError(f'{path}: start_poses must be a list of [x, y, z, yaw]')
    poses = np.array([numbers(f'{path}: start pose {n}', v, 4) for n, v in enumerate(value)])
    room = clearance(pack_primitives(primitives), 0, poses[:, :3])
    for n in np.flatnonzero(room < START_ROOM):
        raise ValueError(
            f'{path}: start pose {n} is {room[n]:.2f} m from a surface; '
            f'leave at least {START_ROOM} m'
        )
    return poses


def unknown(where: str, content: dict[str, Any], known: set[str]) -> None:
    """Raise ValueError if a mapping has a key that nobody reads."""
    for key in content:
        if key not in known:
            raise ValueError(f'{where}: unknown key {key!r}; known are {", ".join(sorted(known))}')
