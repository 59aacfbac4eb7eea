"""AirSim's RPCs for cameras and their images."""

import math

import numpy as np

from rapid_nav.sim.engine import Engine
from rapid_nav.sim.rpc.arguments import boolean, integer, list_of, number, Pose, pose, rpc, text
from rapid_nav.sim.rpc.server import Deferred
from rapid_nav.sim.rpc.structs import Map, pose_map
from rapid_nav.sim.sensors import images
from rapid_nav.sim.sensors.images import image_request, Request, Shot

_NEAR, _FAR = 0.1, 1000.0  # [m] of the projection matrix


class CameraMethods:
    """Images are frozen when asked for, and rendered by a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def _aim(self, vehicle: str, requests: list[Request]) -> list[Shot]:
        with self._engine.locked(vehicle) as mine:
            return images.aim(self._engine, mine, requests)

    @rpc(list_of(image_request, images.MOST_IMAGES), text, boolean)
    def simGetImages(self, requests: list[Request], vehicle: str, _external: bool) -> Deferred:
        shots = self._aim(vehicle, requests)
        return Deferred(lambda: [shot.answer() for shot in shots], sum(s.size for s in shots))

    @rpc(text, integer, text, boolean)
    def simGetImage(self, camera: str, image_type: int, vehicle: str, _external: bool) -> Deferred:
        (shot,) = self._aim(vehicle, [Request(camera, image_type, False, True)])
        return Deferred(lambda: shot.answer()['image_data_uint8'], shot.size)

    @rpc(text, text, boolean)
    def simGetCameraInfo(self, camera: str, vehicle: str, _external: bool) -> Map:
        with self._engine.locked(vehicle) as mine:
            eye = mine.camera(camera)
            capture = eye.settings.capture(images.SCENE)
            fov = eye.fov or capture.fov
            return {
                'pose': pose_map(mine.carried(eye.position, eye.orientation)),
                'fov': fov,
                'proj_mat': {'matrix': projection(fov, capture.width / capture.height)},
            }

    @rpc(text, pose, text, boolean)
    def simSetCameraPose(self, camera: str, there: Pose, vehicle: str, _external: bool) -> None:
        with self._engine.locked(vehicle) as mine:
            eye = mine.camera(camera)
            known = ~np.isnan(there.position)
            eye.position[known] = there.position[known]
            if not np.isnan(there.orientation).any():
                eye.orientation = there.orientation

    @rpc(text, number, text, boolean)
    def simSetCameraFov(self, camera: str, fov: float, vehicle: str, _external: bool) -> None:
        if not 1 <= fov <= 175:
            raise ValueError(f'a field of view of {fov:g} deg; it must lie in [1, 175]')
        with self._engine.locked(vehicle) as mine:
            mine.camera(camera).fov = fov

    @rpc(text, text, boolean)
    def simGetDistortionParams(self, camera: str, vehicle: str, _external: bool) -> list[float]:
        with self._engine.locked(vehicle) as mine:
            mine.camera(camera)
        return [0.0] * 5


def projection(fov: float, aspect: float) -> list[list[float]]:
    """Return the 4x4 projection matrix of an opening [deg] and width over height."""
    focal = 1 / math.tan(math.radians(fov) / 2)
    depth = _FAR / (_FAR - _NEAR)
    return [
        [0.0, 0.0, -1.0, 0.0],
        [focal, 0.0, 0.0, 0.0],
        [0.0, -focal * aspect, 0.0, 0.0],
        [-depth, 0.0, 0.0, -_NEAR * depth],
    ]
