"""
The kernels behind the camera: inverse depth of primitives on the screen rectangles they cover.

Depth t is measured along the optical axis, a pixel's ray is (1, u, v) in camera axes, and the
buffer holds q = 1 / t, nearest = largest, 0 = nothing. A flat face has q linear in u and v, and a
round one needs one square root, so the inner loops hold no division and no branch, and LLVM turns
them into vector instructions. A convex solid is hit where its entry (the smallest q over the
faces towards the camera) is nearer than its exit (the largest q over the faces turned away).
"""

import math

from numba import njit
import numpy as np

from rapid_nav.sim.shapes import BOX, CYLINDER, PLANE, Scenes, SPHERE

NEVER = np.float32(1e9)  # [1/m], the entry of a slab that the camera is inside of
NEAR = 1e-3  # [m], what lies nearer is cut off when a screen rectangle is computed


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def screen_rectangle(
    middle: np.ndarray, axes: np.ndarray, u: np.ndarray, v: np.ndarray, rect: np.ndarray
) -> bool:
    """
    Write the rows and columns [r0, r1, c0, c1) that a box can cover; tell whether there are any.

    middle (3,) and axes (3, 3) (column k: half extent along axis k) are in camera axes; u (W,)
    and v (H,) are the slopes of the pixels' rays.
    """
    corners = np.empty((8, 3))
    u0 = v0 = np.inf
    u1 = v1 = -np.inf
    for i in range(8):
        for k in range(3):
            corners[i, k] = (
                middle[k]
                + (axes[k, 0] if i & 1 else -axes[k, 0])
                + (axes[k, 1] if i & 2 else -axes[k, 1])
                + (axes[k, 2] if i & 4 else -axes[k, 2]))
    for i in range(8):
        x, y, z = corners[i]
        if x >= NEAR:
            u0, u1 = min(u0, y / x), max(u1, y / x)
            v0, v1 = min(v0, z / x), max(v1, z / x)
        for bit in (1, 2, 4):
            j = i ^ bit
            if (x < NEAR) and (corners[j, 0] >= NEAR):
                s = (NEAR - x) / (corners[j, 0] - x)
                y_cut = (y + s * (corners[j, 1] - y)) / NEAR
                z_cut = (z + s * (corners[j, 2] - z)) / NEAR
                u0, u1 = min(u0, y_cut), max(u1, y_cut)
                v0, v1 = min(v0, z_cut), max(v1, z_cut)
    width, height = u.shape[0], v.shape[0]
    if u0 > u[width - 1] or u1 < u[0] or v0 > v[height - 1] or v1 < v[0]:
        return False
    du = (width - 1) / (u[width - 1] - u[0]) if width > 1 else 1.0
    dv = (height - 1) / (v[height - 1] - v[0]) if height > 1 else 1.0
    # One pixel of slack: a pixel too many costs nothing, one too few is a hole.
    rect[0] = int(min(max((v0 - v[0]) * dv - 1, 0.0), height - 1.0))
    rect[1] = int(min(max((v1 - v[0]) * dv + 2, 0.0), float(height)))
    rect[2] = int(min(max((u0 - u[0]) * du - 1, 0.0), width - 1.0))
    rect[3] = int(min(max((u1 - u[0]) * du + 2, 0.0), float(width)))
    return True


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
def draw_box(
    buffer: np.ndarray, u: np.ndarray, v: np.ndarray, rect: np.ndarray,
    o: np.ndarray, axes: np.ndarray, half: np.ndarray,
) -> None:
    """Draw a box; o (3,) is the camera in its axes, axes (3, 3) row k its axis k in camera's."""
    f = np.empty((9, 3), dtype=np.float32)
    inside = True
    for k in range(3):
        inside &= slab(o[k], half[k], f[k], f[3 + k], f[6 + k], axes[k])
    for r in range(rect[0], rect[1]):
        row = buffer[r]
        w = v[r]
        e0, e1, e2 = (f[0, 0] + f[0, 2] * w, f[1, 0] + f[1, 2] * w, f[2, 0] + f[2, 2] * w)
        x0, x1, x2 = (f[3, 0] + f[3, 2] * w, f[4, 0] + f[4, 2] * w, f[5, 0] + f[5, 2] * w)
        b0, b1, b2 = (f[6, 0] + f[6, 2] * w, f[7, 0] + f[7, 2] * w, f[8, 0] + f[8, 2] * w)
        for c in range(rect[2], rect[3]):
            g = u[c]
            enter = min(e0 + f[0, 1] * g, min(e1 + f[1, 1] * g, e2 + f[2, 1] * g))
            leave = max(
                max(x0 + f[3, 1] * g, max(x1 + f[4, 1] * g, x2 + f[5, 1] * g)),
                max(b0 + f[6, 1] * g, max(b1 + f[7, 1] * g, b2 + f[8, 1] * g)))
            q = leave if inside else enter
            q = q if enter >= leave else np.float32(0.0)
            row[c] = max(row[c], q)


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def draw_round(
    buffer: np.ndarray, u: np.ndarray, v: np.ndarray, rect: np.ndarray,
    o: np.ndarray, axes: np.ndarray, half: np.ndarray, capped: bool,
) -> None:
    """Draw a cylinder about axis 2 (capped) or a sphere; arguments as for draw_box."""
    f = np.empty((3, 3), dtype=np.float32)
    inside = slab(o[2], half[2], f[0], f[1], f[2], axes[2]) if capped else True
    radius = half[0]
    depth = 0.0 if capped else 1.0  # whether axis 2 counts in the quadratic
    gap = o[0] * o[0] + o[1] * o[1] + depth * o[2] * o[2] - radius * radius
    outside = gap > 0
    inside &= not outside
    if abs(gap) < 1e-9:
        gap = 1e-9 if outside else -1e-9
    # With l the ray in the solid's axes: b = o . l, cross = o x l, area = |l|^2 (radius^2).
    # b^2 - gap |l|^2 = radius^2 |l|^2 - |o x l|^2 loses no digits far away, the left side does.
    inv = np.float32(1 / gap)
    b = np.empty(3, dtype=np.float32)
    cr = np.empty((3, 3), dtype=np.float32)
    m = np.empty((3, 3), dtype=np.float32)
    for k in range(3):
        b[k] = -(o[0] * axes[0, k] + o[1] * axes[1, k] + depth * o[2] * axes[2, k]) / gap
        cr[0, k] = o[0] * axes[1, k] - o[1] * axes[0, k]
        cr[1, k] = depth * (o[1] * axes[2, k] - o[2] * axes[1, k])
        cr[2, k] = depth * (o[2] * axes[0, k] - o[0] * axes[2, k])
        m[0, k] = radius * axes[0, k]
        m[1, k] = radius * axes[1, k]
        m[2, k] = radius * depth * axes[2, k]
    zero = np.float32(0.0)
    for r in range(rect[0], rect[1]):
        row = buffer[r]
        w = v[r]
        b0 = b[0] + b[2] * w
        c0, c1, c2 = (cr[0, 0] + cr[0, 2] * w, cr[1, 0] + cr[1, 2] * w, cr[2, 0] + cr[2, 2] * w)
        m0, m1, m2 = (m[0, 0] + m[0, 2] * w, m[1, 0] + m[1, 2] * w, m[2, 0] + m[2, 2] * w)
        e0, x0, y0 = (f[0, 0] + f[0, 2] * w, f[1, 0] + f[1, 2] * w, f[2, 0] + f[2, 2] * w)
        for c in range(rect[2], rect[3]):
            g = u[c]
            d0, d1, d2 = c0 + cr[0, 1] * g, c1 + cr[1, 1] * g, c2 + cr[2, 1] * g
            s0, s1, s2 = m0 + m[0, 1] * g, m1 + m[1, 1] * g, m2 + m[2, 1] * g
            disc = s0 * s0 + s1 * s1 + s2 * s2 - d0 * d0 - d1 * d1 - d2 * d2
            root = np.float32(math.sqrt(max(disc, zero))) * inv
            middle = b0 + b[1] * g
            enter = middle + root
            leave = middle - root
            if capped:
                enter = min(enter if outside else NEVER, e0 + f[0, 1] * g)
                leave = max(leave, max(x0 + f[1, 1] * g, y0 + f[2, 1] * g))
            else:
                enter = enter if outside else NEVER
            q = leave if inside else enter
            hit = (disc >= zero) & (enter >= leave)
            q = q if hit else zero
            row[c] = max(row[c], q)


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
        for c in range(u.shape[0]):
            row[c] = max(row[c], start + k1 * u[c])


@njit(cache=True, nogil=True, fastmath=True, error_model='numpy')
def draw(
    scenes: Scenes, p: int, position: np.ndarray, camera: np.ndarray,
    u: np.ndarray, v: np.ndarray, buffer: np.ndarray, rect: np.ndarray,
) -> bool:
    """
    Draw primitive p seen from position (3,) with camera axes (3, 3) -> NED.

    Returns whether it may be in view; then rect (4,) holds the rows and columns it was drawn in.
    """
    kind = scenes.kind[p]
    rotation = scenes.rotation[p]
    delta = scenes.center[p] - position
    middle = np.empty(3)
    o = np.empty(3)
    for k in range(3):
        middle[k] = camera[0, k] * delta[0] + camera[1, k] * delta[1] + camera[2, k] * delta[2]
        o[k] = -(
            rotation[0, k] * delta[0] + rotation[1, k] * delta[1] + rotation[2, k] * delta[2])
    axes = np.empty((3, 3))
    if kind == PLANE:
        for k in range(3):
            axes[2, k] = (
                rotation[0, 2] * camera[0, k] + rotation[1, 2] * camera[1, k]
                + rotation[2, 2] * camera[2, k])
        rect[0], rect[1], rect[2], rect[3] = 0, v.shape[0], 0, u.shape[0]
        draw_plane(buffer, u, v, o[2], axes[2])
        return True
    bound = scenes.bound[p]
    if middle[0] < -bound:
        return False
    tu = float(u[u.shape[0] - 1])
    tv = float(v[v.shape[0] - 1])
    if abs(middle[1]) - tu * middle[0] > bound * math.sqrt(1 + tu * tu):
        return False
    if abs(middle[2]) - tv * middle[0] > bound * math.sqrt(1 + tv * tv):
        return False
    half = scenes.half[p]
    extent = np.zeros((3, 3))
    for i in range(3):
        for k in range(3):
            axes[i, k] = (
                rotation[0, i] * camera[0, k] + rotation[1, i] * camera[1, k]
                + rotation[2, i] * camera[2, k])
            extent[k, i] = axes[i, k] * half[i]
    if kind == SPHERE:
        for i in range(3):
            for k in range(3):
                extent[k, i] = half[0] if i == k else 0.0
    if not screen_rectangle(middle, extent, u, v, rect):
        return False
    if kind == BOX:
        draw_box(buffer, u, v, rect, o, axes, half)
    else:
        draw_round(buffer, u, v, rect, o, axes, half, kind == CYLINDER)
    return True
