"""settings.json: what it may say, and what is said when it is wrong."""

import json

from hypothesis import given
from hypothesis import strategies as st
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
        ({'SimMode': 'Car'}, 'settings: SimMode is .Car.; only Multirotor'),
        ({'ClockSpeed': 0}, 'settings: ClockSpeed: expected a number >= 0.001'),
        ({'ClockSpeed': 'fast'}, 'settings: ClockSpeed: expected a number, got text'),
        ({'Vehicles': {'a': 3}}, 'settings: Vehicles.a: expected a mapping, got a whole number'),
        ({'Vehicles': {'a': {'VehicleType': 'PX4Multirotor'}}}, 'only SimpleFlight is simulated'),
        ({'Vehicles': {'a': {'AutoCreate': False}}}, 'at least one'),
        (
            {'Vehicles': {'a': {'Sensors': {'x': {'SensorType': 9}}}}},
            'Vehicles.a.Sensors.x: SensorType is 9; choose one of 1, 2',
        ),
        (
            {'CameraDefaults': {'CaptureSettings': [{'Width': 100000}]}},
            r'CaptureSettings\[0\].Width: expected a number <= 4096',
        ),
        (
            {'CameraDefaults': {'CaptureSettings': 1}},
            'CameraDefaults.CaptureSettings: expected a list',
        ),
        (7, 'settings: expected a mapping'),
    ],
)
def test_what_is_wrong_is_said_with_its_key(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_settings(settings)


def test_a_file_that_is_no_json_is_named(tmp_path):
    path = tmp_path / 'broken.json'
    path.write_text('{')
    with pytest.raises(ValueError, match='broken.json is no JSON'):
        read_settings(path)


def test_only_a_regular_file_of_a_sane_size_is_read(tmp_path):
    path = tmp_path / 'settings.json'
    path.symlink_to('/dev/zero')
    with pytest.raises(ValueError, match='no regular file'):
        read_settings(path)
    path.unlink()
    path.write_text('{"a": "' + 'x' * 2**20 + '"}')
    with pytest.raises(ValueError, match='larger than 1 MiB'):
        read_settings(path)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read_settings(tmp_path / 'nowhere.json')


@pytest.mark.parametrize(
    'text', ['[' * 100_000, '{"ClockSpeed": 1e999}', '{"ClockSpeed": NaN}', '\ud800', '', 'null']
)
def test_a_file_that_is_hard_to_read_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / 'settings.json'
    path.write_text(text, errors='surrogatepass')
    with pytest.raises(ValueError, match=r'settings\.json') as error:
        read_settings(path)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize(
    ('key', 'value'),
    [('Range', 'far'), ('NumberOfChannels', 1e9), ('PointsPerSecond', -1), ('Range', 1e999)],
)
def test_what_a_sensor_cannot_be_is_said_before_it_is_asked(key, value):
    sensors = {'lidar': {'SensorType': 6, key: value}}
    with pytest.raises(
        ValueError, match=rf'Vehicles\.a\.Sensors\.lidar: {key}: expected a number'
    ):
        read_settings({'Vehicles': {'a': {'Sensors': sensors}}})


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
keys = st.sampled_from(
    ['Vehicles', 'Cameras', 'Sensors', 'SensorType', 'X', 'CaptureSettings', 'Width', 'ClockSpeed']
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(keys, trees))
def test_no_settings_do_worse_than_one_clear_line(content):
    try:
        read_settings(content)
    except ValueError as error:
        assert str(error).startswith('settings')
        assert '\n' not in str(error)
