"""The compiled network says what the trained one says, earlier, and on a robot without PyTorch."""

import dataclasses
import subprocess
import sys
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st
from networks import THREE_EXITS
import numpy as np
import pytest
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint, CheckpointError
from rapid_nav.agent.config import c3f2_stages
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference import policy_package
from rapid_nav.inference.exit_rule import (
    Answer,
    decide,
    levels_of,
    NonFiniteAnswer,
    only_exit,
    sigmoid,
)
from rapid_nav.inference.network_config import Conv, NetworkConfig, Stage
from rapid_nav.inference.policy import load_policy, Policy

RAPID = NetworkConfig((3, 36, 64), 25, THREE_EXITS)
SHARED = NetworkConfig(
    (2, 10, 10),
    4,
    (
        Stage((Conv(4, 3, 1),), hidden=8),
        Stage((), hidden=8),
        Stage((Conv(8, 3, 2),), hidden=16),
        Stage((Conv(8, 3, 1, 1), Conv(4, 1, 1)), hidden=16),
    ),
)
SHAPES = {
    'own stems': RAPID,
    'one trunk': SHARED,
    'no cascade': dataclasses.replace(SHARED, cascade=False),
    'no duel': dataclasses.replace(RAPID, duelling=False),
    'no branches': RAPID.without_branches,
    'pooled': NetworkConfig((3, 103, 103), 25, c3f2_stages(), duelling=False),
    'pooled and shared': NetworkConfig(
        (2, 20, 20),
        4,
        (
            Stage((Conv(4, 3, 1, pool=2, pool_stride=2), Conv(4, 3, 1)), hidden=8),
            Stage((Conv(8, 3, 1, pool=3, pool_stride=1),), hidden=16),
            Stage((Conv(8, 3, 1),), 16),
        ),
    ),
    'no convolution': NetworkConfig((2, 4, 5), 3, (Stage((), 4), Stage((Conv(4, 3, 1),), 8))),
}


def make_checkpoint(config, seed=1):
    torch.manual_seed(seed)
    network = EarlyExitNetwork(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1.5)  # so that answers differ from each other by more than rounding
    return Checkpoint(
        network,
        {'name': 'flight'},
        {'balanced': (0.5,) * (network.num_levels - 1)},
        {'seed': seed},
    )


def observe(config, count=50):
    return np.random.default_rng(0).random((count, 1, *config.input_shape), np.float32)


@pytest.mark.parametrize('config', SHAPES.values(), ids=SHAPES)
def test_onnx_says_what_eager_says_at_every_exit(config):
    made = make_checkpoint(config)
    eager, compiled = Policy(made, 'eager'), Policy(made)
    for observation in observe(config):
        for theirs, ours in zip(
            eager.answers(observation), compiled.answers(observation), strict=True
        ):
            np.testing.assert_allclose(ours.q_values, theirs.q_values, atol=1e-4)
            np.testing.assert_allclose(ours.confidence_logit, theirs.confidence_logit, atol=1e-4)
    assert compiled.macs == eager.macs == made.network.config.macs


def test_onnx_decides_what_eager_decides():
    made = make_checkpoint(RAPID)
    eager, compiled = Policy(made, 'eager'), Policy(made)
    levels = set()
    for observation in observe(RAPID):
        seen = [float(answer.confidence_logit[0]) for answer in eager.answers(observation)]
        thresholds = [
            1 / (1 + np.exp(-sure)) + 1e-3 * side
            for sure, side in zip(
                seen[:-1], np.random.default_rng(len(levels)).choice([-1, 1], 2), strict=True
            )
        ]
        theirs, ours = (policy.decide(observation, thresholds) for policy in (eager, compiled))
        assert (ours.action, ours.level, ours.macs) == (theirs.action, theirs.level, theirs.macs)
        assert ours.confidences == pytest.approx(theirs.confidences, abs=1e-4)
        levels.add(ours.level)


def test_no_later_stage_runs_after_an_exit():
    policy = Policy(make_checkpoint(RAPID))
    for level, thresholds in enumerate([(0.0, 0.0), (1.5, 0.0)]):
        for stage in policy.stages.stages:
            stage.q_values[:] = 0.0
        policy.decide(observe(RAPID, 1)[0], thresholds)
        ran = [bool(stage.q_values.any()) for stage in policy.stages.stages]
        assert ran == [index <= level for index in range(3)]


@pytest.mark.parametrize('config', [RAPID, SHARED, RAPID.without_branches])
def test_the_fast_decision_is_the_exit_rules(config):
    policy = Policy(make_checkpoint(config))
    rng, levels = np.random.default_rng(0), set()
    for observation in observe(config, 200):
        thresholds = tuple(rng.normal(0.5, 0.1, policy.num_levels - 1))
        until = int(rng.integers(1, 6))
        rule = decide(
            policy.answers(observation),
            thresholds,
            policy.macs,
            lambda level, until=until: level < until,
        )
        assert (
            policy.decide(observation, thresholds, lambda level, until=until: level < until)
            == rule
        )
        levels.add(rule.level)
    assert levels == set(range(policy.num_levels))


def test_out_of_time_takes_the_best_answer_there_is():
    policy = Policy(make_checkpoint(RAPID))
    observation = observe(RAPID, 1)[0]
    decision = policy.decide(observation, (1.5, 1.5), may_run=lambda level: level < 2)
    assert decision.level == 1
    assert decision.confidence < decision.threshold


def test_a_decision_outlives_the_next_one():
    policy = Policy(make_checkpoint(RAPID))
    one, two = observe(RAPID, 2)
    first = policy.decide(one, (0.0, 0.0))
    policy.decide(two, (0.0, 0.0))
    assert policy.decide(one, (0.0, 0.0)) == first


@pytest.mark.parametrize('runtime', ['onnx', 'eager'])
def test_what_is_written_where_the_network_reads_decides_as_what_is_handed_in(runtime):
    policy = Policy(make_checkpoint(RAPID), runtime)
    for observation in observe(RAPID, 5):
        handed_in = policy.decide(observation, (0.5, 0.5))
        policy.observation[:] = 0.0
        policy.observation[:] = observation
        assert policy.decide(policy.observation, (0.5, 0.5)) == handed_in


@pytest.fixture
def files(tmp_path):
    trained, exported = tmp_path / 'policy.safetensors', tmp_path / 'policy.zip'
    checkpoint.save(trained, make_checkpoint(RAPID))
    policy_package.export(trained, exported)
    return trained, exported


def test_either_form_of_a_policy_decides_alike(files):
    trained, exported = (load_policy(path) for path in files)
    for observation in observe(RAPID, 5):
        for point in ('balanced', 'full'):
            thresholds = trained.metadata.thresholds(point)
            assert trained.decide(observation, thresholds) == exported.decide(
                observation, exported.metadata.thresholds(point)
            )
    assert exported.metadata == trained.metadata
    assert exported.metadata.card['seed'] == 1


WITHOUT = """
import sys
for missing in {missing!r}:
    sys.modules[missing] = None  # importing it raises ImportError
import numpy as np
from rapid_nav.inference.policy import load_policy
policy = load_policy({path!r})
seen = np.zeros((1, 3, 36, 64), np.float32)
print(policy.decide(seen, policy.metadata.thresholds('full')).level)
"""


@pytest.mark.parametrize(
    'form, missing',
    [(0, ['torch', 'safetensors.torch']), (1, ['torch', 'onnx', 'safetensors.torch'])],
)
def test_a_machine_without_pytorch_decides(files, form, missing):
    script = WITHOUT.format(missing=missing, path=str(files[form]))
    answer = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, check=False
    )
    assert answer.stdout.strip() == '2', answer.stderr


def test_an_export_of_an_earlier_version_with_more_files_decides_the_same(files):
    trained, exported = files
    with zipfile.ZipFile(exported, 'a') as archive:
        archive.writestr('stage_0.npz', b'the first stage, once more')
    ours, theirs = load_policy(exported), load_policy(trained)
    for observation in observe(RAPID, 3):
        assert ours.decide(observation, (0.5,)) == theirs.decide(observation, (0.5,))


@pytest.mark.parametrize('share', [0.0, 0.3, 0.999])
def test_a_truncated_export_is_refused_by_name(files, share):
    _, path = files
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r'policy.zip: not a whole'):
        load_policy(path)


def test_an_export_with_a_damaged_stage_is_refused_by_name(files):
    _, path = files
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in parts.items():
            archive.writestr(name, b'nonsense' if name == 'stage_1.onnx' else content)
    with pytest.raises(CheckpointError, match=r'policy.zip: not a whole'):
        load_policy(path)


def test_a_wrong_observation_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match='this network reads'):
        Policy(make_checkpoint(RAPID)).decide(np.zeros((1, 1, 2, 2), np.float32), (0.5, 0.5))


@pytest.mark.parametrize('runtime', ['onnx', 'eager'])
def test_an_observation_of_another_kind_or_range_is_refused(runtime):
    policy = Policy(make_checkpoint(RAPID), runtime)
    sound = observe(RAPID, 1)[0]
    for bad in (
        (255 * sound).astype(np.uint8),
        sound.astype(np.float64),
        255 * sound,
        -sound,
        np.where(sound > 0.9, np.float32(np.nan), sound),
        np.where(sound > 0.9, np.float32(np.inf), sound),
    ):
        with pytest.raises(ValueError, match=r'observation .* in \[0, 1\]'):
            policy.decide(bad, (0.5, 0.5))


@pytest.mark.parametrize('bad', [(0.5, 0.5, 0.5), (5.0,), (), 0.5, (0.5, float('nan')), (-0.1,)])
def test_thresholds_that_are_not_one_a_branch_are_refused(bad):
    policy = Policy(make_checkpoint(RAPID))
    with pytest.raises(ValueError, match='threshold'):
        policy.decide(observe(RAPID, 1)[0], bad)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_one_decision_leaves_where_its_batch_does(data):
    levels = data.draw(st.integers(1, 5))
    finite = st.floats(-30.0, 30.0, width=32)
    logits = data.draw(st.lists(finite, min_size=levels - 1, max_size=levels - 1))
    thresholds = data.draw(st.lists(st.floats(0.0, 2.0), min_size=levels - 1, max_size=levels - 1))
    answers = [Answer(np.zeros((1, 2), np.float32), (logit,)) for logit in (*logits, np.inf)]
    decision = decide(answers, thresholds, range(1, levels + 1))
    sure = [sigmoid(logit) for logit in (*logits, np.inf)]
    batched = levels_of(
        torch.tensor(sure, dtype=torch.float64)[:, None],
        torch.tensor(thresholds, dtype=torch.float64),
    )
    assert decision.level == int(batched[0])
    assert decision.confidences == tuple(sure[: decision.level + 1])
    for level in range(levels):
        alone = decide(answers, only_exit(level, levels), range(1, levels + 1))
        assert alone.level == level


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_no_number_is_no_decision(bad):
    q_values = np.array([[0.0, bad]], np.float32)
    for answers in ([Answer(q_values, (0.0,))], [Answer(torch.from_numpy(q_values), (0.0,))]):
        with pytest.raises(NonFiniteAnswer):
            decide(answers, (), (1,))
    with pytest.raises(NonFiniteAnswer):
        decide([Answer(np.zeros((1, 2)), (bad,))] * 2, (0.5,), (1, 2))


def test_an_unknown_runtime_is_named(files):
    with pytest.raises(ValueError, match="no runtime 'tpu'; choose one of onnx, eager"):
        load_policy(files[1], runtime='tpu')
