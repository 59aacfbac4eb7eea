"""
Maps as ROS's map_server reads them: an image of occupancy, extruded into walls.

The map lies in ENU (x east, y north) with the origin at its lower left pixel; the world is its
NED. Whatever is not known to be free is solid.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rapid_nav.geometry import from_euler, LEVEL
from rapid_nav.sim.worlds.grid import largest_area, rectangles, shrink
from rapid_nav.sim.worlds.plan import Plan
from rapid_nav.sim.worlds.yaml_file import number, numbers

HEIGHT = 3.0  # [m], of walls and ceiling
MANY_BOXES, MOST_BOXES = 1500, 20000
COARSEST = 0.1  # [m/pixel], up to which a map with many boxes is made coarser
MOST_PIXELS = 2**26
DRONE = 0.3  # [m], how far from walls a place must be for a drone to fit
PLACES = 5000  # drawn for start poses to choose from
MODES = ('trinary', 'scale', 'raw')
WALL = (200, 192, 180)


def floor_plan(plan: Plan, path: Path, content: dict[str, Any]) -> None:
    """Draw up the building of a map; raise ValueError naming file, key and remedy."""
    resolution = number(str(path), content, 'resolution', low=1e-3, high=10)
    x, y, yaw = numbers(f'{path}: origin', content.get('origin', 'missing'), 3)
    solid = np.pad(occupancy(path, content), 1, constant_values=True)  # closed all around
    rim = resolution
    boxes = rectangles(solid)
    while len(boxes) > MANY_BOXES and 2 * resolution <= COARSEST:
        solid, resolution = shrink(solid), 2 * resolution
        boxes = rectangles(solid)
    if len(boxes) > MOST_BOXES:
        raise ValueError(
            f'{path}: its walls make {len(boxes)} boxes, more than {MOST_BOXES}; give a part of it'
        )
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


def occupancy(path: Path, content: dict[str, Any]) -> np.ndarray:
    """Return which cells are not known to be free, (rows from south, columns from west)."""
    mode = content.get('mode', 'trinary')
    if mode not in MODES:
        raise ValueError(f'{path}: mode is {mode!r}; choose one of {", ".join(MODES)}')
    free = number(str(path), content, 'free_thresh', 0.25, 0, 1)
    occupied = number(str(path), content, 'occupied_thresh', 0.65, 0, 1)
    if free >= occupied:
        raise ValueError(
            f'{path}: free_thresh {free} must be less than occupied_thresh {occupied}'
        )
    negate = content.get('negate', 0)
    if negate not in (0, 1):
        raise ValueError(f'{path}: negate is {negate!r}; write 0 or 1')
    value, clear = pixels(path, content)
    if mode == 'raw':
        solid = ~(value <= free * 100)
    else:
        share = value / 255 if negate else (255 - value) / 255
        solid = ~(share < free)
    if mode == 'scale':
        solid |= clear
    return solid[::-1]


def pixels(path: Path, content: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the image's brightness 0..255 (R, C) and where it is transparent (R, C)."""
    name = content.get('image')
    if not isinstance(name, str) or not name:
        raise ValueError(f"{path}: image is {name!r}; name the map's .pgm or .png file")
    image_path = path.parent / name
    if not image_path.is_file():
        raise FileNotFoundError(
            f'{path}: its image {image_path} does not exist; keep both files together'
        )
    try:
        with Image.open(image_path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f'{image.width} x {image.height} pixels are too many')
            rgba = np.asarray(image.convert('RGBA'))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f'{path}: its image {image_path} cannot be read: {error}') from None
    return rgba[..., :3].mean(axis=-1, dtype=np.float32), rgba[..., 3] < 255
