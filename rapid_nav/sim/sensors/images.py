"""AirSim's images: what a camera sees, in each of its image types and encodings."""

from dataclasses import dataclass
from functools import cache, cached_property
import io
import math
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.render import camera
from rapid_nav.sim.render.views import make_views, slopes
from rapid_nav.sim.rotation_kernels import rotation_matrices
from rapid_nav.sim.rpc.arguments import BadCast, boolean, integer, Pose, text
from rapid_nav.sim.rpc.structs import Map, quaternion4, vector3
from rapid_nav.sim.vehicle import Vehicle
from rapid_nav.sim.worlds.primitives import Scenes

(SCENE, DEPTH_PLANAR, DEPTH_PERSPECTIVE, DEPTH_VIS, DISPARITY, SEGMENTATION, NORMALS, INFRARED) = (
    range(8)
)
NO_HIT = 65504.0  # [m] the largest half float, which AirSim's render target clips to
MOST_IMAGES = 16  # of one call
_FIELDS_BYTES = 1024  # of an ImageResponse beside its pixels
_VIS_RANGE = 100.0  # [m] of DepthVis
_BASELINE = 0.25  # [m] of DisparityNormalized


class Request(NamedTuple):
    """One ImageRequest."""

    camera: str
    image_type: int
    as_float: bool
    compress: bool


def image_request(value: Any) -> Request:
    """Take an ImageRequest."""
    if not isinstance(value, dict):
        raise BadCast
    return Request(
        text(value.get('camera_name', '0')),
        integer(value.get('image_type', SCENE)),
        boolean(value.get('pixels_as_float', False)),
        boolean(value.get('compress', True)),
    )


@dataclass(frozen=True)
class View:
    """What one eye sees at one moment; each layer is rendered when it is first wanted."""

    scenes: Scenes
    ids: np.ndarray  # (P,) segmentation id of each primitive
    position: np.ndarray  # (3,) [m; world NED]
    orientation: np.ndarray  # (4,) w, x, y, z
    width: int
    height: int
    fov: float  # [rad]

    @cached_property
    def depth(self) -> np.ndarray:
        """Metres along the optical axis (H, W), inf where nothing is."""
        return np.asarray(camera.render_depth(*self._where)[0])

    @cached_property
    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """Primitive (H, W), -1 for none, and normals (H, W, 3) in the world's NED."""
        _, which, normals = camera.render(make_views(*self._where))
        return which[0], normals[0]

    @cached_property
    def color(self) -> np.ndarray:
        """RGB (H, W, 3) uint8."""
        return np.asarray(camera.depth_and_color(make_views(*self._where))[1][0])

    @property
    def _where(self) -> tuple[Any, ...]:
        place, turn = self.position[None], self.orientation[None]
        return self.scenes, 0, place, turn, self.width, self.height, self.fov

    @property
    def slant(self) -> np.ndarray:
        """Metres along the ray for each metre along the optical axis (H, W)."""
        u, v = slopes(self.width, self.height, self.fov)
        return np.asarray(np.sqrt(1 + u[None, :] ** 2 + v[:, None] ** 2))

    @property
    def id_image(self) -> np.ndarray:
        """Segmentation id (H, W) uint8, 0 for none."""
        return np.asarray(np.append(self.ids, 0).astype(np.uint8)[self.layers[0]])

    def values(self, image_type: int) -> np.ndarray:
        """Return metres (H, W), shares of full white (H, W), or RGB (H, W, 3) uint8."""
        if image_type == DEPTH_PLANAR:
            return np.asarray(np.minimum(self.depth, np.float32(NO_HIT)))
        if image_type == DEPTH_PERSPECTIVE:
            return np.asarray(np.minimum(self.depth * self.slant, np.float32(NO_HIT)))
        if image_type == DEPTH_VIS:
            return np.minimum(self.depth / np.float32(_VIS_RANGE), np.float32(1))
        if image_type == DISPARITY:
            focal = self.width / 2 / math.tan(self.fov / 2)
            return np.float32(focal * _BASELINE / self.width) / self.depth
        if image_type == SEGMENTATION:
            return np.asarray(palette()[self.id_image])
        if image_type == NORMALS:
            return self._normal_colors()
        if image_type == INFRARED:
            return np.repeat(self.id_image[..., None], 3, axis=2)
        return self.color

    def _normal_colors(self) -> np.ndarray:
        which, normals = self.layers
        in_camera = normals @ rotation_matrices(self.orientation)[0].astype(np.float32)
        colors = ((in_camera + 1) * 127.5).round().astype(np.uint8)
        return np.where(which[..., None] < 0, np.uint8(0), colors)


@dataclass(frozen=True)
class Shot:
    """A request with the view that will answer it, taken while the simulation stood still."""

    request: Request
    view: View | None
    pose: Pose  # of the camera in the vehicle's own frame
    stamp_ns: int

    @property
    def size(self) -> int:
        """How many bytes the ImageResponse may have."""
        pixels = self.view.width * self.view.height if self.view else 0
        return _FIELDS_BYTES + pixels * (5 if self.request.as_float else 4)

    def answer(self) -> Map:
        """Render and return the ImageResponse."""
        request, view = self.request, self.view
        floats, data, size = np.empty(0, np.float32), b'', (0, 0)
        if view is not None:
            values = view.values(request.image_type)
            size = view.width, view.height
            if request.as_float:
                floats = as_floats(values)
            else:
                data = as_bytes(values, request.compress)
        return {
            'image_data_uint8': data,
            'image_data_float': floats,
            'camera_position': vector3(self.pose.position),
            'camera_name': request.camera,
            'camera_orientation': quaternion4(self.pose.orientation),
            'time_stamp': self.stamp_ns,
            'message': '' if view else f'image type {request.image_type} is not simulated',
            'pixels_as_float': request.as_float,
            'compress': request.compress,
            'width': size[0],
            'height': size[1],
            'image_type': request.image_type,
        }


def aim(engine: Engine, vehicle: Vehicle, requests: list[Request]) -> list[Shot]:
    """Freeze what requests are to show; LookupError for a camera that is not there."""
    views: dict[tuple[Any, ...], View] = {}
    shots = []
    for request in requests:
        eye = vehicle.camera(request.camera)
        capture = eye.settings.capture(request.image_type)
        pose = vehicle.carried(eye.position, eye.orientation)
        fov = math.radians(eye.fov or capture.fov)
        view = None
        if SCENE <= request.image_type <= INFRARED:
            key = (id(eye), capture.width, capture.height, fov)
            view = views.setdefault(
                key,
                View(
                    engine.scenes,
                    engine.ids,
                    pose.position + vehicle.origin,
                    pose.orientation,
                    capture.width,
                    capture.height,
                    fov,
                ),
            )
        shots.append(Shot(request, view, pose, engine.now_ns))
    return shots


def as_floats(values: np.ndarray) -> np.ndarray:
    """Return the red channel (H * W,) float32, quantised as AirSim's half-float target does."""
    red = values[..., 0] / np.float32(255) if values.ndim == 3 else values
    return red.astype(np.float16).astype(np.float32).reshape(-1)


def as_bytes(values: np.ndarray, compress: bool) -> bytes:
    """Return rows from the top: PNG of RGBA, or raw B, G, R."""
    if values.ndim == 2:
        grey = (np.minimum(values, 1) * 255).round().astype(np.uint8)
        values = np.repeat(grey[..., None], 3, axis=2)
    if not compress:
        return values[..., ::-1].tobytes()
    png = io.BytesIO()
    Image.fromarray(values).convert('RGBA').save(png, 'PNG', compress_level=1)
    return png.getvalue()


@cache
def palette() -> np.ndarray:
    """Return 256 different colours (256, 3) uint8 by segmentation id, as Pascal VOC has them."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1  # (256, 8)
    weights = np.zeros((8, 3), np.int64)
    for bit in range(8):
        weights[bit, bit % 3] = 128 >> bit // 3
    return (bits @ weights).astype(np.uint8)
