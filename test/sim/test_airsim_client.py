"""The unmodified airsim 1.8.1 client flies the simulator, on the stock transport and on ours."""

import os
import subprocess
import sys

import pytest

from rapid_nav.benchmarks import rpc
from rapid_nav.sim.server import Server

OURS = 'from rapid_nav.airsim import rpc_client; rpc_client.install()\n'
FLIGHT = """
import sys
import airsim
client = airsim.MultirotorClient(port=int(sys.argv[1]), timeout_value=60)
client.confirmConnection()
client.enableApiControl(True)
assert client.isApiControlEnabled()
assert client.armDisarm(True)
assert client.simGetVehiclePose().position.z_val == 0
assert client.takeoffAsync().join() is None
start = client.getMultirotorState()
assert start.landed_state == airsim.LandedState.Flying
yaw = airsim.to_eularian_angles(start.kinematics_estimated.orientation)[2]
client.moveByVelocityBodyFrameAsync(1, 0, 0, 1.5).join()
end = client.simGetVehiclePose()
flown = (end.position - start.kinematics_estimated.position).get_length()
assert flown > 0.5, flown
requests = [
    airsim.ImageRequest('0', airsim.ImageType.DepthPlanar, True, False),
    airsim.ImageRequest('front_center', airsim.ImageType.Scene, False, False),
    airsim.ImageRequest('2', airsim.ImageType.DepthVis, False, False),
]
depth, scene, vis = client.simGetImages(requests)
image = airsim.list_to_2d_float_array(depth.image_data_float, depth.width, depth.height)
assert image.shape == (144, 256) and image.min() > 0
assert len(scene.image_data_uint8) == len(vis.image_data_uint8) == 144 * 256 * 3
assert client.simGetImage('0', airsim.ImageType.Scene)[:4] == b'\\x89PNG'
client.simGetCollisionInfo()
assert client.landAsync().get() is True
pose = client.simGetVehiclePose()
pose.position.z_val = -1.0
client.simSetVehiclePose(pose, True)
assert abs(client.simGetVehiclePose().position.z_val + 1.0) < 0.2
client.reset()
assert not client.isApiControlEnabled()
print('flown', flown)
"""


@pytest.mark.parametrize('transport', ['ours', 'stock'])
def test_the_unmodified_client_flies_there_and_lands(world, transport):
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    if transport == 'stock':
        if missing := rpc.stock_missing():
            pytest.skip(missing)
        environment = rpc.environment(stock=True)
    with Server(world, {'ClockSpeed': 4}, port=0) as server:
        done = subprocess.run(
            [
                sys.executable,
                '-c',
                (OURS if transport == 'ours' else '') + FLIGHT,
                str(server.port),
            ],
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert 'flown' in done.stdout
