"""The exit rule: where to stop, for one decision as it is made and for a batch afterwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from rapid_nav.core.network import Answer


@dataclass(frozen=True)
class Decision:
    """One decision of an early-exit network, and what it cost."""

    action: int
    level: int  # the exit that answered, from 0
    num_levels: int
    confidence: float  # of that exit, in [0, 1]; 1 at the last
    threshold: float  # that it had to reach; 0 at the last
    macs: int
    macs_ratio: float  # to the full path of the same network
    q_values: tuple[float, ...]


def check_thresholds(thresholds: Sequence[float], num_levels: int) -> tuple[float, ...]:
    """Return one threshold a branch from one for all or one for each; ValueError otherwise."""
    if len(thresholds) == 1:
        thresholds = tuple(thresholds) * (num_levels - 1)
    if len(thresholds) != num_levels - 1:
        raise ValueError(
            f'{len(thresholds)} thresholds for {num_levels - 1} branches; give one for each, '
            'or one for all')
    if any(not 0.0 <= threshold <= 2.0 for threshold in thresholds):
        raise ValueError(
            f'thresholds {tuple(thresholds)}: each is a confidence in [0, 1]; above 1 never exits')
    return tuple(float(threshold) for threshold in thresholds)


def decide(
    answers: Iterable[Answer], thresholds: Sequence[float], macs: Sequence[int]
) -> Decision:
    """
    Take the first answer that is sure enough; no later stage runs.

    ``thresholds`` has one confidence for each branch, ``macs`` the cumulative operations of
    each exit (see cost.macs_by_level).
    """
    num_levels = len(macs)
    for level, answer in enumerate(answers):
        last = level == num_levels - 1
        confidence = 1.0 if last else float(torch.sigmoid(answer.confidence[0].detach()))
        threshold = 0.0 if last else float(thresholds[level])
        if confidence >= threshold:
            q_values = answer.q_values[0]
            return Decision(
                action=int(q_values.argmax()), level=level, num_levels=num_levels,
                confidence=confidence, threshold=threshold, macs=macs[level],
                macs_ratio=macs[level] / macs[-1], q_values=tuple(q_values.tolist()))
    raise ValueError(f'{num_levels} exits were counted, but the network gave fewer answers')


def levels_of(confidences: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """
    Return the exit (B,) at which each of a batch would have left.

    ``confidences`` (L, B) in [0, 1], ``thresholds`` (L - 1,) or (L - 1, B). The batched twin of
    ``decide`` for training and evaluation, where all the answers are there anyway.
    """
    sure = confidences[:-1] >= (thresholds if thresholds.dim() == 2 else thresholds[:, None])
    sure = torch.cat([sure, torch.ones_like(confidences[-1:], dtype=torch.bool)])
    return sure.to(torch.uint8).argmax(dim=0)
