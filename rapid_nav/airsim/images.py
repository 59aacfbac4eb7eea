"""AirSim's images as arrays, or BadImage that says why one is none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCENE, DEPTH_PLANAR = 0, 1  # AirSim's ImageType
NO_HIT = 65504.0  # [m] the largest half float: AirSim's depth of the sky
Pictures = dict[int, np.ndarray]  # (H, W) or (H, W, 3) by ImageType


class BadImage(ValueError):
    """The simulator's image is not one; says what is wrong with it."""


def pictures(raw: Any, types: Sequence[int]) -> tuple[int, Pictures]:
    """Return the stamp [ns] and each image by its type, of the raw answer to simGetImages."""
    try:
        if len(raw) != len(types):
            raise BadImage(f'{len(types)} images asked, {len(raw)} came')
        found: Pictures = {kind: _READ[kind](one) for kind, one in zip(types, raw, strict=True)}
        return int(raw[0]['time_stamp']), found
    except BadImage:
        raise
    except (TypeError, ValueError, LookupError) as error:
        raise BadImage(f'the answer is no image: {error!r}') from error


def depth_image(response: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the (H, W) depth [m] of an ImageResponse with floats, +inf where nothing was hit."""
    flat = np.asarray(response['image_data_float'], np.float32)
    depth = flat.reshape(_shape(response, flat.size, 1)[:2])
    if not flat.any():
        raise BadImage('the depth image is all zero')
    return np.where(depth >= NO_HIT, np.float32(np.inf), depth)  # NaN stays NaN


def rgb_image(response: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the (H, W, 3) RGB of an uncompressed ImageResponse, whose bytes are B, G, R."""
    flat = np.frombuffer(response['image_data_uint8'], np.uint8)
    picture = flat.reshape(_shape(response, flat.size, 3))[..., ::-1]
    if not flat.any():
        raise BadImage('the colour image is all zero')
    return picture


def _shape(response: Mapping[str, Any], got: int, channels: int) -> tuple[int, int, int]:
    """Return height, width and channels if there are as many values."""
    width, height = response['width'], response['height']
    expected = width * height * channels
    if width <= 0 or height <= 0 or got != expected:
        message = response.get('message')
        said = f'; the simulator says: {message}' if message else ''
        raise BadImage(f'a {width}x{height} image should have {expected} values, not {got}{said}')
    return height, width, channels


_READ: dict[int, Callable[[Any], np.ndarray]] = {DEPTH_PLANAR: depth_image, SCENE: rgb_image}
