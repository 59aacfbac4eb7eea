"""The camera: depth images of packed worlds, in batches, on the CPU."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
import math

from numba import njit
import numpy as np

from rapid_nav.sim.render.projection import draw, make_desk
from rapid_nav.sim.render.shading import find_normals, shade
from rapid_nav.sim.rotation_kernels import rotation_matrices
from rapid_nav.sim.worlds.primitives import Scenes


@njit(cache=True, nogil=True)
def _depth(
    scenes: Scenes,
    scene_index: np.ndarray,
    position: np.ndarray,
    camera: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
) -> None:
    desk = make_desk()
    for b in range(out.shape[0]):
        image = out[b]
        image[:] = 0
        s = scene_index[b]
        for p in range(scenes.offsets[s], scenes.offsets[s + 1]):
            draw(scenes, p, position[b], camera[b], u, v, image, desk)
        to_depth(image)


@njit(cache=True, nogil=True)
def to_depth(image: np.ndarray) -> None:
    """Turn inverse depth (H, W) into depth, in place."""
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            q = image[r, c]
            image[r, c] = np.float32(1.0) / q if q > 0 else np.float32(np.inf)


@njit(cache=True, nogil=True)
def _layers(
    scenes: Scenes,
    scene_index: np.ndarray,
    position: np.ndarray,
    camera: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    out: np.ndarray,
    which: np.ndarray,
) -> None:
    desk = make_desk()
    before = np.empty((v.shape[0], u.shape[0]), dtype=np.float32)
    for b in range(out.shape[0]):
        image = out[b]
        image[:] = 0
        before[:] = 0
        which[b] = -1
        first = scenes.offsets[scene_index[b]]
        for p in range(first, scenes.offsets[scene_index[b] + 1]):
            if not draw(scenes, p, position[b], camera[b], u, v, image, desk):
                continue
            rect = desk.rect
            for r in range(rect[0], rect[1]):
                for c in range(rect[2], rect[3]):
                    if image[r, c] > before[r, c]:
                        before[r, c] = image[r, c]
                        which[b, r, c] = p - first
        to_depth(image)


@lru_cache(maxsize=64)
def slopes(
    width: int, height: int, fov: float, aspect: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return (W,) and (H,): right and down per metre ahead of the rays through pixel centres.

    The view is `aspect` times as wide as high, if not 0; otherwise its pixels are square.
    """
    focal = width / 2 / math.tan(fov / 2)
    u = (np.arange(width) + 0.5 - width / 2) / focal
    high = focal * aspect * height / width if aspect else focal
    v = (np.arange(height) + 0.5 - height / 2) / high
    return u.astype(np.float32), v.astype(np.float32)


def render_depth(
    scenes: Scenes,
    scene_index: np.ndarray | int,
    position: np.ndarray,
    orientation: np.ndarray,
    width: int,
    height: int,
    fov: float,
    out: np.ndarray | None = None,
    threads: int = 1,
) -> np.ndarray:
    """
    Return depth along the optical axis (B, H, W) float32 [m], +inf where nothing is hit.

    position (B, 3) [m; NED] and orientation (B, 4) (w, x, y, z) place cameras whose x looks ahead,
    y right and z down; fov is horizontal [rad]. `out` is written and returned if given.
    """
    scene_index, position, camera = views(scene_index, position, orientation)
    shape = (len(scene_index), height, width)
    if out is None:
        out = np.empty(shape, dtype=np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f'out must be a contiguous float32 array of shape {shape}')
    u, v = slopes(width, height, fov)

    def part(rows: slice) -> None:
        _depth(scenes, scene_index[rows], position[rows], camera[rows], u, v, out[rows])

    in_parts(part, len(scene_index), threads)
    return out


def render(
    scenes: Scenes,
    scene_index: np.ndarray | int,
    position: np.ndarray,
    orientation: np.ndarray,
    width: int,
    height: int,
    fov: float,
    threads: int = 1,
    aspect: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return depth (B, H, W) float32 as render_depth does, and what lies at that depth.

    That is the primitive's row within its world, (B, H, W) int32, -1 for none, and its surface's
    normal, (B, H, W, 3) float32 in NED towards the camera, zero for none.
    """
    scene_index, position, camera = views(scene_index, position, orientation)
    shape = (len(scene_index), height, width)
    depth = np.empty(shape, dtype=np.float32)
    which = np.empty(shape, dtype=np.int32)
    normals = np.empty((*shape, 3), dtype=np.float32)
    u, v = slopes(width, height, fov, aspect)

    def part(rows: slice) -> None:
        where = scenes, scene_index[rows], position[rows], camera[rows], u, v
        _layers(*where, depth[rows], which[rows])
        find_normals(*where, depth[rows], which[rows], normals[rows])

    in_parts(part, len(scene_index), threads)
    return depth, which, normals


def color(
    scenes: Scenes,
    scene_index: np.ndarray | int,
    position: np.ndarray,
    orientation: np.ndarray,
    width: int,
    height: int,
    fov: float,
    threads: int = 1,
) -> np.ndarray:
    """Return pictures (B, H, W, 3) uint8 RGB for people; arguments as for render_depth."""
    return depth_and_color(
        scenes, scene_index, position, orientation, width, height, fov, threads
    )[1]


def depth_and_color(
    scenes: Scenes,
    scene_index: np.ndarray | int,
    position: np.ndarray,
    orientation: np.ndarray,
    width: int,
    height: int,
    fov: float,
    threads: int = 1,
    aspect: float = 0.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return depth as render_depth does, and pictures as color does; `aspect`: see slopes."""
    depth, which, normals = render(
        scenes, scene_index, position, orientation, width, height, fov, threads, aspect
    )
    scene_index, position, camera = views(scene_index, position, orientation)
    picture = np.empty((*depth.shape, 3), dtype=np.uint8)
    shade(
        scenes,
        scene_index,
        position,
        camera,
        *slopes(width, height, fov, aspect),
        depth,
        which,
        normals,
        picture,
    )
    return depth, picture


def views(
    scene_index: np.ndarray | int, position: np.ndarray, orientation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bring cameras into the kernels' form: int64 (B,), float64 (B, 3) and (B, 3, 3)."""
    position = np.ascontiguousarray(position, dtype=np.float64).reshape(-1, 3)
    camera = rotation_matrices(orientation)
    scene_index = np.asarray(scene_index, dtype=np.int64)
    if scene_index.shape != (len(position),):
        scene_index = np.ascontiguousarray(np.broadcast_to(scene_index, len(position)))
    if len(camera) != len(position):
        raise ValueError(f'{len(position)} positions but {len(camera)} orientations')
    return scene_index, position, camera


def in_parts(work: Callable[[slice], None], count: int, threads: int) -> None:
    """Call work(slice) for `count` rows, split over threads (the kernels release the GIL)."""
    if threads <= 1 or count < 2:
        work(slice(0, count))
        return
    edges = np.linspace(0, count, min(threads, count) + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, map(slice, edges[:-1], edges[1:])))
