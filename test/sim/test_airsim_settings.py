"""settings.json: what it may say, and what is said when it is wrong."""

import json

import pytest

from rapid_nav.sim.airsim_settings import Mount, read_settings


def test_without_vehicles_there_is_one_called_simpleflight():
    assert list(read_settings({}).vehicles) == ['SimpleFlight']
    assert set(read_settings({}).vehicles['SimpleFlight'].sensors) == {
        'imu',
        'magnetometer',
        'gps',
        'barometer',
    }


def test_a_vehicles_cameras_override_the_defaults_and_add_to_them():
    settings = read_settings(
        {
            'CameraDefaults': {'CaptureSettings': [{'ImageType': 0, 'Width': 100}]},
            'Vehicles': {
                'a': {
                    'Cameras': {
                        '0': {'X': 0.5, 'CaptureSettings': [{'ImageType': 1, 'FOV_Degrees': 60}]},
                        'nose': {'Pitch': -10},
                    }
                }
            },
        }
    )
    cameras = settings.vehicles['a'].cameras
    assert cameras['front_center'].mount == Mount(x=0.5)
    assert cameras['front_center'].capture(0).width == 100
    assert cameras['front_center'].capture(1).fov == 60
    assert cameras['nose'].mount == Mount(pitch=-10.0)
    assert cameras['back_center'].mount.yaw == 180


def test_vehicles_start_where_the_settings_say_or_where_the_world_does():
    settings = read_settings({'Vehicles': {'a': {'X': 1, 'Z': -2, 'Yaw': 90}, 'b': {}}})
    assert settings.vehicles['a'].start == Mount(x=1.0, z=-2.0, yaw=90.0)
    assert settings.vehicles['b'].start is None


def test_a_sensor_can_be_switched_off():
    sensors = {'gps': {'SensorType': 3, 'Enabled': False}}
    settings = read_settings({'Vehicles': {'a': {'Sensors': sensors}}})
    assert 'gps' not in settings.vehicles['a'].sensors


def test_a_file_is_read_and_told_to_clients(tmp_path):
    path = tmp_path / 'settings.json'
    path.write_text('\ufeff{"ClockSpeed": 2}', encoding='utf-8')
    settings = read_settings(path)
    assert settings.clock_speed == 2
    assert json.loads(settings.text) == {'ClockSpeed': 2}


@pytest.mark.parametrize(
    ('settings', 'complaint'),
    [
        ({'SimMode': 'Car'}, r'settings.SimMode is .Car.; only Multirotor'),
        ({'ClockSpeed': 0}, r'settings.ClockSpeed is 0; it must lie in'),
        ({'ClockSpeed': 'fast'}, 'settings.ClockSpeed is .fast.; it must be a number'),
        ({'Vehicles': {'a': 3}}, 'settings.Vehicles.a is 3; it must be an object'),
        ({'Vehicles': {'a': {'VehicleType': 'PX4Multirotor'}}}, 'only SimpleFlight is simulated'),
        ({'Vehicles': {'a': {'AutoCreate': False}}}, 'at least one'),
        (
            {'Vehicles': {'a': {'Sensors': {'x': {'SensorType': 9}}}}},
            'settings.Vehicles.a.Sensors.x',
        ),
        ({'CameraDefaults': {'CaptureSettings': [{'Width': 100000}]}}, r'\[0\].Width is 100000'),
        ({'CameraDefaults': {'CaptureSettings': 1}}, 'must be a list'),
        (7, 'settings is 7'),
    ],
)
def test_what_is_wrong_is_said_with_its_key(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_settings(settings)


def test_a_file_that_is_no_json_is_named(tmp_path):
    path = tmp_path / 'broken.json'
    path.write_text('{')
    with pytest.raises(ValueError, match='broken.json: no JSON'):
        read_settings(path)
