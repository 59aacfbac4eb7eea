"""Single rays into a scene: what lidars, distance sensors and lines of sight need."""

import math

from numba import njit
import numpy as np

from rapid_nav.sim.worlds.primitives import BOX, CYLINDER, PLANE, Scenes


@njit(cache=True, nogil=True, error_model='numpy')
def _slab(o: float, d: float, h: float, enter: float, leave: float) -> tuple[float, float]:
    """Narrow [enter, leave] to where a ray o + t d is within |x| <= h."""
    if d == 0:
        return (enter, leave) if abs(o) <= h else (np.inf, -np.inf)
    a, b = (-h - o) / d, (h - o) / d
    if a > b:
        a, b = b, a
    return max(enter, a), min(leave, b)


@njit(cache=True, nogil=True, error_model='numpy')
def hit(kind: int, half: np.ndarray, o: np.ndarray, l: np.ndarray) -> float:  # noqa: E741
    """Return t > 0 where the ray o + t l first meets a solid (in its own axes), inf if never."""
    if kind == PLANE:
        t = -o[2] / l[2] if l[2] != 0 else np.inf
        return t if t > 0 else np.inf
    enter, leave = -np.inf, np.inf
    if kind == BOX:
        for k in range(3):
            enter, leave = _slab(o[k], l[k], half[k], enter, leave)
    else:
        z = 0.0 if kind == CYLINDER else 1.0
        a = l[0] * l[0] + l[1] * l[1] + z * l[2] * l[2]
        b = o[0] * l[0] + o[1] * l[1] + z * o[2] * l[2]
        c = o[0] * o[0] + o[1] * o[1] + z * o[2] * o[2] - half[0] * half[0]
        disc = b * b - a * c
        if disc < 0 or (a == 0 and c > 0):
            return np.inf
        if a > 0:
            enter, leave = (-b - math.sqrt(disc)) / a, (-b + math.sqrt(disc)) / a
        if kind == CYLINDER:
            enter, leave = _slab(o[2], l[2], half[2], enter, leave)
    if enter > leave or leave <= 0:
        return np.inf
    return enter if enter > 0 else leave


@njit(cache=True, nogil=True)
def _cast(
    first: int,
    last: int,
    scenes: Scenes,
    origin: np.ndarray,
    directions: np.ndarray,
    far: float,
    ranges: np.ndarray,
    which: np.ndarray,
) -> None:
    o, l, delta = np.empty(3), np.empty(3), np.empty(3)  # noqa: E741
    for n in range(directions.shape[0]):
        ranges[n], which[n] = far, -1
    for p in range(first, last):
        m = scenes.rotation[p]
        for k in range(3):
            delta[k] = origin[k] - scenes.center[p, k]
        length2 = delta[0] ** 2 + delta[1] ** 2 + delta[2] ** 2
        distance = math.sqrt(length2) - scenes.bound[p]
        if distance > far:
            continue
        for k in range(3):
            o[k] = m[0, k] * delta[0] + m[1, k] * delta[1] + m[2, k] * delta[2]
        for n in range(directions.shape[0]):
            if ranges[n] < distance:
                continue
            d = directions[n]
            if distance > 0:  # outside the bounding sphere: does the ray pass through it?
                along = -(d[0] * delta[0] + d[1] * delta[1] + d[2] * delta[2])
                gap = length2 - along * along
                if along < 0 or gap > scenes.bound[p] ** 2:
                    continue
            for k in range(3):
                l[k] = m[0, k] * d[0] + m[1, k] * d[1] + m[2, k] * d[2]
            t = hit(scenes.kind[p], scenes.half[p], o, l)
            if t < ranges[n]:
                ranges[n] = t
                which[n] = p - first
    for n in range(directions.shape[0]):
        if which[n] < 0:
            ranges[n] = np.inf


def cast_rays(
    scenes: Scenes,
    scene_index: int,
    origin: np.ndarray,
    directions: np.ndarray,
    max_range: float = np.inf,
    which: np.ndarray | None = None,
) -> np.ndarray:
    """
    Return how far rays fly (R,) [m], +inf where nothing is within max_range.

    origin (3,) [m; NED], directions (R, 3) of any length. `which` (R,) int32 gets the row of the
    primitive that was hit, -1 for none.
    """
    directions = np.asarray(directions, dtype=np.float64).reshape(-1, 3)
    length = np.sqrt((directions**2).sum(axis=1, keepdims=True))
    directions = np.ascontiguousarray(directions / np.where(length > 0, length, 1))
    ranges = np.empty(len(directions))
    if which is None:
        which = np.empty(len(directions), dtype=np.int32)
    first, last = scenes.offsets[scene_index], scenes.offsets[scene_index + 1]
    origin = np.ascontiguousarray(origin, dtype=np.float64)
    _cast(first, last, scenes, origin, directions, max_range, ranges, which)
    return ranges
