"""The shape of an early-exit Q-network: what a checkpoint says of its layers."""

from collections.abc import Iterator, Mapping
import dataclasses
from dataclasses import dataclass
from functools import cached_property
import math
from typing import Any, NamedTuple

from rapid_nav.options import check, setting

NATURE_DQN_MACS = 9_346_048
"""Mnih et al. 2015 for 84x84x4 and 6 actions: a yardstick that every report is also held to."""

C3F2_MACS = 20_314_400
"""PEDRA's C3F2 for 103x103x3 and 25 actions."""

Shape = tuple[int, int, int]
"""Channels, height and width (C, H, W)."""


@dataclass(frozen=True)
class Conv:
    """One convolution, followed by a ReLU and perhaps by max-pooling."""

    channels: int
    kernel: int
    stride: int
    padding: int = 0
    pool: int = 0  # side of the pooled window; 0 pools nothing
    pool_stride: int = 1

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
    hidden: int  # units of the dense layer in front of the Q-values
    source: str = 'previous'  # 'previous': the stage before's feature map; 'input': the image
    doubt: int = 0  # units beside the hidden ones that only a branch's confidence reads

    @property
    def width(self) -> int:
        """The units of the dense layer, those of the confidence included."""
        return self.hidden + self.doubt

    def __post_init__(self) -> None:
        if self.source not in ('previous', 'input'):
            raise ValueError(f"Stage.source is {self.source!r}; choose 'previous' or 'input'")


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
        if not self.stages:
            raise ValueError('NetworkConfig.stages is empty; a network needs at least one stage')
        check(self)

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

    @cached_property
    def weights(self) -> dict[str, Weight]:
        """The weights by the names that EarlyExitNetwork gives them."""
        return dict(self._weights())

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

    def _weights(self) -> Iterator[tuple[str, Weight]]:
        shape, carried = self.input_shape, 0
        for level, stage in enumerate(self.stages):
            last = level == len(self.stages) - 1
            shape = self.input_shape if self.reads_input(level) else shape
            place = 0  # among the layers of the trunk
            for conv in stage.convs:
                channels, (height, width) = shape[0], map(conv.size, shape[1:])
                yield (
                    f'trunks.{level}.{place}',
                    Weight(
                        level, (conv.channels, channels, conv.kernel, conv.kernel), height * width
                    ),
                )
                place += 3 if conv.pool else 2
                shape = conv.channels, conv.pooled(height), conv.pooled(width)
                if min(shape[1:]) < 1:
                    raise ValueError(f'{conv} of stage {level} leaves nothing of its input')
            features = math.prod(shape) + (carried if self.cascade and not last else 0)
            heads = {'dense': (stage.hidden, features), 'q': (self.num_actions, stage.hidden)}
            if not last:
                if stage.doubt:
                    heads['doubt'] = stage.doubt, features
                heads['confidence'] = 1, stage.width + self.num_actions
            elif self.duelling:
                heads |= {'value_dense': (stage.hidden, features), 'value': (1, stage.hidden)}
            for name, size in heads.items():
                yield f'heads.{level}.{name}', Weight(level, size, 1)
            carried = stage.width + self.num_actions


def network_from_dict(values: Mapping[str, Any]) -> NetworkConfig:
    """Rebuild a NetworkConfig from JSON values; raise ValueError on any surprise."""
    try:
        values = dict(values)
        values['input_shape'] = tuple(int(size) for size in values['input_shape'])
        values['stages'] = tuple(
            Stage(**{**stage, 'convs': tuple(Conv(**conv) for conv in stage['convs'])})
            for stage in values['stages']
        )
        return NetworkConfig(**values)
    except (KeyError, TypeError) as error:
        raise ValueError(f'not a network configuration: {error}') from error
