"""The early-exit Q-network: a generator of answers, each stage run only when it is asked for."""

from collections.abc import Iterator
import math

import torch
from torch import nn

from rapid_nav.inference.exit_rule import Answer
from rapid_nav.inference.network_config import NetworkConfig, Stage


class Head(nn.Module):
    """A stage's dense part: features to Q-values and, for a branch, a confidence logit."""

    def __init__(
        self,
        features: int,
        hidden: int,
        num_actions: int,
        duelling: bool,
        branch: bool,
        doubt: int = 0,
    ) -> None:
        super().__init__()
        self.doubt = nn.Linear(features, doubt) if branch and doubt else None
        self.dense = nn.Linear(features, hidden)
        self.q = nn.Linear(hidden, num_actions)
        self.value_dense = nn.Linear(features, hidden) if duelling else None
        self.value = nn.Linear(hidden, 1) if duelling else None
        self.confidence = nn.Linear(hidden + doubt + num_actions, 1) if branch else None

    def forward(self, features: torch.Tensor) -> tuple[Answer, torch.Tensor]:
        """Map features (B, F) to an answer and the hidden layer (B, hidden + doubt)."""
        hidden = torch.relu(self.dense(features))
        q_values = self.q(hidden)  # (B, A)
        if self.value is not None and self.value_dense is not None:
            value = self.value(torch.relu(self.value_dense(features)))  # (B, 1)
            q_values = value + q_values - q_values.mean(dim=1, keepdim=True)
        if self.confidence is None:
            logit = torch.full_like(q_values[:, 0], torch.inf)
        else:
            if self.doubt is not None:
                hidden = torch.cat([hidden, torch.relu(self.doubt(features))], dim=1)
            spread = q_values - q_values.amax(dim=1, keepdim=True)
            logit = self.confidence(torch.cat([hidden, spread], dim=1)).squeeze(1)
        return Answer(q_values, logit), hidden


class EarlyExitNetwork(nn.Module):
    """
    A deep Q-network with side branches.

    ``answers`` yields one Answer for each exit, from the cheapest to the full network. A stage
    is computed when its answer is asked for, so leaving the loop is leaving the network.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.trunks = nn.ModuleList()
        self.heads = nn.ModuleList()
        shapes = config.feature_shapes
        carried = 0  # inputs that a branch gets from the one before: hidden units and Q-values
        for level, stage in enumerate(config.stages):
            last = level == len(config.stages) - 1
            above = config.input_shape if config.reads_input(level) else shapes[level - 1]
            features = math.prod(shapes[level])
            if config.cascade and not last:
                features += carried
            self.trunks.append(make_trunk(stage, above[0]))
            self.heads.append(
                Head(
                    features,
                    stage.hidden,
                    config.num_actions,
                    duelling=config.duelling and last,
                    branch=not last,
                    doubt=stage.doubt,
                )
            )
            carried = stage.width + config.num_actions

    @property
    def num_levels(self) -> int:
        """The number of exits, the full network included."""
        return len(self.trunks)

    def answers(self, observation: torch.Tensor, isolate: bool = False) -> Iterator[Answer]:
        """
        Yield the answer of each exit for observation (B, C, H, W), float in [0, 1].

        With ``isolate``, no gradient flows from a branch into layers of the full path.
        """
        for answer, _ in self.answers_with_hidden(observation, isolate):
            yield answer

    def answers_with_hidden(
        self, observation: torch.Tensor, isolate: bool = False
    ) -> Iterator[tuple[Answer, torch.Tensor]]:
        """Yield what `answers` does, each with its hidden layer (B, hidden + doubt)."""
        if tuple(observation.shape[1:]) != self.config.input_shape:
            raise ValueError(
                f'observation is {tuple(observation.shape)}; this network reads '
                f'(B, {", ".join(map(str, self.config.input_shape))})'
            )
        features = observation
        carried: torch.Tensor | None = None
        for level in range(self.num_levels):
            answer, features, hidden = self.stage(level, observation, features, carried, isolate)
            yield answer, hidden
            # No gradient flows from a branch to the one before.
            carried = torch.cat([hidden, answer.q_values], dim=1).detach()

    def stage(
        self,
        level: int,
        observation: torch.Tensor,
        features: torch.Tensor,
        carried: torch.Tensor | None,
        isolate: bool = False,
    ) -> tuple[Answer, torch.Tensor, torch.Tensor]:
        """Run one stage; return its answer, its feature map and its hidden layer."""
        source = observation if self.config.reads_input(level) else features
        features = self.trunks[level](source)  # (B, C', H', W')
        flat = features.flatten(1)
        last = level == self.num_levels - 1
        if isolate and not last and self.on_full_path(level):
            flat = flat.detach()
        if self.config.cascade and carried is not None and not last:
            flat = torch.cat([flat, carried], dim=1)
        answer, hidden = self.heads[level](flat)
        return answer, features, hidden

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the full network's Q-values (B, A) alone, without running side branches."""
        q_values: torch.Tensor = self.full_path(observation)[0].q_values
        return q_values

    def full_path(self, observation: torch.Tensor) -> tuple[Answer, torch.Tensor]:
        """Return the last answer alone and its hidden layer (B, hidden)."""
        features = observation
        for level in range(self.num_levels):
            if not self.on_full_path(level):
                continue
            source = observation if self.config.reads_input(level) else features
            features = self.trunks[level](source)
        answer: tuple[Answer, torch.Tensor] = self.heads[-1](features.flatten(1))
        return answer

    def on_full_path(self, level: int) -> bool:
        """Return whether the last exit reads this stage's feature map."""
        return all(later.source == 'previous' for later in self.config.stages[level + 1 :])

    def parameter_groups(self) -> list[list[nn.Parameter]]:
        """Return the parameters of the full path, and those of each side branch."""
        path: list[nn.Parameter] = []
        branches = []
        for level, (trunk, head) in enumerate(zip(self.trunks, self.heads, strict=True)):
            own = list(head.parameters())
            if self.on_full_path(level):
                path += trunk.parameters()
            else:
                own += trunk.parameters()
            if level == self.num_levels - 1:
                path += own
            else:
                branches.append(own)
        return [path, *branches]

    def load_plain(self, plain: 'EarlyExitNetwork') -> None:
        """Copy the weights of the full path from a network without branches."""
        if plain.config != self.config.without_branches:
            raise ValueError('that plain network is not the full path of this one')
        with torch.no_grad():
            for own, other in self._shared_with(plain):
                own.copy_(other)

    def plain(self) -> 'EarlyExitNetwork':
        """Return a network without branches that has the weights of the full path."""
        plain = EarlyExitNetwork(self.config.without_branches)
        with torch.no_grad():
            for own, other in self._shared_with(plain):
                other.copy_(own)
        return plain.train(self.training)

    def _shared_with(
        self, plain: 'EarlyExitNetwork'
    ) -> Iterator[tuple[nn.Parameter, nn.Parameter]]:
        """Yield the weights of the full path, each beside that of the plain network."""
        path = [
            weight
            for level, trunk in enumerate(self.trunks)
            if self.on_full_path(level)
            for weight in trunk.parameters()
        ]
        yield from zip([*path, *self.heads[-1].parameters()], plain.parameters(), strict=True)


def make_trunk(stage: Stage, channels: int) -> nn.Sequential:
    """Build a stage's convolutions for an input (B, C, H, W) of these channels."""
    layers: list[nn.Module] = []
    for conv in stage.convs:
        layers.append(nn.Conv2d(channels, conv.channels, conv.kernel, conv.stride, conv.padding))
        layers.append(nn.ReLU())
        if conv.pool:
            layers.append(nn.MaxPool2d(conv.pool, conv.pool_stride))
        channels = conv.channels
    return nn.Sequential(*layers)
