"""Checkpoints come back as they went, and a damaged one says what is wrong."""

import pickle

from networks import THREE_EXITS
import pytest
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint, CheckpointError
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.inference.network_config import NetworkConfig


@pytest.fixture
def saved(tmp_path):
    network = EarlyExitNetwork(NetworkConfig((3, 36, 64), 25, THREE_EXITS)).eval()
    whole = Checkpoint(network, {'name': 'flight'}, {'balanced': (0.5, 0.25)}, {'seed': 3})
    path = tmp_path / 'policy.safetensors'
    checkpoint.save(path, whole)
    return path, whole


def test_a_checkpoint_comes_back_as_it_went(saved):
    path, whole = saved
    again = checkpoint.load(path)
    observation = torch.rand(4, 3, 36, 64)
    for before, after in zip(
        whole.network.answers(observation), again.network.answers(observation), strict=True
    ):
        torch.testing.assert_close(before, after, rtol=0, atol=0)
    assert again.thresholds('balanced') == (0.5, 0.25)
    assert again.card['seed'] == 3
    with pytest.raises(ValueError, match='economy.*it has balanced, full'):
        again.thresholds('economy')


@pytest.mark.parametrize('share', [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused_by_name(saved, share):
    path, _ = saved
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CheckpointError, match=r'policy.safetensors: not a whole'):
        checkpoint.load(path)


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / 'evil.pt'
    path.write_bytes(pickle.dumps(EvilOnLoad()))
    with pytest.raises(CheckpointError):
        checkpoint.load(path)
    assert not EvilOnLoad.loaded


class EvilOnLoad:
    """Runs code when it is unpickled."""

    loaded = False

    def __reduce__(self):
        return setattr, (EvilOnLoad, 'loaded', True)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match='nothing.safetensors: no such checkpoint'):
        checkpoint.load(tmp_path / 'nothing.safetensors')
