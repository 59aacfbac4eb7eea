"""Sensors: the truth with AirSim's noise, the same for the same seed and moment."""

import airsim
import numpy as np
import pytest

from rapid_nav.airsim.drone import connect, RPCError
from rapid_nav.sim.sensors import earth
from rapid_nav.sim.server import Server


def read_often(client, read, count=300):
    """Return the readings of a sensor at different moments."""
    values = []
    for _ in range(count):
        client.simContinueForTime(0.003)
        values.append(read())
    return np.array(values)


def test_an_imu_at_rest_feels_gravity_and_the_data_sheets_noise(client):
    force = read_often(client, lambda: client.getImuData().linear_acceleration.to_numpy_array())
    np.testing.assert_allclose(force.mean(axis=0), [0, 0, -9.80665], atol=0.02)
    sigma = 0.24e-3 * 9.80665 / np.sqrt(0.003)
    np.testing.assert_allclose(force.std(axis=0), sigma, rtol=0.25)
    turning = read_often(client, lambda: client.getImuData().angular_velocity.to_numpy_array())
    np.testing.assert_allclose(turning.std(axis=0), 8.727e-5 / np.sqrt(0.003), rtol=0.25)


def test_an_imu_in_ros_axes_feels_plus_gravity_at_rest(drone):
    np.testing.assert_allclose(drone.imu().linear_acceleration, [0, 0, 9.8], atol=0.3)


def test_noise_depends_on_seed_and_time_alone(world):
    def readings(seed, often):
        with Server(world, port=0, seed=seed, start_ns=0, paused=True) as server:
            drone = connect(port=server.port)
            for _ in range(often):
                drone.magnetometer()
            drone.step(0.3)
            value = drone.magnetometer().field, drone.barometer().pressure
            drone.close()
        return value

    first, again, other = readings(1, 0), readings(1, 5), readings(2, 0)
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert first[1] != other[1]


def test_gps_has_no_fix_at_first_and_then_lags_a_fifth_of_a_second(client, drone):
    assert client.getGpsData().is_valid is False
    assert drone.gps().fix == 0
    drone.take_off()
    client.simContinueForTime(4.0)
    client.moveByVelocityAsync(0, 0, 0.5, 2)
    client.simContinueForTime(1.0)
    gps = drone.gps()
    assert gps.fix == 3
    now = client.getMultirotorState()
    assert (now.timestamp - gps.stamp_ns) / 1e9 == pytest.approx(0.2, abs=0.03)
    assert 0.05 < gps.altitude - now.gps_location.altitude < 0.15


def test_gps_tells_centimetres(client):
    home = client.getHomeGeoPoint()
    assert (home.latitude, home.longitude) == (47.641468, -122.140165)


def test_the_barometer_shows_the_altitude(client):
    altitude = read_often(client, lambda: client.getBarometerData().altitude, 100)
    assert altitude.mean() == pytest.approx(122, abs=1.0)
    assert 0.05 < altitude.std() < 0.6


def test_the_magnetic_field_points_north_and_down_on_this_side_of_the_equator(drone):
    drone.take_off()
    field = drone.magnetometer().field  # FLU
    assert field[2] < 0
    assert 2e-5 < np.linalg.norm(field) < 7e-5


def test_a_distance_sensor_sees_what_the_depth_camera_sees(client, drone):
    drone.take_off()
    read = read_often(client, lambda: client.getDistanceSensorData().distance, 50)
    ahead = drone.sense().depth[72, 128] + 0.1  # the camera sits before the middle of the body
    assert abs(read.mean() - min(ahead, 40)) < 0.3
    assert read.std() == pytest.approx(0.2, rel=0.4)


def test_lidar_points_lie_on_what_the_camera_sees(drone):
    drone.take_off()
    depth = drone.sense().depth
    points = drone.lidar().points
    assert points.shape[1] == 3
    assert len(points) > 5000
    level = points[np.abs(np.arctan2(points[:, 2], points[:, 0])) < 0.02]
    ahead = level[(level[:, 0] > 0) & (np.abs(level[:, 1]) < 0.02 * level[:, 0])]
    assert np.abs(ahead[:, 0].min() - 0.1 - depth[70:74, 125:131].min()) < 0.3


def test_lidar_points_in_the_vehicles_frame_are_brought_back_to_the_sensor(world):
    sensors = {'scan': {'SensorType': 6, 'VerticalFOVUpper': 0, 'NumberOfChannels': 4}}

    def sweep(frame):
        sensors['scan']['DataFrame'] = frame
        settings = {'Vehicles': {'SimpleFlight': {'Sensors': sensors}}}
        with Server(world, settings, port=0, start_ns=0, paused=True) as server:
            drone = connect(port=server.port)
            drone.take_off()
            points = drone.lidar().points
            drone.close()
        return points

    np.testing.assert_allclose(sweep('VehicleInertialFrame'), sweep('SensorLocalFrame'), atol=1e-3)


def test_a_sensor_that_is_not_there_is_an_error(world):
    with Server(world, {}, port=0, paused=True) as server:
        client = airsim.MultirotorClient(port=server.port, timeout_value=10)
        client.getImuData()
        with pytest.raises(RPCError, match='No lidar with name'):
            client.getLidarData()
        client.client.close()


@pytest.mark.parametrize('ned', [(0, 0, 0), (1000, -2000, -50), (1e-6, 3, 4)])
def test_geographic_positions_are_read_back(ned):
    home = (47.641468, -122.140165, 122.0)
    np.testing.assert_allclose(
        earth.to_ned(earth.to_geo(np.array(ned), home), home), ned, atol=1e-5
    )


def test_a_degree_of_latitude_is_111_kilometres():
    north = earth.to_geo(np.array([111_319.5, 0, 0]), (47.0, 8.0, 0.0))
    assert north[0] == pytest.approx(48.0, abs=1e-4)
