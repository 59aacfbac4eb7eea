"""The exit rule: where to stop, for one decision as it is made and for a batch afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
import math
from typing import Any, NamedTuple, TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# PyTorch is not imported here: a robot that only decides has no use for it.


class Answer(NamedTuple):
    """What one exit says, in tensors or in arrays."""

    q_values: Any  # (B, A)
    confidence: Any  # (B,) logit of being sure enough; +inf at the last exit


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


def check_thresholds(thresholds: Sequence[float], num_levels: int) -> tuple[float, ...]:
    """Return one threshold a branch from one for all or one for each; ValueError otherwise."""
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
    return tuple(float(threshold) for threshold in thresholds)


def in_time(_level: int) -> bool:
    """Say that there is time for every stage."""
    return True


def decide(
    answers: Iterable[Answer],
    thresholds: Sequence[float],
    macs: Sequence[int],
    may_run: Callable[[int], bool] = in_time,
    agree: bool = False,
) -> Decision:
    """
    Take the first answer that is sure enough; no later stage runs.

    ``thresholds`` has one confidence for each branch, ``macs`` the cumulative operations of
    each exit (see cost.macs_by_level). ``may_run`` is asked before each stage but the first;
    when it says no, the newest answer is taken as it is. With ``agree``, a branch whose action
    is not that of the branch before it is never sure enough.
    """
    num_levels = len(macs)
    confidences: list[float] = []
    before = -1  # what the branch before would do
    for level, answer in enumerate(answers):
        last = level == num_levels - 1
        confidence = 1.0 if last else sigmoid(float(answer.confidence[0]))
        threshold = 0.0 if last else float(thresholds[level])
        confidences.append(confidence)
        q_values = answer.q_values[0]
        action = int(q_values.argmax())
        sure = confidence >= threshold and not (agree and not last and before not in (-1, action))
        if sure or not may_run(level + 1):
            return Decision(
                action,
                level,
                num_levels,
                confidence,
                threshold,
                macs[level],
                macs[level] / macs[-1],
                tuple(confidences),
            )
        before = action
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
