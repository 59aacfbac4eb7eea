"""Images over the wire, by AirSim's conventions."""

import io

import airsim
import numpy as np
from PIL import Image
import pytest

from rapid_nav.sim.sensors.images import palette
from rapid_nav.sim.server import Server

FLOATS, RAW, PNG = (True, False), (False, False), (False, True)
SIZE = (144, 256)


def take(client, image_type, form, camera='0'):
    return client.simGetImages([airsim.ImageRequest(camera, image_type, *form)])[0]


def floats(client, image_type, camera='0'):
    answer = take(client, image_type, FLOATS, camera)
    assert answer.image_data_uint8 == b''
    return np.asarray(answer.image_data_float).reshape(SIZE)


def raw(client, image_type):
    """Return RGB (H, W, 3)."""
    answer = take(client, image_type, RAW)
    assert list(answer.image_data_float) == []
    return np.frombuffer(answer.image_data_uint8, np.uint8).reshape(*SIZE, 3)[..., ::-1]


@pytest.fixture
def flying(client, drone):
    assert drone.take_off()
    return client


def test_a_response_says_what_it_is(client):
    answer = take(client, airsim.ImageType.DepthPlanar, FLOATS)
    assert (answer.width, answer.height, answer.image_type) == (256, 144, 1)
    assert answer.pixels_as_float is True
    assert answer.message == ''


def test_planar_depth_is_perspective_depth_times_the_cosine(flying):
    planar = floats(flying, airsim.ImageType.DepthPlanar)
    slanted = floats(flying, airsim.ImageType.DepthPerspective)
    u, v = (np.arange(256) + 0.5 - 128) / 128, (np.arange(144) + 0.5 - 72) / 128
    slant = np.sqrt(1 + u[None, :] ** 2 + v[:, None] ** 2)
    there = slanted < 60000
    np.testing.assert_allclose(slanted[there], (planar * slant)[there], rtol=2e-3)


def test_float_depth_is_a_half_float_and_the_sky_is_the_largest(client, server):
    floor = server.engine.world.primitives[:1]
    server.engine.edit(lambda *_: (floor, np.array([1])))
    depth = floats(client, airsim.ImageType.DepthPlanar)
    np.testing.assert_array_equal(depth, depth.astype(np.float16))
    assert (depth[:70] == 65504).all()
    assert (depth[80:] < 100).all()


def test_visible_depth_goes_from_black_to_white_over_a_hundred_metres(flying):
    planar = floats(flying, airsim.ImageType.DepthPlanar)
    grey = raw(flying, airsim.ImageType.DepthVis)
    expected = np.minimum(planar / 100, 1) * 255
    np.testing.assert_allclose(grey[..., 0], expected, atol=1)
    assert (grey[..., 0] == grey[..., 2]).all()


def test_a_png_holds_the_same_picture_in_four_channels(flying):
    answer = take(flying, airsim.ImageType.Scene, PNG)
    picture = Image.open(io.BytesIO(answer.image_data_uint8))
    assert picture.mode == 'RGBA'
    np.testing.assert_array_equal(np.asarray(picture)[..., :3], raw(flying, 0))
    assert flying.simGetImage('0', airsim.ImageType.Scene) == answer.image_data_uint8


def test_segmentation_follows_the_ids_that_clients_set(flying, server):
    assert flying.simSetSegmentationObjectID('.*', 7, True)
    assert flying.simGetSegmentationObjectID(server.engine.world.primitives[0].name) == 7
    seen = raw(flying, airsim.ImageType.Segmentation).reshape(-1, 3)
    infrared = raw(flying, airsim.ImageType.Infrared).reshape(-1, 3)
    hit = (seen != 0).any(axis=1)
    assert hit.any()
    assert (seen[hit] == palette()[7]).all()
    assert (infrared[hit] == 7).all()
    assert not flying.simSetSegmentationObjectID('no such thing', 7)


def test_segmentation_colours_are_all_different():
    assert len({tuple(color) for color in palette().tolist()}) == 256


def test_a_floor_below_has_normals_that_point_at_the_camera(flying):
    down = airsim.Pose(airsim.Vector3r(), airsim.to_quaternion(-np.pi / 2, 0, 0))
    flying.simSetCameraPose('0', down)
    normals = raw(flying, airsim.ImageType.SurfaceNormals).reshape(-1, 3)
    np.testing.assert_allclose(np.median(normals, axis=0), [0, 127.5, 127.5], atol=5)


def test_an_unknown_image_type_is_an_empty_image_with_a_message(client):
    answer = take(client, airsim.ImageType.OpticalFlow, RAW)
    assert (answer.width, answer.height, answer.image_data_uint8) == (0, 0, b'')
    assert 'not simulated' in answer.message


def test_an_unknown_camera_is_an_error(client):
    with pytest.raises(Exception, match="Camera 'nose' not found"):
        take(client, 0, RAW, 'nose')


def test_left_and_right_cameras_are_25_centimetres_apart(client):
    left, right = (client.simGetCameraInfo(c).pose.position for c in ('front_left', '1'))
    assert (right - left).get_length() == pytest.approx(0.25, abs=1e-6)


def test_the_field_of_view_can_be_changed(flying):
    wide = floats(flying, airsim.ImageType.DepthPlanar)
    flying.simSetCameraFov('0', 30)
    assert flying.simGetCameraInfo('0').fov == pytest.approx(30)
    narrow = floats(flying, airsim.ImageType.DepthPlanar)
    np.testing.assert_allclose(narrow[72, 128], wide[72, 128], rtol=0.01)
    assert (narrow != wide).any()


def test_sizes_come_from_the_settings_for_each_image_type(world):
    captures = [
        {'ImageType': 1, 'Width': 64, 'Height': 36, 'FOV_Degrees': 80},
        {'Width': 32, 'Height': 20},
    ]
    settings = {'CameraDefaults': {'CaptureSettings': captures}}
    with Server(world, settings, port=0, paused=True) as server:
        client = airsim.MultirotorClient(port=server.port, timeout_value=20)
        depth, scene, vis = (take(client, t, RAW) for t in (1, 0, 3))
        client.client.close()
    assert (depth.width, depth.height) == (64, 36)
    assert (scene.width, scene.height) == (32, 20)
    assert (vis.width, vis.height) == (256, 144)
