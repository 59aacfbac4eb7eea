"""A short training on the drone: it runs, saves, and resumes as if it had not been interrupted."""

import dataclasses
import json
import os
from pathlib import Path
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from short_training import SHORT
import torch

from rapid_nav.agent import checkpoint, training_state
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import c3f2_stages
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.cli.train_drone import main, TrainDroneConfig, training_worlds
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.task import FlightTask, TASKS
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.training.loop import EnvironmentLoop, make_loop


def begin(**changes) -> EnvironmentLoop:
    env = DroneVectorEnv(
        SHORT.flight, training_worlds(SHORT.worlds, SHORT.worlds_each), SHORT.train.num_envs
    )
    agent = dataclasses.replace(SHORT.agent, **changes)
    return make_loop(env, network_for(SHORT.flight), agent, SHORT.train, history=3)


def advance_to(loop: EnvironmentLoop, step: int) -> None:
    while loop.trainer.step < step:
        loop.advance()


@pytest.mark.parametrize(
    'changes', [{}, {'quantiles': 4, 'noisy': 0.5}], ids=['', 'quantiles and noise']
)
@pytest.mark.parametrize('saved_at', [320, 560])  # before and in the branches' own phase
def test_a_training_that_was_saved_ends_exactly_as_one_that_never_stopped(
    tmp_path, saved_at, changes
):
    straight = begin(**changes)
    advance_to(straight, saved_at)
    training_state.save(tmp_path / 'state.safetensors', straight.state_dict())
    advance_to(straight, 640)
    resumed = begin(**changes)
    advance_to(resumed, 64)  # somewhere else, to see that everything is taken over
    resumed.load_state_dict(training_state.load(tmp_path / 'state.safetensors'))
    advance_to(resumed, 640)
    assert straight.trainer.learner.updates > 10 and straight.trainer.distilling
    one, other = straight.state_dict(), resumed.state_dict()
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_a_training_leaves_a_checkpoint_a_log_and_events(tmp_path, capsys):
    assert main(dataclasses.replace(SHORT, out=tmp_path, save_seconds=0.5)) == 0
    card = checkpoint.load(tmp_path / 'policy.safetensors').card
    assert card['steps'] == 640 and card['agent']['mode'] == 'rapid'
    rows = [json.loads(line) for line in (tmp_path / 'log.jsonl').read_text().splitlines()]
    assert rows[-1]['step'] == 640 and {'td_error', 'regret_0', 'epsilon'} <= rows[-1].keys()
    assert list((tmp_path / 'events').glob('events.*'))
    assert '640 of 640 steps' in capsys.readouterr().out


def test_the_baseline_without_branches_trains_to_its_end(tmp_path):
    assert main(dataclasses.replace(SHORT, out=tmp_path, network='plain')) == 0
    baseline = checkpoint.load(tmp_path / 'policy.safetensors')
    assert baseline.network.num_levels == 1 and baseline.card['steps'] == 640


def test_branches_learn_from_a_teacher_that_stays_as_it_was(tmp_path):
    main(dataclasses.replace(SHORT, out=tmp_path / 'plain', network='plain'))
    taught = dataclasses.replace(
        SHORT, out=tmp_path / 'taught', teacher=tmp_path / 'plain' / 'policy.safetensors'
    )
    assert main(taught) == 0
    teacher = checkpoint.load(tmp_path / 'plain' / 'policy.safetensors').network
    policy = checkpoint.load(tmp_path / 'taught' / 'policy.safetensors')
    observation = torch.rand(4, *teacher.config.input_shape)
    torch.testing.assert_close(policy.network(observation), teacher(observation))
    assert policy.card['teacher']['steps'] == 640
    rows = [json.loads(line) for line in (tmp_path / 'taught/log.jsonl').read_text().splitlines()]
    assert 'regret_0' in rows[-1] and 'td_error' not in rows[-1]
    with pytest.raises(ValueError, match='no branches'):
        main(dataclasses.replace(taught, network='small'))
    with pytest.raises(ValueError, match='another task'):
        main(dataclasses.replace(taught, flight=FlightTask(fov=60.0)))


def test_a_teacher_from_before_a_setting_was_there_still_teaches(tmp_path):
    task = FlightTask().to_dict()
    del task['aspect'], task['observation']['kind'], task['actions']['motion']
    path = tmp_path / 'old.safetensors'
    checkpoint.save(path, Checkpoint(EarlyExitNetwork(network_for(FlightTask(), 'plain')), task))
    few = dataclasses.replace(SHORT.train, steps=160)
    assert main(dataclasses.replace(SHORT, out=tmp_path, teacher=path, train=few)) == 0


def test_pedra_trains_its_own_network_to_its_end(tmp_path):
    pedra = TrainDroneConfig.of('pedra')
    train = dataclasses.replace(
        pedra.train, steps=96, num_envs=4, steps_per_update=16, replay_size=200, learning_starts=32
    )
    agent = dataclasses.replace(pedra.agent, batch_size=2)
    assert (
        main(
            dataclasses.replace(
                pedra,
                out=tmp_path,
                worlds='pillars',
                worlds_each=1,
                points=False,
                agent=agent,
                train=train,
            )
        )
        == 0
    )
    policy = checkpoint.load(tmp_path / 'policy.safetensors')
    assert policy.network.config == NetworkConfig((3, 103, 103), 25, c3f2_stages(), duelling=False)
    assert policy.card['task'] == 'pedra'
    assert FlightTask.from_dict(policy.task) == TASKS['pedra']


def test_bags_hold_no_colours_to_learn_pedra_from(tmp_path):
    with pytest.raises(ValueError, match='bags hold depth images'):
        main(
            dataclasses.replace(
                TrainDroneConfig.of('pedra'), out=tmp_path, bag=(tmp_path / 'flight.mcap',)
            )
        )


def test_a_damaged_state_is_named_and_left_alone(tmp_path):
    path = tmp_path / 'state.safetensors'
    path.write_bytes(b'half a state')
    with pytest.raises(
        training_state.StateError, match=r'state.safetensors.*delete it to start anew'
    ):
        main(dataclasses.replace(SHORT, out=tmp_path))
    assert path.read_bytes() == b'half a state'


def script(out: Path) -> list[str]:
    return [
        sys.executable,
        '-c',
        f"""
import dataclasses, pathlib, sys
sys.path[:0] = {sys.path!r}
from short_training import SHORT
from rapid_nav.cli.train_drone import main
main(dataclasses.replace(SHORT, out=pathlib.Path({str(out)!r}), save_seconds=0.0))
""",
    ]


@pytest.mark.slow
def test_ten_kills_at_any_moment_lose_no_file_and_every_resume_works(tmp_path):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    rng = random.Random(0)
    for _ in range(10):
        process = subprocess.Popen(script(tmp_path), env=environment, stderr=subprocess.PIPE)
        time.sleep(rng.uniform(4.0, 9.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert b'Error' not in process.stderr.read()
        if (tmp_path / 'state.safetensors').exists():
            training_state.load(tmp_path / 'state.safetensors')
        if (tmp_path / 'policy.safetensors').exists():
            checkpoint.load(tmp_path / 'policy.safetensors')
    subprocess.run(script(tmp_path), env=environment, check=True)
    assert checkpoint.load(tmp_path / 'policy.safetensors').card['steps'] == SHORT.train.steps
