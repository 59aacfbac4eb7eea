"""The shape of an early-exit Q-network: what a checkpoint says of its layers."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
import math
from typing import NamedTuple

from rapid_nav.options import check, REQUIRED, setting

NATURE_DQN_MACS = 9_346_048
"""Mnih et al. 2015 for 84x84x4 and 6 actions: a yardstick that every report is also held to."""

MAX_STAGES = 64
MAX_ACTIONS = 65536  # what exit_level can say
MAX_SIDE = 4096  # [px], and channels of the input

Shape = tuple[int, int, int]
"""Channels, height and width (C, H, W)."""


@dataclass(frozen=True)
class Conv:
    """One convolution, followed by a ReLU and perhaps by max-pooling."""

    channels: int = setting(REQUIRED, 'Filters.', low=1, high=4096)
    kernel: int = setting(REQUIRED, "Side of the filters' window.", unit='px', low=1, high=256)
    stride: int = setting(REQUIRED, 'Step of the window.', unit='px', low=1, high=256)
    padding: int = setting(0, 'Margin of zeros around the input.', unit='px', low=0, high=255)
    pool: int = setting(
        0, 'Side of the max-pooled window; 0 disables pooling.', unit='px', low=0, high=256
    )
    pool_stride: int = setting(1, 'Step of the pooled window.', unit='px', low=1, high=256)

    def __post_init__(self) -> None:
        check(self)

    def size(self, side: int) -> int:
        """Return the pixels that are left of a side, before any pooling."""
        return (side + 2 * self.padding - self.kernel) // self.stride + 1

    def pooled(self, side: int) -> int:
        """Return the pixels that pooling leaves of a side; a part of a window is left out."""
        return (side - self.pool) // self.pool_stride + 1 if self.pool else side


@dataclass(frozen=True)
class Stage:
    """A piece of the network that ends in an answer: convolutions, then a dense head."""

    convs: tuple[Conv, ...]  # applied in order; () answers from the source as it is
    hidden: int = setting(
        REQUIRED, 'Units of the dense layer in front of the Q-values.', low=1, high=65536
    )
    source: str = setting(
        'previous',
        "Input of the stage: the feature map of the stage before ('previous') or the image "
        "('input').",
        choices=('previous', 'input'),
    )
    doubt: int = setting(
        0, "Units beside the hidden ones that only a branch's confidence reads.", low=0, high=65536
    )

    @property
    def width(self) -> int:
        """The units of the dense layer, those of the confidence included."""
        return self.hidden + self.doubt

    def __post_init__(self) -> None:
        check(self)


class Weight(NamedTuple):
    """A weight of the network, its bias aside."""

    level: int  # of the stage that it belongs to
    shape: tuple[int, ...]  # (out, in) or (out, in, kernel, kernel)
    pixels: int  # that it is applied to: 1 for a dense layer


@dataclass(frozen=True)
class NetworkConfig:
    """An early-exit Q-network: its stages in the order of their exits, the last the full one."""

    input_shape: Shape
    num_actions: int
    stages: tuple[Stage, ...]
    duelling: bool = setting(
        True, 'The last head has a stream for the value and one for advantages.'
    )
    cascade: bool = setting(True, 'A branch also reads the answer of the branch before it.')

    def __post_init__(self) -> None:
        check(self)
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise ValueError(
                f'stages has {len(self.stages)} entries; a network has 1 to {MAX_STAGES}'
            )
        if not 1 <= self.num_actions <= MAX_ACTIONS:
            raise ValueError(
                f'num_actions is {self.num_actions}; it must lie in [1, {MAX_ACTIONS}]'
            )
        if any(not 1 <= size <= MAX_SIDE for size in self.input_shape):
            raise ValueError(
                f'input_shape is {self.input_shape}; each size must lie in [1, {MAX_SIDE}]'
            )
        _ = self._layers  # raises ValueError if a convolution leaves nothing of its input

    def reads_input(self, level: int) -> bool:
        """Return whether a stage reads the image, and not the features before it."""
        return level == 0 or self.stages[level].source == 'input'

    @property
    def without_branches(self) -> 'NetworkConfig':
        """The plain network: the last stage and those that its features pass through."""
        first = max(
            (i for i, stage in enumerate(self.stages) if stage.source == 'input'), default=0
        )
        if first == len(self.stages) - 1:
            return dataclasses.replace(self, stages=self.stages[-1:])
        convs = tuple(conv for stage in self.stages[first:] for conv in stage.convs)
        last = dataclasses.replace(self.stages[-1], convs=convs, source='input')
        return dataclasses.replace(self, stages=(last,))

    @property
    def weights(self) -> dict[str, Weight]:
        """The weights by the names that EarlyExitNetwork gives them."""
        return self._layers[0]

    @property
    def feature_shapes(self) -> list[Shape]:
        """The shape (C, H, W) of each stage's feature map."""
        return self._layers[1]

    @cached_property
    def macs(self) -> tuple[int, ...]:
        """
        The multiply-accumulates spent by a decision that leaves at each exit.

        Cumulative: every branch that was evaluated and rejected on the way is in, with its
        confidence head. Biases, activations and pooling are not multiply-accumulates.
        """
        spent = [0] * len(self.stages)
        for weight in self.weights.values():
            spent[weight.level] += weight.pixels * math.prod(weight.shape)
        return tuple(sum(spent[: level + 1]) for level in range(len(spent)))

    @cached_property
    def _layers(self) -> tuple[dict[str, Weight], list[Shape]]:
        weights: dict[str, Weight] = {}
        shapes: list[Shape] = []
        carried = 0  # what a branch hands to the next one: hidden units and Q-values
        for level, stage in enumerate(self.stages):
            last = level == len(self.stages) - 1
            shape = self.input_shape if self.reads_input(level) else shapes[-1]
            place = 0  # among the layers of the trunk
            for conv in stage.convs:
                height, width = (conv.size(side) for side in shape[1:])
                kernels = (conv.channels, shape[0], conv.kernel, conv.kernel)
                weights[f'trunks.{level}.{place}'] = Weight(level, kernels, height * width)
                place += 3 if conv.pool else 2
                shape = conv.channels, conv.pooled(height), conv.pooled(width)
                if min(height, width, *shape) < 1:
                    raise ValueError(f'stages[{level}]: {conv} leaves nothing of its input')
            shapes.append(shape)
            features = math.prod(shape) + (carried if self.cascade and not last else 0)
            dense = {'dense': (stage.hidden, features), 'q': (self.num_actions, stage.hidden)}
            if not last:
                dense['confidence'] = 1, stage.width + self.num_actions
                if stage.doubt:
                    dense['doubt'] = stage.doubt, features
            elif self.duelling:
                dense |= {'value_dense': (stage.hidden, features), 'value': (1, stage.hidden)}
            for name, size in dense.items():
                weights[f'heads.{level}.{name}'] = Weight(level, size, 1)
            carried = stage.width + self.num_actions
        return weights, shapes
