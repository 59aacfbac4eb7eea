"""The camera: depth images of packed worlds, in batches, on the CPU."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from numba import njit
import numpy as np

from rapid_nav.sim.render.projection import draw, make_workspace
from rapid_nav.sim.render.shading import find_normals, shade
from rapid_nav.sim.render.views import make_views, Views
from rapid_nav.sim.worlds.primitives import Scenes


@njit(cache=True, nogil=True)
def _depth(views: Views, out: np.ndarray) -> None:
    scenes, workspace = views.scenes, make_workspace()
    for b in range(out.shape[0]):
        image, position, axes = out[b], views.position[b], views.axes[b]
        image[:] = 0
        s = views.scene_index[b]
        for p in range(scenes.offsets[s], scenes.offsets[s + 1]):
            draw(scenes, p, position, axes, views.u, views.v, image, workspace)
        to_depth(image)


@njit(cache=True, nogil=True)
def to_depth(image: np.ndarray) -> None:
    """Turn inverse depth (H, W) into depth, in place."""
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            q = image[r, c]
            image[r, c] = np.float32(1.0) / q if q > 0 else np.float32(np.inf)


@njit(cache=True, nogil=True)
def _layers(views: Views, out: np.ndarray, which: np.ndarray) -> None:
    scenes, workspace = views.scenes, make_workspace()
    before = np.empty(out.shape[1:], dtype=np.float32)
    for b in range(out.shape[0]):
        image, position, axes = out[b], views.position[b], views.axes[b]
        image[:] = 0
        before[:] = 0
        which[b] = -1
        first = scenes.offsets[views.scene_index[b]]
        for p in range(first, scenes.offsets[views.scene_index[b] + 1]):
            if not draw(scenes, p, position, axes, views.u, views.v, image, workspace):
                continue
            rect = workspace.rect
            for r in range(rect[0], rect[1]):
                for c in range(rect[2], rect[3]):
                    if image[r, c] > before[r, c]:
                        before[r, c] = image[r, c]
                        which[b, r, c] = p - first
        to_depth(image)


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

    position (B, 3) [m; NED] and orientation (B, 4) (w, x, y, z) place cameras whose x points
    ahead, y right and z down; fov is horizontal [rad]. `out` is written and returned if given.
    """
    views = make_views(scenes, scene_index, position, orientation, width, height, fov)
    shape = (len(views.position), height, width)
    if out is None:
        out = np.empty(shape, dtype=np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f'out must be a contiguous float32 array of shape {shape}')
    in_parts(lambda rows: _depth(views.part(rows), out[rows]), len(out), threads)
    return out


def render(views: Views, threads: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Return depth (B, H, W) float32 as render_depth does, and what lies at that depth.

    That is the primitive's row within its world, (B, H, W) int32, -1 for none, and its surface's
    normal, (B, H, W, 3) float32 in NED towards the camera, zero for none.
    """
    shape = (len(views.position), len(views.v), len(views.u))
    depth = np.empty(shape, dtype=np.float32)
    which = np.empty(shape, dtype=np.int32)
    normals = np.empty((*shape, 3), dtype=np.float32)

    def part(rows: slice) -> None:
        some = views.part(rows)
        _layers(some, depth[rows], which[rows])
        find_normals(some, depth[rows], which[rows], normals[rows])

    in_parts(part, len(depth), threads)
    return depth, which, normals


def depth_and_color(views: Views, threads: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return depth as render_depth does, and images for people (B, H, W, 3) uint8 RGB."""
    depth, which, normals = render(views, threads)
    picture = np.empty((*depth.shape, 3), dtype=np.uint8)
    shade(views, depth, which, normals, picture)
    return depth, picture


def in_parts(work: Callable[[slice], None], count: int, threads: int) -> None:
    """Call work(slice) for `count` rows, split over threads (the kernels release the GIL)."""
    if threads <= 1 or count < 2:
        work(slice(0, count))
        return
    edges = np.linspace(0, count, min(threads, count) + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, map(slice, edges[:-1], edges[1:])))
