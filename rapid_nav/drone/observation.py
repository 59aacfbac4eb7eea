"""From images to an observation: small, depth as nearness, with a short history."""

from dataclasses import dataclass
import functools

import numpy as np

from rapid_nav.drone.rgb import check_rgb, resize
from rapid_nav.options import check, setting


class BadDepth(ValueError):
    """A depth image that must not be flown by."""


@dataclass(frozen=True)
class ObservationConfig:
    """How an image becomes an observation (C, H, W) uint8."""

    kind: str = setting(
        'depth', 'Kind of image: depth, seen as nearness, or rgb.', choices=('depth', 'rgb')
    )
    width: int = setting(64, 'Width of the observation.', unit='px', low=4, high=512)
    height: int = setting(36, 'Height of the observation.', unit='px', low=4, high=512)
    history: int = setting(3, 'Number of images in an observation.', low=1, high=16)
    half_depth: float = setting(
        2.0, 'Depth whose nearness is half of that of touching.', unit='m', low=0.05, high=100.0
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The observation's shape (C, H, W)."""
        return (self.history * self.channels, self.height, self.width)

    @property
    def channels(self) -> int:
        """The channels of one image."""
        return 3 if self.kind == 'rgb' else 1


def check_depth(depth: np.ndarray) -> None:
    """Raise BadDepth for an image (H, W) that is empty, all zero, or has a NaN in it."""
    if depth.ndim != 2 or depth.size < 2:
        raise BadDepth(f'the depth image is empty: its shape is {depth.shape}')
    # One reduction finds both: a NaN spreads through the sum, and only zeros add up to zero.
    total = float(depth.sum(dtype=np.float64))
    if np.isnan(total):
        raise BadDepth(f'{int(np.isnan(depth).sum())} of {depth.size} pixels are NaN')
    if total <= 0.0:
        raise BadDepth('the depth image is all zero')


def shrink(depth: np.ndarray, height: int, width: int) -> np.ndarray:
    """
    Return depth (..., H, W) as (..., height, width), each pixel the nearest of what it covers.

    The minimum and not the mean: a branch two pixels wide must not fade into the sky behind it.
    """
    rows, columns = depth.shape[-2:]
    if rows % height == 0 and columns % width == 0:
        # Whole slices against each other: many times faster than a reduction over short axes.
        down, across = rows // height, columns // width
        tall = functools.reduce(np.minimum, [depth[..., i::down, :] for i in range(down)])
        least: np.ndarray = functools.reduce(
            np.minimum, [tall[..., i::across] for i in range(across)]
        )
        return least
    if rows < height or columns < width:
        # A camera with fewer pixels than the observation: each is seen several times.
        row = np.arange(height) * rows // height
        column = np.arange(width) * columns // width
        return depth[..., row[:, None], column]
    depth = np.minimum.reduceat(depth, np.arange(height) * rows // height, axis=-2)
    return np.minimum.reduceat(depth, np.arange(width) * columns // width, axis=-1)


def nearness(depth: np.ndarray, half_depth: float) -> np.ndarray:
    """Map depth [m] to uint8: 255 touching, 128 at half_depth, 0 at infinity."""
    seen: np.ndarray = np.rint(255.0 / (1.0 + np.maximum(depth, 0.0) / half_depth))
    return seen.astype(np.uint8)


def frame_of(image: np.ndarray, config: ObservationConfig) -> np.ndarray:
    """
    Return an image as the network sees it (c, h, w) uint8.

    The image is depth (H, W) [m], or RGB (H, W, 3) uint8. Raises BadDepth or BadRgb for one
    that must not be flown by.
    """
    if config.kind == 'rgb':
        check_rgb(image)
        return resize(image, config.height, config.width).transpose(2, 0, 1)
    check_depth(image)
    return nearness(shrink(image, config.height, config.width), config.half_depth)[None]


class History:
    """The last images of a flight as one observation; the first stands in for those before it."""

    def __init__(self, config: ObservationConfig) -> None:
        self.config = config
        self.frames: list[np.ndarray] = []

    def reset(self) -> None:
        """Forget the flight."""
        self.frames = []

    def push(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """
        Take an image, see `frame_of`, and return the observation (1, C, h, w) in [0, 1], float32.

        It is written to `out`, if there is one. Raises as `frame_of` does, and changes nothing
        then.
        """
        frame = frame_of(image, self.config)
        if not self.frames:
            self.frames = [frame] * self.config.history
        self.frames = [*self.frames[1:], frame]
        frames = np.concatenate(self.frames)[None]
        observation: np.ndarray = np.divide(frames, np.float32(255), out=out)
        return observation
