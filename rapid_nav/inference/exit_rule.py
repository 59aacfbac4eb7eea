"""The exit rule: where to stop, for one decision as it is made and for a batch afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
import math
from typing import Any, NamedTuple, TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# PyTorch is not imported here: a robot that only decides has no use for it.

NEVER = 1.5
"""The threshold of a branch that never exits: no confidence reaches it."""


class Answer(NamedTuple):
    """What one exit says, in tensors or in arrays."""

    q_values: Any  # (B, A)
    confidence_logit: Any  # (B,); +inf at the last exit


class Decision(NamedTuple):
    """One decision of an early-exit network, and what it cost."""

    action: int
    level: int  # the exit that answered, from 0
    num_levels: int
    confidence: float  # of that exit, in [0, 1]; 1 at the last
    threshold: float  # that it had to reach; 0 at the last. More than confidence: out of time
    macs: int
    macs_ratio: float  # to the full path of the same network
    confidences: tuple[float, ...] = ()  # of every exit that was asked, this one's included


class NonFiniteAnswer(ValueError):
    """A network's answer that is no number, and so no decision."""


def only_exit(level: int, num_levels: int) -> tuple[float, ...]:
    """Return the thresholds (L - 1,) under which every decision leaves at one exit."""
    return tuple(0.0 if branch == level else NEVER for branch in range(num_levels - 1))


def check_thresholds(thresholds: Sequence[float], num_levels: int) -> tuple[float, ...]:
    """Return one threshold a branch from one for all or one for each; ValueError otherwise."""
    if not isinstance(thresholds, Sequence):
        raise ValueError(f'thresholds {thresholds!r}: give a tuple with one for each branch')
    if len(thresholds) == 1:
        thresholds = tuple(thresholds) * (num_levels - 1)
    if len(thresholds) != num_levels - 1:
        raise ValueError(
            f'{len(thresholds)} thresholds for {num_levels - 1} branches; give one for each, '
            'or one for all'
        )
    if any(not 0.0 <= threshold <= 2.0 for threshold in thresholds):
        raise ValueError(
            f'thresholds {tuple(thresholds)}: each is a confidence in [0, 1]; above 1 never exits'
        )
    return tuple(map(float, thresholds))


def in_time(_level: int) -> bool:
    """Say that there is time for every stage."""
    return True


def decide(
    answers: Iterable[Answer],
    thresholds: Sequence[float],
    macs: Sequence[int],
    may_run: Callable[[int], bool] = in_time,
) -> Decision:
    """
    Take the first answer that is sure enough; no later stage runs.

    ``thresholds`` has one confidence for each branch, ``macs`` the cumulative operations of
    each exit (NetworkConfig.macs). ``may_run`` is asked before each stage but the first; when it
    says no, the newest answer is taken as it is. Raises NonFiniteAnswer.
    """
    num_levels = len(macs)
    confidences: tuple[float, ...] = ()
    for level, answer in enumerate(answers):
        last = level == num_levels - 1
        q_values = answer.q_values[0]
        logit = 0.0 if last else float(answer.confidence_logit[0])
        if not math.isfinite(sum(q_values.tolist(), logit)):
            raise NonFiniteAnswer(f'exit {level} of the network answered NaN or infinity')
        confidence = 1.0 if last else sigmoid(logit)
        threshold = 0.0 if last else float(thresholds[level])
        confidences += (confidence,)
        if confidence >= threshold or not may_run(level + 1):
            return Decision(
                int(q_values.argmax()),
                level,
                num_levels,
                confidence,
                threshold,
                macs[level],
                macs[level] / macs[-1],
                confidences,
            )
    raise ValueError(f'{num_levels} exits were counted, but the network gave fewer answers')


def sigmoid(logit: float) -> float:
    """Return the logistic function; of an infinite logit, its limit."""
    return 0.5 + 0.5 * math.tanh(0.5 * logit)


def levels_of(confidences: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """
    Return the exit (B,) at which each of a batch would have left.

    ``confidences`` (L, B) in [0, 1], ``thresholds`` (L - 1,) or (L - 1, B). The batched twin of
    ``decide`` for training and evaluation, where all the answers are there anyway.
    """
    limits = thresholds if thresholds.ndim == 2 else thresholds[:, None]
    sure = confidences[:-1] >= limits  # never, if it is NaN
    return (~sure).cumprod(0).sum(0)
