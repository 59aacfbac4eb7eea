"""
The kernels behind the camera: inverse depth of primitives, row by row.

Depth t is measured along the optical axis, a pixel's ray is (1, u, v) in camera axes, and the
buffer holds q = 1 / t, nearest = largest, 0 = nothing. A flat face has q linear in u and v, and a
round one needs one square root, so the inner loops hold no division and no branch, and LLVM turns
them into vector instructions. A convex solid is hit where its entry (the smallest q over the
faces towards the camera) is nearer than its exit (the largest q over the faces turned away).
"""

from collections.abc import Callable
import math
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
import numpy as np

NEVER = np.float32(1e9)  # [1/m], the entry of a slab that the camera is inside of
ZERO = np.float32(0)
Entries = tuple[np.float32, ...]  # nine of a box, six of what is round


def _extreme(name: str) -> Callable[..., float]:
    """
    Make a function of two numbers from an LLVM intrinsic.

    What Python's max() compiles to, LLVM takes for a conditional store and makes a masked one,
    which is so slow on AMD's processors that all that vector instructions gain is lost.
    """

    @intrinsic
    def extreme(typingctx: Any, a: types.Type, b: types.Type) -> tuple[Any, Any]:
        def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
            kind = args[0].type
            function = builder.module.declare_intrinsic(
                name, [kind], ir.FunctionType(kind, [kind, kind])
            )
            return builder.call(function, args, fastmath=('fast',))

        return a(a, a), codegen

    return extreme


most, least = _extreme('llvm.maxnum'), _extreme('llvm.minnum')


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def slab(
    o: float, h: float, entry: np.ndarray, leave: np.ndarray, back: np.ndarray, axis: np.ndarray
) -> bool:
    """
    Write entry and exit of a slab |x| <= h as q = (k0, k1, k2) . (1, u, v); tell if inside.

    o is the camera's place across the slab, axis (3,) the slab's direction in camera axes.
    """
    outside = abs(o) > h
    near = (h if o > 0 else -h) - o
    far = (-h if o > 0 else h) - o
    if abs(near) < 1e-6:
        near = -1e-6 if (o > 0) == outside else 1e-6
    for k in range(3):
        entry[k] = axis[k] / near if outside else (NEVER if k == 0 else 0.0)
        leave[k] = axis[k] / far
        back[k] = axis[k] / far if outside else axis[k] / near
    return not outside


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def box_row(row: np.ndarray, u: np.ndarray, k: Entries, g: Entries, inside: bool) -> None:
    """Draw a row of a box: entries k[:3] + g[:3] u, exits k[3:] + g[3:] u."""
    k0, k1, k2, k3, k4, k5, k6, k7, k8 = k
    g0, g1, g2, g3, g4, g5, g6, g7, g8 = g
    for c in range(row.shape[0]):
        x = u[c]
        enter = least(least(k0 + g0 * x, k1 + g1 * x), k2 + g2 * x)
        leave = most(most(k3 + g3 * x, k4 + g4 * x), k5 + g5 * x)
        leave = most(most(leave, k6 + g6 * x), most(k7 + g7 * x, k8 + g8 * x))
        row[c] = most(row[c], (leave if inside else enter) if enter >= leave else ZERO)


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def draw_box(
    buffer: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    rect: np.ndarray,
    o: np.ndarray,
    axes: np.ndarray,
    half: np.ndarray,
    f: np.ndarray,
) -> None:
    """
    Draw a box; o (3,) is the camera in its axes, axes (3, 3) row k its axis k in camera's.

    f (10, 3) float32 is room for the linear forms that a row is made of.
    """
    inside = True
    for k in range(3):
        inside &= slab(o[k], half[k], f[k], f[3 + k], f[6 + k], axes[k])
    g = (f[0, 1], f[1, 1], f[2, 1], f[3, 1], f[4, 1], f[5, 1], f[6, 1], f[7, 1], f[8, 1])
    across = u[rect[2] : rect[3]]
    for r in range(rect[0], rect[1]):
        w = v[r]
        start = (
            f[0, 0] + f[0, 2] * w,
            f[1, 0] + f[1, 2] * w,
            f[2, 0] + f[2, 2] * w,
            f[3, 0] + f[3, 2] * w,
            f[4, 0] + f[4, 2] * w,
            f[5, 0] + f[5, 2] * w,
            f[6, 0] + f[6, 2] * w,
            f[7, 0] + f[7, 2] * w,
            f[8, 0] + f[8, 2] * w,
        )
        box_row(buffer[r][rect[2] : rect[3]], across, start, g, inside)


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def round_row(
    row: np.ndarray,
    u: np.ndarray,
    k: Entries,
    g: Entries,
    inv: np.float32,
    outside: bool,
    inside: bool,
) -> None:
    """Draw a row of a round solid from its linear forms; see draw_round."""
    b0, c0, c1, c2, m0, m1, m2, e0, x0, y0 = k
    b1, dc0, dc1, dc2, dm0, dm1, dm2, de, dx, dy = g
    for c in range(row.shape[0]):
        x = u[c]
        d0, d1, d2 = c0 + dc0 * x, c1 + dc1 * x, c2 + dc2 * x
        s0, s1, s2 = m0 + dm0 * x, m1 + dm1 * x, m2 + dm2 * x
        disc = s0 * s0 + s1 * s1 + s2 * s2 - d0 * d0 - d1 * d1 - d2 * d2
        root = math.sqrt(abs(disc)) * inv
        middle = b0 + b1 * x
        enter = least(middle + root if outside else NEVER, e0 + de * x)
        leave = most(middle - root, most(x0 + dx * x, y0 + dy * x))
        hit = (enter >= leave) & (disc >= ZERO)
        row[c] = most(row[c], (leave if inside else enter) if hit else ZERO)


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def draw_round(
    buffer: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    rect: np.ndarray,
    o: np.ndarray,
    axes: np.ndarray,
    half: np.ndarray,
    f: np.ndarray,
    capped: bool,
) -> None:
    """
    Draw a cylinder about axis 2 (capped) or a sphere; arguments as for draw_box.

    With l the ray in the solid's axes and gap = |o|^2 - radius^2, the surface is where
    gap q^2 + 2 (o . l) q + |l|^2 = 0. Its discriminant (o . l)^2 - gap |l|^2 is taken as
    radius^2 |l|^2 - |o x l|^2, which loses no digits far away.
    """
    caps = f[7:]
    if capped:
        inside = slab(o[2], half[2], caps[0], caps[1], caps[2], axes[2])
    else:
        inside = True
        caps[:] = 0
        caps[0, 0], caps[1, 0], caps[2, 0] = NEVER, -NEVER, -NEVER
    radius = half[0]
    ball = 0.0 if capped else 1.0  # whether axis 2 counts in the quadratic
    gap = o[0] * o[0] + o[1] * o[1] + ball * o[2] * o[2] - radius * radius
    outside = gap > 0
    inside &= not outside
    if abs(gap) < 1e-9:
        gap = 1e-9 if outside else -1e-9
    for k in range(3):
        f[0, k] = -(o[0] * axes[0, k] + o[1] * axes[1, k] + ball * o[2] * axes[2, k]) / gap
        f[1, k] = o[0] * axes[1, k] - o[1] * axes[0, k]
        f[2, k] = ball * (o[1] * axes[2, k] - o[2] * axes[1, k])
        f[3, k] = ball * (o[2] * axes[0, k] - o[0] * axes[2, k])
        f[4, k] = radius * axes[0, k]
        f[5, k] = radius * axes[1, k]
        f[6, k] = radius * ball * axes[2, k]
    inv = np.float32(1 / gap)
    g = (f[0, 1], f[1, 1], f[2, 1], f[3, 1], f[4, 1], f[5, 1], f[6, 1], f[7, 1], f[8, 1], f[9, 1])
    across = u[rect[2] : rect[3]]
    for r in range(rect[0], rect[1]):
        w = v[r]
        start = (
            f[0, 0] + f[0, 2] * w,
            f[1, 0] + f[1, 2] * w,
            f[2, 0] + f[2, 2] * w,
            f[3, 0] + f[3, 2] * w,
            f[4, 0] + f[4, 2] * w,
            f[5, 0] + f[5, 2] * w,
            f[6, 0] + f[6, 2] * w,
            f[7, 0] + f[7, 2] * w,
            f[8, 0] + f[8, 2] * w,
            f[9, 0] + f[9, 2] * w,
        )
        round_row(buffer[r][rect[2] : rect[3]], across, start, g, inv, outside, inside)


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def draw_plane(
    buffer: np.ndarray, u: np.ndarray, v: np.ndarray, o: float, axis: np.ndarray
) -> None:
    """Draw an infinite plane; o is the camera's place along its normal `axis` (3,)."""
    if abs(o) < 1e-6:
        o = 1e-6
    k0, k1, k2 = np.float32(-axis[0] / o), np.float32(-axis[1] / o), np.float32(-axis[2] / o)
    for r in range(v.shape[0]):
        row = buffer[r]
        start = k0 + k2 * v[r]
        for c in range(row.shape[0]):
            row[c] = most(row[c], start + k1 * u[c])
