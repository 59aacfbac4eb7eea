"""Batch-1 inference that ends at the exit it takes."""

from collections.abc import Sequence

import numpy as np
import torch

from rapid_nav.core import exits
from rapid_nav.core.checkpoint import Checkpoint
from rapid_nav.core.cost import macs_by_level
from rapid_nav.core.exits import Decision


class Policy:
    """A checkpoint ready to decide, one observation at a time."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        self.network = checkpoint.network.eval()
        self.macs = macs_by_level(self.network)

    @torch.inference_mode()
    def decide(self, observation: np.ndarray, thresholds: Sequence[float]) -> Decision:
        """Decide for observation (1, C, H, W) float32 in [0, 1]; see exits.decide."""
        answers = self.network.answers(torch.from_numpy(observation))
        return exits.decide(answers, thresholds, self.macs)
