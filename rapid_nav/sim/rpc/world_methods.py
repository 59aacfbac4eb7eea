"""AirSim's RPCs for the world's objects, and our own to describe and to replace the world."""

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Executor
from dataclasses import replace
import math
import re

import numpy as np

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.render.raycast import cast_rays
from rapid_nav.sim.rpc.arguments import (
    anything,
    BadCast,
    boolean,
    finite_vector,
    integer,
    Pose,
    pose,
    rpc,
    text,
)
from rapid_nav.sim.rpc.structs import Map, pose_map, vector3
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import make_world

_NOWHERE = Pose(np.full(3, math.nan), np.full(4, math.nan))
_LONGEST_PATTERN, _MOST_REPEATS = 200, 4  # with more, matching may take for ever
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
    """The world's objects, by their names."""

    def __init__(self, engine: Engine, pool: Executor) -> None:
        self._engine, self._pool = engine, pool

    def _find(self, name: str) -> int | None:
        names = [primitive.name for primitive in self._engine.world.primitives]
        return names.index(name) if name in names else None

    @rpc(text)
    def simListSceneObjects(self, pattern: str) -> list[str]:
        with self._engine.lock:
            names = [primitive.name for primitive in self._engine.world.primitives]
            names += self._engine.vehicles
        return [name for name in names if matches(pattern, name)]

    @rpc(text)
    def simGetObjectPose(self, name: str) -> Map:
        with self._engine.lock:
            row = self._find(name)
            if row is not None:
                found = self._engine.world.primitives[row]
                return pose_map(Pose(np.array(found.position), np.array(found.orientation)))
            if name in self._engine.vehicles:
                mine = self._engine.vehicles[name]
                return pose_map(Pose(mine.position + mine.origin, mine.orientation))
        return pose_map(_NOWHERE)

    @rpc(text, pose, boolean)
    def simSetObjectPose(self, name: str, there: Pose, _teleport: bool) -> bool:
        with self._engine.lock:
            row = self._find(name)
            if row is None:
                return False
            primitives = list(self._engine.world.primitives)
            old = primitives[row]
            position = np.where(np.isnan(there.position), old.position, there.position)
            turn = old.orientation if np.isnan(there.orientation).any() else there.orientation
            primitives[row] = replace(old, position=tuple(position), orientation=tuple(turn))
            self._engine.change(primitives, self._engine.ids)
        return True

    @rpc(text)
    def simGetObjectScale(self, name: str) -> Map:
        with self._engine.lock:
            row = self._find(name)
            size = np.full(3, math.nan) if row is None else self._primitive(row).size
        return vector3(np.array(size))

    @rpc(text, finite_vector)
    def simSetObjectScale(self, name: str, scale: np.ndarray) -> bool:
        with self._engine.lock:
            row = self._find(name)
            if row is None:
                return False
            primitives = list(self._engine.world.primitives)
            primitives[row] = replace(primitives[row], size=tuple(scale))
            self._engine.change(primitives, self._engine.ids)
        return True

    def _primitive(self, row: int) -> Primitive:
        return self._engine.world.primitives[row]

    @rpc(text, integer, boolean)
    def simSetSegmentationObjectID(self, pattern: str, number: int, is_pattern: bool) -> bool:
        if not 0 <= number <= 255:
            raise ValueError(f'object id {number}; it must lie in [0, 255]')
        with self._engine.lock:
            primitives = self._engine.world.primitives
            chosen = np.array(
                [
                    matches(pattern, p.name) if is_pattern else p.name == pattern
                    for p in primitives
                ],
                dtype=bool,
            )
            if chosen.any():
                ids = np.where(chosen, np.uint8(number), self._engine.ids)
                self._engine.change(primitives, ids)
        return bool(chosen.any())

    @rpc(text)
    def simGetSegmentationObjectID(self, name: str) -> int:
        with self._engine.lock:
            row = self._find(name)
            return -1 if row is None else int(self._engine.ids[row])

    @rpc(anything, text)
    def simTestLineOfSightToPoint(self, point: object, vehicle: str) -> bool:
        with self._engine.lock:
            mine = self._engine.vehicle(vehicle)
            here = mine.position + mine.origin
            there = earth.to_ned(geo(point), self._engine.settings.origin) + mine.origin
            return self._sees(here, there)

    @rpc(anything, anything)
    def simTestLineOfSightBetweenPoints(self, one: object, other: object) -> bool:
        with self._engine.lock:
            home = self._engine.settings.origin
            return self._sees(earth.to_ned(geo(one), home), earth.to_ned(geo(other), home))

    def _sees(self, here: np.ndarray, there: np.ndarray) -> bool:
        way = there - here
        distance = float(np.linalg.norm(way))
        if distance == 0:
            return True
        hit = cast_rays(self._engine.scenes, 0, here, way[None] / distance, distance)
        return not math.isfinite(float(hit[0]))

    @rpc(text)
    def rapidSceneDescription(self, vehicle: str) -> list[Map]:
        """Return the primitives with positions in the vehicle's NED frame (ours alone)."""
        with self._engine.lock:
            origin = self._engine.vehicle(vehicle).origin.copy()
            primitives = self._engine.world.primitives
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

    @rpc(text, integer)
    def rapidLoadWorld(self, spec: str, seed: int) -> Awaitable[bool]:
        """Put every vehicle at a start of another world (ours alone)."""

        def load() -> bool:
            self._engine.load(make_world(spec, seed))
            return True

        return asyncio.get_running_loop().run_in_executor(self._pool, load)


def matches(pattern: str, name: str) -> bool:
    """Tell whether the whole name matches a regular expression; ValueError if it is none."""
    repeats = sum(map(pattern.count, '*+?{'))
    if len(pattern) > _LONGEST_PATTERN or repeats > _MOST_REPEATS:
        raise ValueError(
            f'a pattern may have {_LONGEST_PATTERN} characters and {_MOST_REPEATS} repeats'
        )
    try:
        return re.fullmatch(pattern, name) is not None
    except re.error as error:
        raise ValueError(f'{pattern!r} is no regular expression: {error}') from error


def geo(value: object) -> earth.Geo:
    """Take a GeoPoint."""
    if not isinstance(value, dict):
        raise BadCast
    found = [value.get(key, 0.0) for key in ('latitude', 'longitude', 'altitude')]
    if any(type(v) not in (int, float) or not abs(v) < 1e6 for v in found):
        raise BadCast
    latitude, longitude, altitude = (float(v) for v in found)
    return latitude, longitude, altitude
