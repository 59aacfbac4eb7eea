"""The one description of the stack."""

import dataclasses
import json
import os
from pathlib import Path
import socket
from xml.etree import ElementTree

import pytest

from rapid_nav import resources
from rapid_nav.drone.task import FlightTask
from rapid_nav.stack import flight
from rapid_nav.stack.flight import StackConfig


def parts(config: StackConfig) -> dict[str, flight.Process]:
    return {process.name: process for process in flight.stack(config, port=1234)}


def test_the_simulator_starts_first_and_every_process_gets_its_port(checkpoint: Path) -> None:
    flown = parts(StackConfig(checkpoint=str(checkpoint), world='forest', seed=7))
    assert next(iter(flown)) == 'simulator'
    assert {'policy', 'airsim_bridge', 'scene'} <= set(flown)
    assert flown['simulator'].arguments[3:5] == ('--port', '1234')
    assert flown['airsim_bridge'].parameters['port'] == 1234
    assert flown['airsim_bridge'].parameters['world'] == 'forest'
    assert flown['airsim_bridge'].parameters['seed'] == 7


def test_a_real_airsim_is_not_started_and_keeps_its_world(checkpoint: Path) -> None:
    config = StackConfig(checkpoint=str(checkpoint), simulator='airsim')
    assert 'simulator' not in parts(config)
    assert parts(config)['airsim_bridge'].parameters['world'] == ''
    assert flight.port_of(config) == 41451


def test_in_lockstep_the_simulator_waits_to_be_stepped(checkpoint: Path) -> None:
    config = StackConfig(checkpoint=str(checkpoint), lockstep=True)
    assert '--paused' in parts(config)['simulator'].arguments


def test_a_viewer_comes_when_asked_for_and_says_what_it_needs(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def viewers(**asked: object) -> list[flight.Process]:
        stack = flight.stack(StackConfig(checkpoint=str(checkpoint), **asked), 1)
        return [process for process in stack if process.name == 'viewer']

    monkeypatch.setattr(flight.importlib.util, 'find_spec', lambda name: name == 'rerun')
    assert viewers() == []
    monkeypatch.chdir(tmp_path)
    assert viewers(save_view='flight.rrd')[0].parameters == {
        'browser': False,
        'save': str(tmp_path / 'flight.rrd'),
    }
    assert viewers(view=True)[0].parameters == {'browser': True, 'save': ''}
    monkeypatch.setattr(flight.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r"rerun-sdk.*make fly ARGS='--view'"):
        viewers(view=True)


def test_a_map_is_named_by_its_full_path(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    primitives = [{'kind': 'plane', 'name': 'floor', 'position': [0, 0, 0]}]
    walls = (('north', [9, 0, -1.5]), ('south', [-9, 0, -1.5]))
    primitives += [
        {'kind': 'box', 'name': name, 'position': where, 'size': [0.2, 20, 3]}
        for name, where in walls
    ]
    (tmp_path / 'map.yaml').write_text(json.dumps({'primitives': primitives}))
    monkeypatch.chdir(tmp_path)
    config = StackConfig(checkpoint=str(checkpoint), world='map.yaml')
    assert str(tmp_path / 'map.yaml') in parts(config)['simulator'].arguments


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        ({'checkpoint': 'nowhere'}, 'nowhere: no such file; train'),
        ({'world': 'nowhere.yaml'}, 'nowhere.yaml: there is no such file'),
        ({'world': 'castle'}, "unknown world 'castle'; choose one of corridor"),
        ({'world': 'rooms,castle'}, "unknown world 'castle'"),
        ({'world': ','}, 'world names none'),
        ({'operating_point': 'nope'}, "no operating point 'nope' .*; it has never, full"),
        ({'record': __file__}, 'exists already; record to another file'),
        ({'port': 70000}, r'port is 70000; it must lie in \[0, 65535\]'),
        ({'simulator': 'gazebo'}, 'choose one of embedded, airsim'),
    ],
)
def test_what_cannot_be_flown_is_said_before_anything_starts(
    checkpoint: Path, changes: dict, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        flight.stack(StackConfig(**{'checkpoint': str(checkpoint), **changes}), port=1)


def test_a_port_in_use_is_named_before_anything_starts() -> None:
    with socket.create_server(('127.0.0.1', 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f'port {port} of 127.0.0.1 cannot be served'):
            flight.port_of(StackConfig(port=port))
        assert flight.port_of(StackConfig(port=port, simulator='airsim')) == port
    assert flight.port_of(StackConfig(port=port)) == port


def test_a_world_file_is_read_before_anything_starts(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / 'map.yaml').write_text('walls: 3')
    with pytest.raises(ValueError, match=r'map.yaml has neither'):
        parts(StackConfig(checkpoint=str(checkpoint), world=str(tmp_path / 'map.yaml')))
    assert parts(
        StackConfig(
            checkpoint=str(checkpoint), world=str(tmp_path / 'map.yaml'), simulator='airsim'
        )
    )


def test_two_runs_never_share_a_domain() -> None:
    with flight.reserve_domain() as one, flight.reserve_domain() as other:
        assert one != other
        assert {one, other} <= set(range(1, 102))


def test_every_run_keeps_to_this_machine_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv('ROS_AUTOMATIC_DISCOVERY_RANGE', raising=False)
    assert flight.environment(5)['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'LOCALHOST'
    assert flight.environment(5)['ROS_DOMAIN_ID'] == '5'
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')
    assert flight.environment(5)['ROS_AUTOMATIC_DISCOVERY_RANGE'] == 'SUBNET'


def test_messages_are_handed_on_as_the_package_says_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    file = Path(flight.environment(5)['FASTRTPS_DEFAULT_PROFILES_FILE'])
    told = {one.tag.rpartition('}')[2]: one.text for one in ElementTree.parse(file).iter()}
    # Whatever is queued for one who is gone leaves room for more.
    assert int(told['segment_size']) > 2 * (
        int(told['port_queue_capacity']) * int(told['maxMessageSize'])
    )
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', 'mine.xml')
    assert flight.environment(5)['FASTRTPS_DEFAULT_PROFILES_FILE'] == 'mine.xml'


def test_every_process_is_installed_as_a_program(checkpoint: Path) -> None:
    if not (resources.prefix() / 'lib' / 'rapid_nav').is_dir():
        pytest.skip('the package is not installed')
    for process in parts(StackConfig(checkpoint=str(checkpoint))).values():
        assert os.access(process.command('rapid')[0], os.X_OK)


def test_what_a_checkpoint_was_trained_for_is_what_is_flown(
    checkpoint: Path, pedra: Path, tmp_path: Path
) -> None:
    from rapid_nav.inference import policy_package

    policy_package.export(pedra, tmp_path / 'pedra.zip')
    for path in (pedra, tmp_path / 'pedra.zip'):
        flown = parts(StackConfig(checkpoint=str(path), simulator='airsim'))
        assert flown['airsim_bridge'].parameters['task'] == 'pedra'
        assert flown['airsim_bridge'].parameters['decision_period'] == pytest.approx(0.102)
    camera = parts(StackConfig(checkpoint=str(pedra)))['simulator'].arguments
    assert camera[camera.index('--settings') + 1].endswith('pedra.json')
    drone = parts(StackConfig(checkpoint=str(checkpoint)))
    assert drone['airsim_bridge'].parameters['task'] == 'drone'
    assert '--settings' not in drone['simulator'].arguments


def test_what_is_no_checkpoint_is_named_before_anything_starts(tmp_path: Path) -> None:
    for name, content in (('x.safetensors', b'nothing'), ('x.zip', b'PK')):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf'{name}: not a whole'):
            parts(StackConfig(checkpoint=str(tmp_path / name)))


def test_a_way_to_move_that_no_node_knows_is_refused(pedra: Path, tmp_path: Path) -> None:
    from rapid_nav.agent.checkpoint import load, save

    made = load(pedra)
    task = {**FlightTask().to_dict(), 'actions': made.task['actions']}
    save(tmp_path / 'odd.safetensors', dataclasses.replace(made, task=task))
    with pytest.raises(ValueError, match='odd.safetensors: trained to move by pose'):
        parts(StackConfig(checkpoint=str(tmp_path / 'odd.safetensors')))
