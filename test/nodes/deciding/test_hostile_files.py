"""Whatever a policy's file holds: it flies as it says, or it is refused in one line."""

import copy
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st
from networks import THREE_EXITS
import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference import checkpoint_format, policy_package
from rapid_nav.inference.checkpoint_format import CheckpointError
from rapid_nav.inference.network_config import NetworkConfig
from rapid_nav.inference.policy import load_policy
from rapid_nav.nodes.deciding.loading import load

WEIGHTS = 'policy.safetensors'


def make_policy() -> Checkpoint:
    """Return a policy of the drone's task that has learned nothing yet."""
    torch.manual_seed(0)
    network = EarlyExitNetwork(NetworkConfig((3, 36, 64), 25, THREE_EXITS)).eval()
    return Checkpoint(network, FlightTask().to_dict(), {'brisk': (0.5, 0.25)}, {'seed': 3})


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a sound policy."""
    path = tmp_path_factory.mktemp('models') / WEIGHTS
    checkpoint.save(path, make_policy())
    return path


def rewritten(trained: Path, metadata: str, **changed: np.ndarray) -> Path:
    """Write a file with other settings, or other weights, beside a sound one."""
    weights = safetensors.numpy.load_file(trained) | changed
    path = trained.with_name('changed.safetensors')
    path.write_bytes(safetensors.numpy.save(weights, {'rapid_nav': metadata}))
    return path


def settings_of(trained: Path) -> dict:
    with safetensors.safe_open(trained, framework='np') as file:
        return json.loads(file.metadata()['rapid_nav'])


def assert_refused(path: Path, why: str = '') -> None:
    """Assert that every reader refuses a file in one line that names it."""
    for read in (load, load_policy):
        with pytest.raises(CheckpointError, match=why) as refusal:
            read(str(path))
        assert str(refusal.value).startswith(f'{path}: ')
        assert '\n' not in str(refusal.value) and len(str(refusal.value)) < 600


def places(values: object, path: tuple = ()) -> list[tuple]:
    """Return the path of every entry of nested values."""
    below = (
        values.items()
        if isinstance(values, dict)
        else enumerate(values)
        if isinstance(values, list)
        else ()
    )
    return [path] + [one for key, value in below for one in places(value, (*path, key))]


STRANGE = st.one_of(
    st.sampled_from(
        [0, -1, -5, 1.5, 1e9, 10**9, 10**400, 2**63, True, None, '', 'x', [], {}, [[]], {'x': 1}]
    ),
    st.sampled_from([float('nan'), float('inf'), -float('inf'), 1e300]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(-1, 5), max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_changed_settings_fly_or_are_refused_in_one_line(trained: Path, data: st.DataObject):
    values = settings_of(trained)
    for _ in range(data.draw(st.integers(1, 2))):
        where = data.draw(st.sampled_from(places(values)[1:]))
        inside = values
        for key in where[:-1]:
            inside = inside[key]
        kind = data.draw(st.sampled_from(['replace', 'remove', 'add']))
        if kind == 'replace':
            inside[where[-1]] = copy.deepcopy(data.draw(STRANGE))
        elif kind == 'remove':
            del inside[where[-1]]
        elif isinstance(inside, dict):
            inside['more'] = data.draw(STRANGE)
        if not places(values)[1:]:
            break
    path = rewritten(trained, json.dumps(values))
    try:
        policy = load(str(path)).network
    except CheckpointError as refusal:
        assert '\n' not in str(refusal) and len(str(refusal)) < 600
        return
    decision = policy.decide(np.zeros((1, 3, 36, 64), np.float32), (1.5,))
    assert 0 <= decision.action < 25 and decision.level == 2


@pytest.mark.parametrize(
    'where, value, named',
    [
        (('network', 'stages', 0, 'convs', 0, 'channels'), 0, r'stages\[0\].convs\[0\].channels'),
        (('network', 'stages', 0, 'convs', 0, 'channels'), -1, r'channels is -1'),
        (('network', 'stages', 0, 'convs', 0, 'channels'), 1.5, 'a whole number'),
        (('network', 'stages', 1, 'convs', 0, 'kernel'), 0, r'convs\[0\].kernel is 0'),
        (('network', 'stages', 0, 'hidden'), 10**9, r'stages\[0\].hidden is 1000000000'),
        (('network', 'stages', 0, 'hidden'), 31, 'its settings want'),
        (('network', 'num_actions'), 10**9, 'num_actions is 1000000000'),
        (('network', 'input_shape'), [3, 36], 'must have 3 entries'),
        (('operating_points', 'brisk'), [float('nan'), 0.5], 'operating_points.brisk'),
        (('operating_points', 'brisk'), [0.5, 0.5, 0.5], '3 thresholds for 2 branches'),
        (('task', 'actions', 'slow_distance'), None, 'actions.slow_distance is None'),
        (('task', 'fov'), 'x', "fov is 'x'"),
        (('format',), 2, 'format 1'),
    ],
)
def test_a_setting_that_cannot_be_is_named(trained: Path, where: tuple, value, named: str):
    values = settings_of(trained)
    inside = values
    for key in where[:-1]:
        inside = inside[key]
    inside[where[-1]] = value
    path = rewritten(trained, json.dumps(values))
    with pytest.raises(CheckpointError, match=named):
        load(str(path))


def test_settings_nested_without_end_are_refused(trained: Path):
    assert_refused(rewritten(trained, '[' * 100_000))
    assert_refused(rewritten(trained, '[' + ' ' * checkpoint_format.MAX_METADATA + ']'), 'bytes')


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
def test_one_weight_that_is_no_number_grounds_a_policy(trained: Path, tmp_path: Path, bad):
    weights = safetensors.numpy.load_file(trained)
    weights['heads.1.q.weight'][3, 2] = bad
    changed = {'heads.1.q.weight': weights['heads.1.q.weight']}
    path = rewritten(trained, json.dumps(settings_of(trained)), **changed)
    assert_refused(path, r'heads.1.q.weight has values that are NaN or infinite')
    broken = make_policy()
    with torch.no_grad():
        broken.network.heads[1].q.weight[3, 2] = bad
    exported = tmp_path / 'policy.zip'
    policy_package.save(exported, broken.package())
    assert_refused(exported, 'NaN or infinite')
    with pytest.raises(CheckpointError, match='not written'):
        checkpoint.save(tmp_path / 'offer.safetensors', broken)
    assert not (tmp_path / 'offer.safetensors').exists()


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('runtime', ['onnx', 'eager'])
def test_weights_whose_answers_are_no_numbers_ground_a_policy(trained: Path, runtime: str):
    huge = {
        'heads.0.q.weight': np.full((25, 32), 3e38, np.float32),
        'heads.0.confidence.weight': np.full((1, 73), 1e37, np.float32),
    }
    path = rewritten(trained, json.dumps(settings_of(trained)), **huge)
    with pytest.raises(CheckpointError, match='exit 0 of the network answered NaN or infinity'):
        load_policy(path, runtime)


def test_weights_of_another_kind_are_refused(trained: Path):
    values = json.dumps(settings_of(trained))
    assert_refused(rewritten(trained, values, **{'heads.0.q.bias': np.zeros(25, np.int32)}), 'int')
    assert_refused(rewritten(trained, values, more=np.zeros(3, np.float32)), 'more is')


def test_only_regular_files_up_to_a_size_are_read(tmp_path: Path):
    assert_refused(Path('/dev/zero'), 'not a regular file')
    assert_refused(tmp_path, 'not a regular file')
    os.mkfifo(tmp_path / 'pipe')
    assert_refused(tmp_path / 'pipe', 'not a regular file')
    large = tmp_path / 'large.safetensors'
    with large.open('wb') as file:
        file.truncate(checkpoint_format.MAX_BYTES + 1)
    assert_refused(large, 'at most')


@pytest.fixture
def exported(trained: Path, tmp_path: Path) -> Path:
    path = tmp_path / 'policy.zip'
    policy_package.export(trained, path)
    return path


def repacked(exported: Path, **changed: bytes) -> Path:
    """Write an exported policy again, packed, with some files changed."""
    with zipfile.ZipFile(exported) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts |= {name.replace('__', '.'): content for name, content in changed.items()}
    with zipfile.ZipFile(exported, 'w', zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return exported


def test_a_packed_policy_of_any_size_is_not_unpacked(exported: Path):
    whole = exported.read_bytes()
    assert_refused(repacked(exported, policy__json=b' ' * 2**21), 'policy.json has')
    exported.write_bytes(whole)
    bomb = bytes(checkpoint_format.MAX_BYTES + 1)
    packed = repacked(exported, stage_1__onnx=bomb)
    assert packed.stat().st_size < checkpoint_format.MAX_BYTES / 50
    assert_refused(packed, 'stage_1.onnx has .* at most')


def test_a_zip_of_thousands_of_files_is_not_listed(exported: Path):
    with zipfile.ZipFile(exported, 'a') as archive:
        for index in range(5000):
            archive.writestr(f'{index}', b'')
    assert_refused(exported, 'files in one zip')


def stage_of(exported: Path) -> onnx.ModelProto:
    with zipfile.ZipFile(exported) as archive:
        return onnx.load_from_string(archive.read('stage_0.onnx'))


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField('raw_data')
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key='location', value='../../secret')


def with_constant(model: onnx.ModelProto) -> None:
    value = onnx.helper.make_tensor('x', onnx.TensorProto.FLOAT, [1], [0.0])
    model.graph.node.append(onnx.helper.make_node('Constant', [], ['more'], value=value))


def with_margin(model: onnx.ModelProto) -> None:
    pads = next(one for one in model.graph.node[0].attribute if one.name == 'pads')
    pads.ints[:] = [10**6] * 4


def without_slope(model: onnx.ModelProto) -> None:
    del model.metadata_props[:]


@pytest.mark.parametrize(
    'spoil, why',
    [
        (outside, 'lies outside of the file'),
        (with_constant, 'no stage has|no operator'),
        (with_margin, 'an attribute of a layer'),
        (without_slope, 'slope'),
    ],
)
def test_a_stage_that_no_export_makes_is_refused(exported: Path, spoil, why: str):
    model = stage_of(exported)
    spoil(model)
    assert_refused(repacked(exported, stage_0__onnx=model.SerializeToString()), why)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0), byte=st.integers(0, 255))
def test_a_stage_with_any_byte_changed_flies_or_is_refused_in_one_line(
    trained: Path, place: int, byte: int
):
    whole = trained.with_name('whole.zip')
    if not whole.exists():
        policy_package.export(trained, whole)
    changed = trained.with_name('changed.zip')
    shutil.copy(whole, changed)
    model = bytearray(stage_of(whole).SerializeToString())
    model[place % len(model)] = byte
    try:
        load_policy(repacked(changed, stage_0__onnx=bytes(model)))
    except CheckpointError as refusal:
        assert '\n' not in str(refusal)


SPENDING = """
import sys
from rapid_nav.inference.policy import load_policy
for path in sys.argv[1:]:
    try:
        load_policy(path)
    except ValueError:
        continue
    raise SystemExit(f'{path} was taken')
status = open('/proc/self/status').read()
print(int(status.split('VmHWM:')[1].split()[0]) / 1024)  # MiB
"""


def test_no_hostile_file_takes_more_than_300_megabytes(trained: Path, tmp_path: Path):
    paths = ['/dev/zero']
    for index, (where, value) in enumerate(
        [('hidden', 10**9), ('hidden', 65536), ('width', 1), ('num_actions', 10**9)]
    ):
        values = settings_of(trained)
        stage = values['network']['stages'][0]
        (values['network'] if where == 'num_actions' else stage)[where] = value
        path = tmp_path / f'{index}.safetensors'
        rewritten(trained, json.dumps(values)).rename(path)
        paths.append(str(path))
    exported = tmp_path / 'bomb.zip'
    policy_package.export(trained, exported)
    paths.append(str(repacked(exported, stage_1__onnx=bytes(checkpoint_format.MAX_BYTES + 1))))
    answer = subprocess.run(
        [sys.executable, '-c', SPENDING, *paths], capture_output=True, text=True, check=True
    )
    assert float(answer.stdout) < 300.0
