"""Whole tasks: they survive a checkpoint, and PEDRA's has PEDRA's numbers."""

import dataclasses
import json

import pytest

from rapid_nav.drone.reward import RewardConfig
from rapid_nav.drone.task import FlightTask, name_of, TASKS


@pytest.mark.parametrize('name', TASKS)
def test_a_task_comes_back_from_a_checkpoint_with_its_name(name):
    again = FlightTask.from_dict(json.loads(json.dumps(TASKS[name].to_dict())))
    assert again == TASKS[name] and name_of(again) == name


def test_a_task_from_before_there_were_colours_and_steps_is_the_drones():
    values = FlightTask().to_dict()
    del values['aspect'], values['observation']['kind']
    del values['actions']['motion'], values['actions']['noise']
    assert FlightTask.from_dict(values) == FlightTask()


def test_another_reward_does_not_make_it_another_task():
    pedra = TASKS['pedra']
    assert name_of(dataclasses.replace(pedra, reward=RewardConfig(near=0.05))) == 'pedra'


@pytest.mark.parametrize('name', ['pedra', 'pedra-velocity'])
def test_pedra_has_pedras_numbers(name):
    task = TASKS[name]
    assert task.observation.shape == (3, 103, 103)
    assert (task.fov, task.aspect) == (80.0, pytest.approx(320 / 180))
    assert task.reward == RewardConfig(
        clearance=1.0, new_ground=0.0, crash=-1.0, depth_clip=19.6, near=0.07
    )
    assert task.reward.near * task.reward.depth_clip == pytest.approx(1.37, abs=0.005)
