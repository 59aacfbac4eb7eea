"""Every way to fly that AirSim's client knows, in open air."""

import airsim
import numpy as np
import pytest

from rapid_nav.airsim.drone import connect, RPCError
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import World


@pytest.fixture(scope='module')
def meadow():
    ground = Primitive('plane', 'ground', (0, 0, 0), (1, 0, 0, 0), (100, 100, 0.1), (90, 120, 60))
    return World('meadow', 0, (ground,), np.array([[0.0, 0.0, -1.0, 0.0]]))


@pytest.fixture
def client(meadow):
    with Server(meadow, port=0, start_ns=0, paused=True) as server:
        drone = connect(port=server.port)
        assert drone.take_off()
        drone.step(2.0)
        yield airsim.MultirotorClient(port=server.port, timeout_value=120)
        drone.close()


def state(client):
    """Return position (3,), velocity (3,) and yaw [deg]."""
    now = client.simGetGroundTruthKinematics()
    yaw = np.degrees(airsim.to_eularian_angles(now.orientation)[2])
    return now.position.to_numpy_array(), now.linear_velocity.to_numpy_array(), yaw


def finish(client, task, seconds):
    client.simContinueForTime(seconds)
    return task.get(5)


def test_velocity_with_a_height_keeps_that_height(client):
    assert finish(client, client.moveByVelocityZAsync(2, 0, -3, 5), 5.0) is True
    position, velocity, _ = state(client)
    assert position[2] == pytest.approx(-3, abs=0.15)
    assert 1.0 < velocity[0] < 2.0  # drag: no feed-forward, so slower than told


def test_forward_only_turns_the_nose_where_the_drone_flies(client):
    client.moveByVelocityAsync(
        0, 2, 0, 5, airsim.DrivetrainType.ForwardOnly, airsim.YawMode(False, 0)
    )
    client.simContinueForTime(5.0)
    assert state(client)[2] == pytest.approx(90, abs=5)


def test_a_body_velocity_is_turned_by_the_yaw_at_the_call_and_no_more(client):
    client.rotateToYawAsync(90, 20, 1)
    client.simContinueForTime(8.0)
    begin, _, yaw = state(client)
    assert yaw == pytest.approx(90, abs=3)
    client.moveByVelocityBodyFrameAsync(2, 0, 0, 4, yaw_mode=airsim.YawMode(True, 20))
    client.simContinueForTime(4.0)
    end, _, _ = state(client)
    assert end[1] - begin[1] > 3
    assert abs(end[0] - begin[0]) < 0.5


def test_turning_at_a_rate_turns_clockwise_on_the_spot(client):
    begin, _, first = state(client)
    assert finish(client, client.rotateByYawRateAsync(30, 2), 2.0) is True
    end, _, last = state(client)
    assert 40 < last - first < 65
    assert np.linalg.norm(end - begin) < 0.2


def test_a_path_is_flown_to_its_end(client):
    path = [airsim.Vector3r(6, 0, -3), airsim.Vector3r(6, 6, -3), airsim.Vector3r(0, 6, -3)]
    task, corner = client.moveOnPathAsync(path, 2), np.inf
    for _ in range(300):
        client.simContinueForTime(0.1)
        corner = min(corner, np.linalg.norm(state(client)[0] - (6, 6, -3)))
        if task.done():
            break
    assert task.get(5) is True
    assert corner < 1.5
    assert np.linalg.norm(state(client)[0] - (0, 6, -3)) < 1.0


def test_a_geographic_place_is_flown_to(client):
    home = client.getHomeGeoPoint()
    north = home.latitude + np.degrees(5 / 6378137)
    task = client.moveToGPSAsync(north, home.longitude, home.altitude + 2, 2)
    assert finish(client, task, 15.0) is True
    assert np.linalg.norm(state(client)[0] - (5, 0, -2)) < 1.0


def test_a_height_is_flown_to_and_home_is_found(client):
    assert finish(client, client.moveToZAsync(-5, 1), 12.0) is True
    assert state(client)[0][2] == pytest.approx(-5, abs=0.8)
    client.goHomeAsync()
    client.simContinueForTime(25.0)
    assert np.linalg.norm(state(client)[0]) < 1.0


@pytest.mark.parametrize(
    ('roll', 'pitch', 'axis', 'sign'),
    [(0.15, 0, 1, 1), (-0.15, 0, 1, -1), (0, -0.15, 0, 1), (0, 0.15, 0, -1)],
)
def test_leaning_makes_it_drift_that_way(client, roll, pitch, axis, sign):
    # The wire carries FRD: nose down is negative pitch and flies forward. The client negates.
    client.moveByRollPitchYawZAsync(roll, -pitch, 0, -2, 1.5)
    client.simContinueForTime(1.5)
    position, velocity, _ = state(client)
    assert velocity[axis] * sign > 0.8
    assert position[2] == pytest.approx(-2, abs=0.4)


def test_throttle_and_rates_reach_the_motors(client):
    client.moveByRollPitchYawThrottleAsync(0, 0, 0, 0.8, 0.5)
    client.simContinueForTime(0.5)
    assert state(client)[1][2] < -0.5
    client.hoverAsync().join()
    client.simContinueForTime(2.0)
    client.moveByAngleRatesZAsync(0, 0, -1.0, -2, 0.5)  # the client negates the yaw
    client.simContinueForTime(0.5)
    assert state(client)[2] > 10
    client.moveByMotorPWMsAsync(0, 0, 0, 0, 0.3)
    client.simContinueForTime(0.3)
    assert state(client)[1][2] > 1.0


def test_nonsense_is_refused(client):
    nan = float('nan')
    for task in (
        client.moveByVelocityAsync(nan, 0, 0, 1),
        client.moveToPositionAsync(nan, 0, 0, 1),
        client.moveByVelocityAsync(1e9, 0, 0, 1),
        client.moveToPositionAsync(1, 0, 0, 1, drivetrain=1),
        client.moveToPositionAsync(1, 0, 0, 1, lookahead=0),
        client.moveToPositionAsync(1, 0, 0, 1, lookahead=0.1),
    ):
        with pytest.raises(RPCError, match='threw an exception'):
            task.get()
