"""The first exit as machine code says what PyTorch says, and ONNX Runtime stands in for it."""

import dataclasses
import logging
import sys
import zipfile

from networks import THREE_EXITS
import numpy as np
import pytest
import torch

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.config import (
    c3f2_stages,
    Conv,
    light_stages,
    nature_stages,
    NetworkConfig,
    rapid_stages,
    Stage,
)
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference import machine_code, policy_package
from rapid_nav.inference.policy import load_policy, Policy

FULL = Stage((Conv(8, 4, 4),), 16, source='input')


def branch(*convs, hidden=16, doubt=0, shape=(3, 36, 64), actions=25):
    return NetworkConfig(shape, actions, (Stage(convs, hidden, 'input', doubt), FULL))


RAPID = NetworkConfig((3, 36, 64), 25, rapid_stages())
FIT = {
    'drone': RAPID,
    'light': NetworkConfig((3, 36, 64), 25, light_stages()),
    'odd sizes': branch(Conv(8, 3, 2), hidden=13, doubt=6, shape=(1, 23, 31), actions=3),
    'many filters': branch(Conv(104, 4, 4), Conv(56, 3, 2, 1), hidden=150),
    'three with margins': branch(Conv(24, 5, 3), Conv(40, 3, 1, 1), Conv(16, 3, 2, 2)),
    'one pixel': branch(Conv(16, 4, 4), shape=(2, 4, 4)),
}
UNFIT = {
    'three exits': NetworkConfig((3, 36, 64), 25, THREE_EXITS),
    'a later stage goes on from it': NetworkConfig((4, 84, 84), 6, nature_stages()),
    'pooled': NetworkConfig((3, 103, 103), 25, c3f2_stages()),
    'no branches': RAPID.without_branches,
    'margin around the image': branch(Conv(16, 4, 4, 2)),
    'no whole vectors': branch(Conv(12, 4, 4)),
    'no convolution': NetworkConfig((2, 4, 5), 3, (Stage((), 4, 'input'), Stage((), 8, 'input'))),
}


def made(config, seed=1):
    torch.manual_seed(seed)
    network = EarlyExitNetwork(config).eval()
    return Checkpoint(
        network, {'name': 'flight'}, {'balanced': (0.5,) * (network.num_levels - 1)}, {}
    )


def deployed(config, seed=1):
    checkpoint = made(config, seed)
    return policy_package.from_weights(
        checkpoint.about,
        {name: weight.numpy() for name, weight in checkpoint.network.state_dict().items()},
    )


def observe(config, count=20):
    return np.random.default_rng(0).random((count, 1, *config.input_shape), np.float32)


@pytest.mark.parametrize('config', FIT.values(), ids=FIT)
def test_it_says_what_pytorch_says(config):
    checkpoint = made(config)
    eager, ours = Policy(checkpoint, 'eager'), Policy(checkpoint)
    assert ours.stages.compiled is not None
    for observation in observe(config):
        for theirs, answer in zip(
            eager.answers(observation), ours.answers(observation), strict=True
        ):
            np.testing.assert_allclose(answer.q_values, theirs.q_values, atol=1e-4)
            np.testing.assert_allclose(answer.confidence, theirs.confidence, atol=1e-4)


@pytest.mark.parametrize('config', UNFIT.values(), ids=UNFIT)
def test_what_does_not_fit_runs_in_onnx_runtime(config):
    assert not machine_code.fits(config)
    whole = deployed(config)
    assert not whole.first
    assert Policy(whole).stages.compiled is None


def test_a_network_whose_stages_share_nothing_fits_with_three_exits():
    stages = (FULL, dataclasses.replace(FULL, hidden=24), FULL)
    config = NetworkConfig((3, 36, 64), 25, stages, cascade=False)
    assert Policy(made(config)).stages.compiled is not None
    assert not machine_code.fits(dataclasses.replace(config, cascade=True))


def same_without(whole):
    """Assert that the first exit of a policy runs in ONNX Runtime, with the same answer."""
    ours, theirs = Policy(whole), Policy(dataclasses.replace(whole, first={}))
    assert ours.stages.compiled is theirs.stages.compiled is None
    for observation in observe(RAPID, 3):
        assert ours.decide(observation, (0.0,)) == theirs.decide(observation, (0.0,))


def test_a_machine_without_llvm_decides_the_same(monkeypatch):
    machine_code._program.cache_clear()
    monkeypatch.setitem(sys.modules, 'llvmlite', None)  # importing it raises ImportError
    same_without(deployed(RAPID))


def test_code_that_contradicts_onnx_runtime_does_not_fly(caplog):
    whole = deployed(RAPID)
    whole.first['answer.bias'][3] += 0.1
    with caplog.at_level(logging.WARNING):
        same_without(whole)
    assert 'contradicts' in caplog.text


@pytest.mark.parametrize(
    'spoil',
    [
        lambda first: first.update({'conv1.weight': first['conv1.weight'][:, :, 1:]}),
        lambda first: first.update({'answer.weight': first['answer.weight'][:, :-1]}),
        lambda first: first.update({'dense.bias': first['dense.bias'].astype('U8')[:5]}),
        lambda first: first.pop('dense.weight'),
    ],
)
def test_layers_that_are_not_the_stages_do_not_fly(spoil, caplog):
    whole = deployed(RAPID)
    spoil(whole.first)
    with caplog.at_level(logging.WARNING):
        same_without(whole)
    assert 'not whole' in caplog.text or 'contradicts' in caplog.text


def test_new_weights_need_no_compiler():
    first = Policy(deployed(RAPID, 1))
    compiled = machine_code._program.cache_info().misses
    second = Policy(deployed(RAPID, 2))
    assert machine_code._program.cache_info().misses == compiled
    one = observe(RAPID, 1)[0]
    before = first.decide(one, (0.0,))
    assert second.decide(one, (0.0,)).confidence != before.confidence
    assert first.decide(one, (0.0,)) == before


def test_an_exported_policy_carries_it_and_an_older_one_does_without(tmp_path):
    whole = deployed(RAPID)
    policy_package.save(tmp_path / 'new.zip', whole)
    with (
        zipfile.ZipFile(tmp_path / 'new.zip') as new,
        zipfile.ZipFile(tmp_path / 'old.zip', 'w') as old,
    ):
        for name in set(new.namelist()) - {policy_package.FIRST}:
            old.writestr(name, new.read(name))
    new, old = (load_policy(tmp_path / name) for name in ('new.zip', 'old.zip'))
    assert new.stages.compiled is not None
    assert old.stages.compiled is None
    one = observe(RAPID, 1)[0]
    assert new.decide(one, (0.0,)) == Policy(whole).decide(one, (0.0,))
    assert old.decide(one, (0.0,)).confidence == pytest.approx(
        new.decide(one, (0.0,)).confidence, abs=1e-5
    )
