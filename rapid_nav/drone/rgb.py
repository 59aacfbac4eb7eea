"""Colour images: whether one can be flown by, and its resizing."""

import functools

import numpy as np


class BadRgb(ValueError):
    """A colour image that must not be flown by."""


def check_rgb(picture: np.ndarray) -> None:
    """Raise BadRgb for an image that is not (H, W, 3) uint8, or is all black."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise BadRgb(f'no colour image: {picture.dtype} of shape {picture.shape}')
    if not picture.any():
        raise BadRgb(f'the colour image is empty or all black: its shape is {picture.shape}')


def resize(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return an image (H, W, 3) uint8 as (height, width, 3), interpolated bilinearly."""
    if picture.shape[:2] == (height, width):
        return picture
    top, bottom, down = _neighbours(picture.shape[0], height)
    left, right, across = _neighbours(picture.shape[1], width)
    rows = picture[top] * (1 - down)[:, None, None] + picture[bottom] * down[:, None, None]
    across = across[:, None]
    resized: np.ndarray = np.rint(rows[:, left] * (1 - across) + rows[:, right] * across)
    return resized.astype(np.uint8)


@functools.lru_cache(maxsize=16)
def _neighbours(have: int, want: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the two pixels that each wanted one lies between, and its distance from the first."""
    place = np.clip((np.arange(want) + 0.5) * have / want - 0.5, 0, have - 1)
    first = np.floor(place).astype(np.int64)
    return first, np.minimum(first + 1, have - 1), (place - first).astype(np.float32)
