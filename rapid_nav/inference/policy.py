"""Batch-1 inference that ends at the exit it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rapid_nav.inference import policy_package
from rapid_nav.inference.checkpoint_format import CheckpointError
from rapid_nav.inference.exit_rule import Answer, decide, Decision, in_time
from rapid_nav.inference.onnx_policy import OnnxStages
from rapid_nav.inference.policy_package import PolicyPackage

if TYPE_CHECKING:
    from rapid_nav.agent.checkpoint import Checkpoint

RUNTIMES = ('onnx', 'eager')
Answers = Callable[[np.ndarray], Iterator[Answer]]
"""From an observation (1, C, H, W) float32 to the answers of a network, lazily."""


class Policy:
    """
    A network ready to decide, one observation at a time, in one thread.

    ``runtime`` 'onnx' runs ONNX Runtime, one session a stage, and needs no PyTorch; 'eager' is
    PyTorch as it was trained, for comparison.
    """

    def __init__(
        self, policy: Checkpoint | PolicyPackage, runtime: str = 'onnx', threads: int = 1
    ) -> None:
        self.metadata = policy.metadata
        self.macs = policy.metadata.network.macs  # cumulative operations of each exit
        # What is written here before a decision need not be copied for it.
        self.observation = np.zeros((1, *policy.metadata.network.input_shape), np.float32)
        self.answers: Answers
        self.stages: OnnxStages | None = None
        if runtime == 'eager':
            if isinstance(policy, PolicyPackage):
                raise ValueError('an exported policy has no PyTorch network; name its checkpoint')
            self.answers = eager_answers(policy, threads)
        elif runtime == 'onnx':
            package = policy if isinstance(policy, PolicyPackage) else policy.package()
            self.stages = OnnxStages(package, threads, self.observation)
            self.answers = self.stages.answers
        else:
            raise ValueError(f'no runtime {runtime!r}; choose one of {", ".join(RUNTIMES)}')

    @property
    def num_levels(self) -> int:
        """The number of exits, the full network included."""
        return len(self.macs)

    def decide(
        self,
        observation: np.ndarray,
        thresholds: Sequence[float],
        may_run: Callable[[int], bool] = in_time,
    ) -> Decision:
        """Decide for observation (1, C, H, W) float32 in [0, 1]; see exit_rule.decide."""
        if observation.shape != self.observation.shape:
            raise ValueError(
                f'observation is {observation.shape}; this network reads {self.observation.shape}'
            )
        return decide(self.answers(observation), thresholds, self.macs, may_run)


def load_policy(path: Path | str, runtime: str = 'onnx', threads: int = 1) -> Policy:
    """Load a checkpoint or what was exported from one; CheckpointError names file and fault."""
    if runtime == 'eager':
        from rapid_nav.agent import checkpoint

        return Policy(checkpoint.load(path), runtime, threads)
    package = policy_package.load(path)
    try:
        return Policy(package, runtime, threads)
    except Exception as error:  # ONNX Runtime's errors have no class of their own
        raise CheckpointError(
            f'{path}: ONNX Runtime refuses it ({error}); export it again'
        ) from error


def eager_answers(checkpoint: Checkpoint, threads: int = 1) -> Answers:
    """Return the answers of the network as PyTorch runs it, operation by operation."""
    import torch

    torch.set_num_threads(threads)
    network = checkpoint.network.eval()

    @torch.inference_mode()
    def answers(observation: np.ndarray) -> Iterator[Answer]:
        yield from network.answers(torch.from_numpy(observation))

    return answers
