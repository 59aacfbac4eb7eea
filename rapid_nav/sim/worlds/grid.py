"""Cover the solid cells of a grid with few rectangles."""

from numba import njit
import numpy as np


@njit(cache=True, nogil=True)
def _all(solid: np.ndarray, r0: int, r1: int, c0: int, c1: int) -> bool:
    """Tell whether a rectangle is solid throughout."""
    for r in range(r0, r1):
        for c in range(c0, c1):
            if not solid[r, c]:
                return False
    return True


@njit(cache=True, nogil=True)
def _gain(needed: np.ndarray, box: tuple[int, int, int, int]) -> int:
    """Count the needed cells of a rectangle."""
    count = 0
    for r in range(box[0], box[1]):
        for c in range(box[2], box[3]):
            count += needed[r, c]
    return count


@njit(cache=True, nogil=True)
def _grow(solid: np.ndarray, r: int, c: int, down_first: bool) -> tuple[int, int, int, int]:
    """Return the rectangle [r0, r1) x [c0, c1) grown from a cell, one way after the other."""
    rows, cols = solid.shape
    r0, r1, c0, c1 = r, r + 1, c, c + 1
    for way in range(2):
        if (way == 0) == down_first:
            while r1 < rows and _all(solid, r1, r1 + 1, c0, c1):
                r1 += 1
            while r0 > 0 and _all(solid, r0 - 1, r0, c0, c1):
                r0 -= 1
        else:
            while c1 < cols and _all(solid, r0, r1, c1, c1 + 1):
                c1 += 1
            while c0 > 0 and _all(solid, r0, r1, c0 - 1, c0):
                c0 -= 1
    return r0, r1, c0, c1


@njit(cache=True, nogil=True)
def _cover(solid: np.ndarray, needed: np.ndarray, out: np.ndarray) -> int:
    """Write up to N rectangles (N, 4) that cover the needed cells and no free one; count them."""
    rows, cols = solid.shape
    count = 0
    for r in range(rows):
        for c in range(cols):
            if not needed[r, c]:
                continue
            if count == len(out):
                return count
            a = _grow(solid, r, c, True)
            b = _grow(solid, r, c, False)
            best = a if _gain(needed, a) >= _gain(needed, b) else b
            for i in range(best[0], best[1]):
                for j in range(best[2], best[3]):
                    needed[i, j] = False
            for k in range(4):
                out[count, k] = best[k]
            count += 1
    return count


def shrink(solid: np.ndarray) -> np.ndarray:
    """Halve a grid (R, C); a cell is solid if any of the four it replaces was."""
    rows, cols = (n + n % 2 for n in solid.shape)
    even = np.ones((rows, cols), dtype=np.bool_)
    even[: solid.shape[0], : solid.shape[1]] = solid
    return np.asarray(even.reshape(rows // 2, 2, cols // 2, 2).any(axis=(1, 3)))


@njit(cache=True, nogil=True)
def _areas(free: np.ndarray, label: np.ndarray, stack: np.ndarray) -> int:
    """Number the connected areas of free cells from 1 in `label`; return the largest's number."""
    rows, cols = free.shape
    count, best, best_size = 0, 0, 0
    for seed in range(rows * cols):
        if not free[seed // cols, seed % cols] or label[seed // cols, seed % cols]:
            continue
        count += 1
        label[seed // cols, seed % cols] = count
        stack[0] = seed
        top, size = 1, 0
        while top:
            top -= 1
            size += 1
            r, c = stack[top] // cols, stack[top] % cols
            for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                a, b = r + dr, c + dc
                inside = 0 <= a < rows and 0 <= b < cols
                if inside and free[a, b] and not label[a, b]:
                    label[a, b] = count
                    stack[top] = a * cols + b
                    top += 1
        if size > best_size:
            best, best_size = count, size
    return best


def largest_area(free: np.ndarray, margin: int) -> np.ndarray:
    """Return the largest connected set of cells (R, C) that are `margin` cells from solid ones."""
    for _ in range(margin):
        padded = np.pad(free, 1)
        free = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2]
        free &= padded[1:-1, 2:]
    free = np.ascontiguousarray(free)
    label = np.zeros(free.shape, dtype=np.int32)
    best = _areas(free, label, np.empty(free.size, dtype=np.int32))
    return np.asarray(free & (label == best))


def rectangles(solid: np.ndarray, most: int | None = None) -> np.ndarray:
    """
    Return few rectangles (N, 4) int64 [r0, r1) x [c0, c1) that look like the solid cells (R, C).

    The search ends with `most` and one.

    Every solid cell with a free neighbour is covered and no free one is; cells deep inside
    solid areas, which no drone sees or reaches, may stay uncovered. Rectangles may overlap.
    """
    solid = np.ascontiguousarray(solid, dtype=np.bool_)
    free = np.pad(~solid, 1)
    beside = np.zeros_like(solid)
    for dr in range(3):
        for dc in range(3):
            beside |= free[dr : dr + solid.shape[0], dc : dc + solid.shape[1]]
    needed = solid & beside
    limit = int(needed.sum()) if most is None else most + 1
    out = np.empty((limit, 4), dtype=np.int64)
    return out[: _cover(solid, needed, out)].copy()
