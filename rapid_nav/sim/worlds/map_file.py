"""
Maps as ROS's map_server reads them: an image of occupancy, extruded into walls.

The map lies in ENU (x east, y north) with the origin at its lower left pixel; the world is its
NED. Whatever is not known to be free is solid.
"""

import io
import math
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct
import numpy as np
from PIL import Image

from rapid_nav.geometry import from_euler, LEVEL
from rapid_nav.sim.outside import convert, read_bytes
from rapid_nav.sim.worlds.grid import largest_area, rectangles, shrink
from rapid_nav.sim.worlds.plan import Plan

HEIGHT = 3.0  # [m], of walls and ceiling
MANY_BOXES, MOST_BOXES = 1500, 20000
COARSEST = 0.1  # [m/pixel], up to which a map with many boxes is made coarser
MOST_PIXELS = 2**26
DRONE = 0.3  # [m], how far from walls a place must be for a drone to fit
PLACES = 5000  # drawn for start poses to choose from
MOST_IMAGE_BYTES = 64 * 2**20
FORMATS = ('PPM', 'PNG', 'BMP', 'GIF', 'JPEG', 'TIFF')  # of Pillow
MODES = ('trinary', 'scale', 'raw')
WALL = (200, 192, 180)
Share = Annotated[float, Meta(ge=0, le=1)]
Coordinate = Annotated[float, Meta(ge=-1e4, le=1e4)]  # [m, rad]


class MapKeys(Struct):
    """What a map_server file says; other keys are for others."""

    image: Annotated[str, Meta(min_length=1, max_length=1000)]
    resolution: Annotated[float, Meta(ge=1e-3, le=10)]  # [m/pixel]
    origin: tuple[Coordinate, Coordinate, Coordinate]  # x, y [m; ENU], yaw [rad]
    mode: str = 'trinary'
    free_thresh: Share = 0.25
    occupied_thresh: Share = 0.65
    negate: int | bool = 0


def floor_plan(plan: Plan, path: Path, content: dict[str, Any]) -> None:
    """Draw up the building of a map; raise ValueError naming file, key and remedy."""
    about = convert(content, MapKeys, str(path))
    (x, y, yaw), rim, resolution = about.origin, about.resolution, about.resolution
    solid = np.pad(occupancy(path, about), 1, constant_values=True)  # closed all around
    while 2 * resolution <= COARSEST and len(rectangles(solid, MANY_BOXES)) > MANY_BOXES:
        solid, resolution = shrink(solid), 2 * resolution
    boxes = rectangles(solid, MOST_BOXES)
    if len(boxes) > MOST_BOXES:
        raise ValueError(f'{path}: its walls make more than {MOST_BOXES} boxes; give a part of it')
    if solid.all():
        raise ValueError(f'{path}: nothing in the map is free; check its thresholds and negate')
    plan.shades = 0.03  # many boxes make one wall
    turn, level = (math.cos(yaw), math.sin(yaw)), from_euler(yaw=-yaw) if yaw else LEVEL

    def place(along: Any, up: Any) -> tuple[Any, Any]:
        along, up = along - rim, up - rim
        east = x + turn[0] * along - turn[1] * up
        north = y + turn[1] * along + turn[0] * up
        return north, east

    # Rows were flipped, so they count up along the map's y, columns along its x.
    for r0, r1, c0, c1 in boxes * resolution:
        north, east = place((c0 + c1) / 2, (r0 + r1) / 2)
        plan.add(
            'box', 'wall', (north, east, -HEIGHT / 2), (r1 - r0, c1 - c0, HEIGHT), WALL, level
        )
    size = max(solid.shape) * resolution
    middle = place(solid.shape[1] * resolution / 2, solid.shape[0] * resolution / 2)
    plan.floor(size, middle=middle)
    plan.ceiling(size, HEIGHT, middle=middle)
    cells = np.flatnonzero(largest_area(~solid, math.ceil(DRONE / resolution)))
    if not len(cells):
        raise ValueError(
            f'{path}: no free area is wider than {2 * DRONE} m, so a drone fits nowhere; '
            'check resolution and thresholds'
        )
    cells = cells[plan.rng.integers(len(cells), size=PLACES)]
    rows, columns = np.unravel_index(cells, solid.shape)
    spots = np.stack([rows, columns], axis=1) + plan.rng.uniform(size=(PLACES, 2))
    up, along = spots.T * resolution
    plan.start_places = np.stack(place(along, up), axis=1)


def occupancy(path: Path, about: MapKeys) -> np.ndarray:
    """Return which cells are not known to be free, (rows from south, columns from west)."""
    if about.mode not in MODES:
        raise ValueError(f'{path}: mode is {about.mode!r:.100}; choose one of {", ".join(MODES)}')
    if about.negate not in (0, 1):
        raise ValueError(f'{path}: negate is {about.negate}; write 0 or 1')
    if about.free_thresh >= about.occupied_thresh:
        raise ValueError(
            f'{path}: free_thresh {about.free_thresh} must be less than occupied_thresh '
            f'{about.occupied_thresh}'
        )
    value, clear = pixels(path, about.image)
    if about.mode == 'raw':
        solid = ~(value <= about.free_thresh * 100)
    else:
        share = value / 255 if about.negate else (255 - value) / 255
        solid = ~(share < about.free_thresh)
    if about.mode == 'scale':
        solid |= clear
    return solid[::-1]


def pixels(path: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the image's brightness 0..255 (R, C) and where it is transparent (R, C)."""
    image_path = path.parent / name
    data = read_bytes(image_path, MOST_IMAGE_BYTES, f'keep the image of {path} beside it')
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(
                    f'{image.width} x {image.height} pixels are more than {MOST_PIXELS}; '
                    'give a part of it'
                )
            if image.mode in ('1', 'L'):
                value = np.asarray(image.convert('L'), np.float32)
                return value, np.zeros(value.shape, bool)
            rgba = np.asarray(image.convert('RGBA'))
    except Exception as error:  # decoders have many kinds
        raise ValueError(
            f'{path}: its image {image_path} cannot be read: {error!s:.200}'
        ) from None
    return rgba[..., :3].mean(axis=-1, dtype=np.float32), rgba[..., 3] < 255
