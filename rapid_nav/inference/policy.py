"""Batch-1 inference that ends at the exit it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rapid_nav.inference import policy_package
from rapid_nav.inference.checkpoint_format import refusing
from rapid_nav.inference.exit_rule import (
    Answer,
    check_thresholds,
    decide,
    Decision,
    in_time,
    NEVER,
)
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
        self._given: tuple[float, ...] | None = None  # thresholds that were checked already
        self._checked: tuple[float, ...] = ()
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
        """
        Decide for observation (1, C, H, W) float32 in [0, 1]; see exit_rule.decide.

        Raises ValueError for another observation, for thresholds that are not one a branch (or
        one for all) and, as NonFiniteAnswer, where the network answers NaN or infinity.
        """
        if observation.shape != self.observation.shape or observation.dtype != np.float32:
            raise ValueError(
                f'observation is {observation.shape} {observation.dtype}; this network reads '
                f'{self.observation.shape} float32 in [0, 1]'
            )
        # The places of the extremes take a fifth of the time that min() and max() do.
        least, most = (observation.item(at()) for at in (observation.argmin, observation.argmax))
        if not (least >= 0.0 and most <= 1.0):  # nor if it has a NaN
            raise ValueError(
                f'observation lies in [{least:g}, {most:g}]; this network reads values in [0, 1]'
            )
        if thresholds is not self._given:
            self._checked = check_thresholds(thresholds, self.num_levels)
            self._given = thresholds if isinstance(thresholds, tuple) else None
        return decide(self.answers(observation), self._checked, self.macs, may_run)

    def check_answers(self) -> None:
        """Run every exit on a few images; ValueError if one answers NaN or infinity."""
        thresholds = (NEVER,) * (self.num_levels - 1)
        shape = self.observation.shape
        for seen in (
            np.zeros(shape, np.float32),
            np.ones(shape, np.float32),
            np.random.default_rng(0).random(shape, np.float32),
        ):
            self.decide(seen, thresholds)


def load_policy(path: Path | str, runtime: str = 'onnx', threads: int = 1) -> Policy:
    """Load a checkpoint or what was exported from one; CheckpointError names file and fault."""
    package: Checkpoint | PolicyPackage
    if runtime == 'eager':
        from rapid_nav.agent import checkpoint

        package = checkpoint.load(path)
    else:
        package = policy_package.load(path)
    with refusing(Path(path)):
        policy = Policy(package, runtime, threads)
        policy.check_answers()
    return policy


def eager_answers(checkpoint: Checkpoint, threads: int = 1) -> Answers:
    """Return the answers of the network as PyTorch runs it, operation by operation."""
    import torch

    torch.set_num_threads(threads)
    network = checkpoint.network.eval()

    @torch.inference_mode()
    def answers(observation: np.ndarray) -> Iterator[Answer]:
        yield from network.answers(torch.from_numpy(observation))

    return answers
