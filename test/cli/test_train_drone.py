"""A short training on the drone: it runs, saves, and resumes as if it had not been interrupted."""

import dataclasses
import json
import os
from pathlib import Path
import random
import resource
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
from rapid_nav.agent.metrics_log import MetricsLog, read_rows
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.run_directory import RunDirectory, settings_of
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
    distilled = dataclasses.replace(
        SHORT, out=tmp_path / 'distilled', teacher=tmp_path / 'plain' / 'policy.safetensors'
    )
    assert main(distilled) == 0
    teacher = checkpoint.load(tmp_path / 'plain' / 'policy.safetensors').network
    policy = checkpoint.load(tmp_path / 'distilled' / 'policy.safetensors')
    observation = torch.rand(4, *teacher.config.input_shape)
    torch.testing.assert_close(policy.network(observation), teacher(observation))
    assert policy.card['teacher']['steps'] == 640
    rows = [
        json.loads(line) for line in (tmp_path / 'distilled/log.jsonl').read_text().splitlines()
    ]
    assert 'regret_0' in rows[-1] and 'td_error' not in rows[-1]
    with pytest.raises(ValueError, match='no branches'):
        main(dataclasses.replace(distilled, network='small'))
    with pytest.raises(ValueError, match='another task'):
        main(dataclasses.replace(distilled, flight=FlightTask(fov=60.0)))


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


def files(folder: Path) -> dict[str, bytes]:
    """Return all that a folder holds, but for the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file() and path.name != '.lock'
    }


@pytest.fixture(scope='module')
def finished(tmp_path_factory) -> Path:
    """Return the folder of a training run that came to its end."""
    folder = tmp_path_factory.mktemp('finished')
    assert main(dataclasses.replace(SHORT, out=folder)) == 0
    return folder


def test_a_finished_run_says_so_and_changes_nothing(finished, capsys):
    before = files(finished)
    assert main(dataclasses.replace(SHORT, out=finished)) == 0
    assert f'{finished}: finished at step 640 already; nothing is changed' in (
        capsys.readouterr().out
    )
    assert files(finished) == before


@pytest.mark.parametrize(
    ('changes', 'named'),
    [
        ({'train': dataclasses.replace(SHORT.train, seed=9)}, 'train.seed is 0 there and 9 here'),
        ({'train': dataclasses.replace(SHORT.train, steps=1280)}, 'train.steps is 640 there'),
        ({'agent': dataclasses.replace(SHORT.agent, n_step=1)}, 'agent.n_step is 5 there and 1'),
        ({'network': 'plain'}, 'network is rapid there and plain here'),
        ({'worlds': 'forest'}, 'worlds is pillars there and forest here'),
        ({'flight': FlightTask(fov=60.0)}, 'flight.fov is 90.0 there and 60.0 here'),
        ({'tight_share': 0.5}, 'tight_share is 0.0 there and 0.5 here'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_another_run_in_the_folder_is_refused_by_the_settings_that_differ(
    finished, changes, named
):
    before = files(finished)
    with pytest.raises(ValueError, match=f'holds another training run: .*{named}') as refusal:
        main(dataclasses.replace(SHORT, out=finished, **changes))
    assert '\n' not in str(refusal.value)
    assert files(finished) == before


def interrupted(folder: Path, at: int = 320) -> None:
    """Leave the folder of a run that was killed some steps after it had saved its state."""
    loop = begin()
    advance_to(loop, at)
    with (
        RunDirectory(
            folder, settings_of(SHORT, ('out', 'save_seconds', 'resume', 'points'))
        ) as directory,
        MetricsLog(folder) as log,
    ):
        directory.save(None, loop.state_dict())
        for step in (at - 16, at, at + 16, at + 32):
            log(step, {})
    with (folder / 'log.jsonl').open('a') as file:
        file.write('{"step": 36')


def test_a_run_that_goes_on_says_from_where_and_its_log_never_runs_backwards(
    finished, tmp_path, capsys
):
    interrupted(tmp_path)
    assert main(dataclasses.replace(SHORT, out=tmp_path)) == 0
    assert f'{tmp_path}: going on from step 320' in capsys.readouterr().out
    rows = read_rows(tmp_path / 'log.jsonl')
    assert [row['step'] for row in rows] == [304, *range(320, 641, 8)]
    assert [row['seconds'] for row in rows] == sorted(row['seconds'] for row in rows)
    ours, straight = (
        checkpoint.load(folder / 'policy.safetensors').network for folder in (tmp_path, finished)
    )
    for name, weight in straight.state_dict().items():
        assert torch.equal(weight, ours.state_dict()[name]), name


def test_equal_seeds_log_equal_steps_and_figures(finished, tmp_path):
    assert main(dataclasses.replace(SHORT, out=tmp_path)) == 0
    ours, theirs = (read_rows(folder / 'log.jsonl') for folder in (tmp_path, finished))
    assert [row['step'] for row in ours] == [row['step'] for row in theirs]
    assert [row.get('td_error') for row in ours] == [row.get('td_error') for row in theirs]


def test_a_state_of_another_network_is_refused_in_one_line(tmp_path):
    env = DroneVectorEnv(SHORT.flight, training_worlds('pillars', 1), SHORT.train.num_envs)
    plain = make_loop(env, network_for(SHORT.flight, 'plain'), SHORT.agent, SHORT.train, 3)
    # As version 0.1 wrote it: without settings to compare.
    training_state.save(tmp_path / 'state.safetensors', plain.state_dict())
    with pytest.raises(training_state.StateError, match='are of another network') as refusal:
        main(dataclasses.replace(SHORT, out=tmp_path))
    assert '\n' not in str(refusal.value) and len(str(refusal.value)) < 400


def test_a_state_of_version_0_1_goes_on(finished, tmp_path, caplog):
    loop = begin(quantiles=4, noisy=0.5)
    advance_to(loop, 560)
    old = {}
    for name, array in loop.state_dict().items():
        for then, now in (
            ('learner.network.', 'learner.online.network.'),
            ('learner.target.', 'learner.target.network.'),
            ('learner.aids.quantiles.', 'learner.online.quantile_head.'),
            ('learner.aids.noise.', 'learner.online.noisy_layers.'),
            ('learner.target_aids.quantiles.', 'learner.target.quantile_head.'),
            ('learner.target_aids.noise.', 'learner.target.noisy_layers.'),
            ('replay.taught', 'replay.teacher_q'),
        ):
            if name.startswith(now):
                old[then + name.removeprefix(now)] = array
                break
        else:
            old[name] = array
    counters = training_state.decode_json(old['counters'])
    old['counters'] = training_state.encode_json(
        {
            'step': counters['step'],
            'owed': 0.0,
            'recent': old.pop('recent').tolist(),
            'metrics': counters['metrics'],
            'flown_by_exits': counters['distilling'],
        }
    )
    training_state.save(tmp_path / 'state.safetensors', old)
    resumed = begin(quantiles=4, noisy=0.5)
    with RunDirectory(tmp_path, {}) as directory:
        directory.restore(resumed, directory.load())
    assert 'version 0.1' in caplog.text
    for one in (loop, resumed):
        advance_to(one, 640)
    ours, theirs = loop.state_dict(), resumed.state_dict()
    for name in ours:
        if name != 'counters':  # with what watches for divergence, which was not kept
            np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize('seed', [10_000, 25_000])
def test_held_out_seeds_train_nothing(tmp_path, seed):
    with pytest.raises(ValueError, match=f'seed {seed} is held out'):
        dataclasses.replace(SHORT, train=dataclasses.replace(SHORT.train, seed=seed))
    env = DroneVectorEnv(SHORT.flight, training_worlds('pillars', 1), SHORT.train.num_envs)
    with pytest.raises(ValueError, match='is held out'):
        make_loop(
            env,
            network_for(SHORT.flight),
            SHORT.agent,
            dataclasses.replace(SHORT.train, seed=seed),
            history=3,
        )


def wait_for(condition, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_runs_in_one_folder_do_not_meet(tmp_path):
    process = subprocess.Popen(script(tmp_path, steps=10**6), stdout=subprocess.DEVNULL)
    try:
        wait_for((tmp_path / 'state.safetensors').exists)
        with pytest.raises(ValueError, match=f'{tmp_path} is in use by process {process.pid} '):
            main(dataclasses.replace(SHORT, out=tmp_path))
    finally:
        process.kill()
        process.wait()
    with RunDirectory(tmp_path, {}):  # the lock has died with its process
        pass


def test_a_full_disk_stops_no_training_and_is_tried_again(tmp_path):
    errors = tmp_path / 'stderr'
    with errors.open('w') as file:
        process = subprocess.Popen(
            script(tmp_path, steps=10**6), stdout=subprocess.DEVNULL, stderr=file
        )
    try:
        wait_for((tmp_path / 'state.safetensors').exists)
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, hard))
        wait_for(lambda: 'training goes on and tries to save again' in errors.read_text())
        assert process.poll() is None
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        whole = (tmp_path / 'state.safetensors').stat().st_ino
        wait_for(lambda: (tmp_path / 'state.safetensors').stat().st_ino != whole)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 130
    finally:
        process.kill()
        process.wait()
    assert 'Traceback' not in errors.read_text()
    training_state.load(tmp_path / 'state.safetensors')
    assert [path.name for path in tmp_path.glob('.*')] == ['.lock']


def script(out: Path, steps: int = SHORT.train.steps) -> list[str]:
    """Return the command of a process that trains, and saves after every step."""
    return [
        sys.executable,
        '-c',
        f"""
import dataclasses, pathlib, sys
sys.path[:0] = {sys.path!r}
from short_training import SHORT
from rapid_nav.cli.train_drone import main
train = dataclasses.replace(SHORT.train, steps={steps})
sys.exit(main(dataclasses.replace(
    SHORT, out=pathlib.Path({str(out)!r}), save_seconds=0.0, train=train
)))
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
