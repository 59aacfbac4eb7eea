"""AirSim's RPCs for the world's objects, and our own to describe and to replace the world."""

from collections.abc import Callable, Sequence
from dataclasses import replace
import math

import numpy as np
import re2

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.rpc.arguments import boolean, finite_vector, geo, integer, Pose, pose, rpc, text
from rapid_nav.sim.rpc.server import Deferred
from rapid_nav.sim.rpc.structs import Map, pose_map, vector3
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import make_world

_NOWHERE = Pose(np.full(3, math.nan), np.full(4, math.nan))
_LONGEST_PATTERN = 200  # characters
_PATTERN_BYTES = 2**20  # of its compiled form
_NAME_BYTES = 100  # of an object's name, as a rule
Primitives = Sequence[Primitive]
# Accepted for the sake of scripts that draw or dress up: nothing to see here.
IGNORED = {
    'simPrintLogMessage': 3,
    'simSetTraceLine': 3,
    'simFlushPersistentMarkers': 0,
    'simPlotPoints': 5,
    'simPlotLineStrip': 5,
    'simPlotLineList': 5,
    'simPlotArrows': 7,
    'simPlotStrings': 5,
    'simPlotTransforms': 5,
    'simPlotTransformsWithNames': 7,
    'simEnableWeather': 1,
    'simSetWeatherParameter': 2,
    'simSetTimeOfDay': 6,
}


class WorldMethods:
    """The world's objects, by their names. Methods that read every object run in a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _find(self, name: str) -> tuple[Primitive | None, int]:
        """Return an object and its id, or (None, -1)."""
        with self._engine.lock:
            primitives, ids = self._engine.world.primitives, self._engine.ids
        row = _row(primitives, name)
        return (None, -1) if row is None else (primitives[row], int(ids[row]))

    @rpc(text)
    def simListSceneObjects(self, pattern: str) -> Deferred:
        matches = matcher(pattern, ignore_case=False)
        with self._engine.lock:
            primitives, vehicles = self._engine.world.primitives, list(self._engine.vehicles)

        def names() -> list[str]:
            return list(filter(matches, [*(p.name for p in primitives), *vehicles]))

        return Deferred(names, len(primitives) * _NAME_BYTES)

    @rpc(text)
    def simGetObjectPose(self, name: str) -> Map:
        found, _ = self._find(name)
        if found:
            return pose_map(Pose(np.array(found.position), np.array(found.orientation)))
        with self._engine.lock:
            if name in self._engine.vehicles:
                mine = self._engine.vehicles[name]
                return pose_map(Pose(mine.position + mine.origin, mine.orientation))
        return pose_map(_NOWHERE)

    @rpc(text, pose, boolean)
    def simSetObjectPose(self, name: str, there: Pose, _teleport: bool) -> Deferred:
        def moved(old: Primitive) -> Primitive:
            position = np.where(np.isnan(there.position), old.position, there.position)
            turn = old.orientation if np.isnan(there.orientation).any() else there.orientation
            return replace(old, position=tuple(position), orientation=tuple(turn))

        return self._edit(name, moved)

    @rpc(text)
    def simGetObjectScale(self, name: str) -> Map:
        found, _ = self._find(name)
        return vector3(np.array(found.size) if found else np.full(3, math.nan))

    @rpc(text, finite_vector)
    def simSetObjectScale(self, name: str, scale: np.ndarray) -> Deferred:
        return self._edit(name, lambda old: replace(old, size=tuple(scale)))

    def _edit(self, name: str, change: Callable[[Primitive], Primitive]) -> Deferred:
        """Change the object of a name; the answer tells whether there is one."""

        def edit(primitives: Primitives, ids: np.ndarray) -> tuple[Primitives, np.ndarray] | None:
            row = _row(primitives, name)
            if row is None:
                return None
            return (*primitives[:row], change(primitives[row]), *primitives[row + 1 :]), ids

        return Deferred(lambda: self._engine.edit(edit), _NAME_BYTES)

    @rpc(text, integer, boolean)
    def simSetSegmentationObjectID(self, pattern: str, number: int, is_pattern: bool) -> Deferred:
        if not 0 <= number <= 255:
            raise ValueError(f'object id {number}; it must lie in [0, 255]')
        matches = matcher(pattern, ignore_case=True) if is_pattern else pattern.__eq__

        def edit(primitives: Primitives, ids: np.ndarray) -> tuple[Primitives, np.ndarray] | None:
            chosen = np.array([matches(p.name) for p in primitives], dtype=bool)
            return (primitives, np.where(chosen, number, ids)) if chosen.any() else None

        return Deferred(lambda: self._engine.edit(edit), _NAME_BYTES)

    @rpc(text)
    def simGetSegmentationObjectID(self, name: str) -> int:
        return self._find(name)[1]

    @rpc(geo, text)
    def simTestLineOfSightToPoint(self, point: earth.Geo, vehicle: str) -> bool:
        with self._engine.locked(vehicle) as mine:
            here = mine.position + mine.origin
            there = earth.to_ned(point, self._engine.settings.origin) + mine.origin
        return self._sees(here, there)

    @rpc(geo, geo)
    def simTestLineOfSightBetweenPoints(self, one: earth.Geo, other: earth.Geo) -> bool:
        home = self._engine.settings.origin
        return self._sees(earth.to_ned(one, home), earth.to_ned(other, home))

    def _sees(self, here: np.ndarray, there: np.ndarray) -> bool:
        way = there - here
        distance = float(np.linalg.norm(way))
        if distance == 0:
            return True
        with self._engine.lock:
            scenes = self._engine.scenes
        hit = cast_rays(scenes, 0, here, way[None] / distance, distance)
        return not math.isfinite(float(hit[0]))

    @rpc(text)
    def rapidSceneDescription(self, vehicle: str) -> Deferred:
        """Return the primitives with positions in the vehicle's NED frame (ours alone)."""
        with self._engine.locked(vehicle) as mine:
            origin = mine.origin.copy()
            primitives = self._engine.world.primitives

        def describe() -> list[Map]:
            return [
                {
                    'kind': p.kind,
                    'name': p.name,
                    'position': (np.array(p.position) - origin).tolist(),
                    'orientation': list(p.orientation),
                    'size': list(p.size),
                    'color': list(p.color),
                }
                for p in primitives
            ]

        return Deferred(describe, len(primitives) * (_NAME_BYTES + 150))

    @rpc(text, integer)
    def rapidLoadWorld(self, spec: str, seed: int) -> Deferred:
        """Put every vehicle at a start of another world (ours alone)."""

        def load() -> bool:
            self._engine.load(make_world(spec, seed))
            return True

        return Deferred(load, _NAME_BYTES)


def _row(primitives: Primitives, name: str) -> int | None:
    return next((row for row, p in enumerate(primitives) if p.name == name), None)


def matcher(pattern: str, ignore_case: bool) -> Callable[[str], bool]:
    """
    Return what tells whether a whole name matches a regular expression in RE2's syntax.

    RE2 matches in a time that is linear in the name. Raises ValueError if it is none.
    """
    if len(pattern) > _LONGEST_PATTERN:
        raise ValueError(f'the pattern has {len(pattern)} characters; at most {_LONGEST_PATTERN}')
    options = re2.Options()
    options.case_sensitive, options.log_errors = not ignore_case, False
    options.max_mem = _PATTERN_BYTES
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        what = error.args[0].decode(errors='replace')
        raise ValueError(f'{pattern!r} is no regular expression of RE2: {what}') from error
    return lambda name: compiled.fullmatch(name) is not None
