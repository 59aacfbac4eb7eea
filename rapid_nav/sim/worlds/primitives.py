"""The primitives a world is made of, and their form as flat arrays for the numba kernels."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
from typing import NamedTuple

import numpy as np

from rapid_nav.sim.rotation_kernels import rotation_matrices

KINDS = ('box', 'cylinder', 'sphere', 'plane')
BOX, CYLINDER, SPHERE, PLANE = range(4)


@dataclass(frozen=True)
class Primitive:
    """
    One solid with a full pose, in NED metres.

    box: `size` are its full extents. cylinder: size (diameter, diameter, height),
    axis along its z.
    sphere: size (diameter,) * 3. plane: everything on the +z side of its own x-y plane is solid
    (unrotated, the ground below `position`); its size only tells how much of it to draw.
    """

    kind: str
    name: str
    position: tuple[float, ...]  # (x, y, z) [m; NED], the centre
    orientation: tuple[float, ...]  # (w, x, y, z), own axes -> NED
    size: tuple[float, ...]  # (x, y, z) [m], full extents
    color: tuple[int, ...]  # (red, green, blue), 0..255

    def __post_init__(self) -> None:
        """Check what a scene file or a client may get wrong and settle the number types."""
        if self.kind not in KINDS:
            raise ValueError(
                f'{self.name}: unknown kind {self.kind!r}; choose one of {", ".join(KINDS)}'
            )
        for field, length in (('position', 3), ('orientation', 4), ('size', 3)):
            object.__setattr__(self, field, self._numbers(field, length))
        object.__setattr__(self, 'color', tuple(int(c) for c in self._numbers('color', 3)))
        if min(self.color) < 0 or max(self.color) > 255:
            raise ValueError(f'{self.name}: color is {self.color}; it must lie in 0..255')
        if min(self.size) <= 0:
            raise ValueError(f'{self.name}: size is {self.size}; it must be positive')
        round_in = {'cylinder': 2, 'sphere': 3}.get(self.kind, 1)
        if max(self.size[:round_in]) - min(self.size[:round_in]) > 1e-6:
            raise ValueError(
                f'{self.name}: a {self.kind} is round; its first {round_in} sizes must be equal, '
                f'not {self.size}'
            )
        norm = math.sqrt(sum(c * c for c in self.orientation))
        if norm < 1e-6:
            raise ValueError(f'{self.name}: orientation {self.orientation} is no rotation')
        object.__setattr__(self, 'orientation', tuple(c / norm for c in self.orientation))

    def _numbers(self, field: str, length: int) -> tuple[float, ...]:
        """Return a field as floats, or raise ValueError naming primitive and field."""
        value = getattr(self, field)
        try:
            numbers = tuple(float(v) for v in value)
        except (TypeError, ValueError):
            numbers = ()
        if len(numbers) != length or not all(map(math.isfinite, numbers)):
            raise ValueError(f'{self.name}: {field} is {value!r}; give {length} finite numbers')
        return numbers


class Scenes(NamedTuple):
    """Primitives of S worlds behind each other; world s owns rows offsets[s] to offsets[s + 1]."""

    offsets: np.ndarray  # (S + 1,) int64
    kind: np.ndarray  # (P,) int8
    center: np.ndarray  # (P, 3) float64 [m; NED]
    rotation: np.ndarray  # (P, 3, 3) float64, own axes -> NED
    half: np.ndarray  # (P, 3) float64 [m], half extents
    bound: np.ndarray  # (P,) float64 [m], radius of the bounding sphere, inf for a plane
    color: np.ndarray  # (P, 3) uint8


def pack_primitives(primitives: Sequence[Primitive]) -> Scenes:
    """Return primitives as the arrays of one scene."""
    half = np.array([p.size for p in primitives], dtype=np.float64).reshape(-1, 3) / 2
    kind = np.array([KINDS.index(p.kind) for p in primitives], dtype=np.int8)
    bound = np.select(
        [kind == BOX, kind == CYLINDER, kind == SPHERE],
        [np.sqrt((half**2).sum(axis=1)), np.hypot(half[:, 0], half[:, 2]), half[:, 0]],
        np.inf,
    )
    return Scenes(
        offsets=np.array([0, len(primitives)], dtype=np.int64),
        kind=kind,
        center=np.array([p.position for p in primitives], dtype=np.float64).reshape(-1, 3),
        rotation=rotation_matrices(np.array([p.orientation for p in primitives])),
        half=half,
        bound=bound,
        color=np.array([p.color for p in primitives], dtype=np.uint8).reshape(-1, 3),
    )
