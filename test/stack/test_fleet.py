"""The one description of a fleet: who flies, in which namespace, and who learns from it."""

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
import pytest

from rapid_nav import resources
from rapid_nav.drone.seeds import seed_of_flight, TRAINING, training_seed
from rapid_nav.drone.task import TASKS
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.stack.fleet import drone, fleet, FleetConfig, trainer


def test_every_drone_has_its_own_simulator_namespace_time_and_worlds(tmp_path: Path) -> None:
    processes = {one.name: one for one in fleet(FleetConfig(drones=3, out=str(tmp_path)))}
    bridges = [processes[f'drone{k}/airsim_bridge'] for k in range(3)]
    assert len({bridge.parameters['port'] for bridge in bridges}) == 3
    seeds = [bridge.parameters['seed'] for bridge in bridges]
    assert seeds == [0, 3333, 6666]
    assert bridges[1].namespace('rapid') == 'rapid/drone1'
    assert all(('/clock', 'clock') in bridge.remap for bridge in bridges)
    assert processes['drone2/policy'].parameters['checkpoint'] == str(
        tmp_path / 'policy.safetensors'
    )
    words = processes['drone2/policy'].command('rapid')
    assert '__node:=policy' in words and '__ns:=/rapid/drone2' in words
    assert '/clock:=clock' in words


@given(
    first=st.integers(0, 9_999),
    index=st.integers(0, 15),
    flight=st.integers(0, 1_000_000),
    drones=st.integers(1, 16),
)
def test_no_flight_of_any_drone_is_in_a_held_out_world(
    first: int, index: int, flight: int, drones: int
) -> None:
    begins = training_seed(first, index % drones, drones)
    assert seed_of_flight(begins, flight) in TRAINING


@pytest.mark.parametrize(
    ('changes', 'complaint'),
    [
        ({'seed': 10_000}, 'seed 10000 is held out'),
        ({'world': 'rooms,castle'}, "unknown world 'castle'"),
        ({'start': '/nowhere.safetensors'}, 'start /nowhere.safetensors: there is no such file'),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_starts(
    changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        fleet(FleetConfig(**changes))


def test_a_start_that_was_trained_for_another_task_is_refused(pedra: Path) -> None:
    with pytest.raises(ValueError, match='trained for another task than drone'):
        fleet(FleetConfig(start=str(pedra)))
    assert fleet(FleetConfig(start=str(pedra), task='pedra'))


@pytest.mark.parametrize('name', TASKS)
def test_the_task_alone_says_how_often_a_drone_decides(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    bridge = drone(FleetConfig(task=name, drones=1), 0)[1]
    assert BridgeConfig(**bridge.parameters).period == TASKS[name].decision_period
    assert not caplog.records
    bridge = drone(FleetConfig(task=name, drones=1, period=0.2), 0)[1]  # an old launch line
    assert BridgeConfig(**bridge.parameters).period == TASKS[name].decision_period
    assert 'period is deprecated' in caplog.text


def test_the_trainer_comes_first_and_waits_for_everybody_where_time_does_not() -> None:
    free, step = fleet(FleetConfig())[0], fleet(FleetConfig(lockstep=True))[0]
    assert free.name == step.name == 'trainer'
    assert free.parameters['drones'] == 'drone0,drone1'
    assert (free.parameters['nice'], step.parameters['nice']) == (10, 0)
    assert all(process.respawn for process in fleet(FleetConfig()))


def test_several_drones_of_one_airsim_are_named_and_run_free() -> None:
    config = FleetConfig(simulator='airsim', vehicles='red,blue')
    vehicles = [
        one.parameters['vehicle'] for one in fleet(config) if one.executable == 'airsim_bridge'
    ]
    assert vehicles == ['red', 'blue']
    assert not any('simulator' in one.name for one in fleet(config))
    with pytest.raises(ValueError, match='vehicles names 1 for 2 drones'):
        FleetConfig(simulator='airsim', vehicles='red')
    with pytest.raises(ValueError, match='fly without it'):
        FleetConfig(simulator='airsim', vehicles='red,blue', lockstep=True)


def test_every_process_of_a_fleet_is_installed_as_a_program() -> None:
    if not (resources.prefix() / 'lib' / 'rapid_nav').is_dir():
        pytest.skip('the package is not installed')
    for process in fleet(FleetConfig()):
        assert os.access(process.command('rapid')[0], os.X_OK)


def test_a_fleet_of_pedras_is_told_its_task_and_has_its_camera(tmp_path: Path) -> None:
    config = FleetConfig(out=str(tmp_path), task='pedra', drones=1)
    assert trainer(config).parameters['task'] == 'pedra'
    simulator, bridge, _ = drone(config, 0)
    assert bridge.parameters['task'] == 'pedra'
    assert any(word.endswith('pedra.json') for word in simulator.arguments)
