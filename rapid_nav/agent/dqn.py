"""The learner: one update of the Q-network and its exits, and its actions meanwhile."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig
from rapid_nav.agent.losses import distillation_loss, regression_loss, regret
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.agent.noisy_layers import NoisyLayers
from rapid_nav.agent.quantile_head import QuantileHead
from rapid_nav.agent.replay import Batch
from rapid_nav.agent.training_state import part, with_prefix
from rapid_nav.inference.exit_rule import Answer


class GreedyActions(NamedTuple):
    """The greedy action of every exit of a network."""

    actions: np.ndarray  # (L, B)
    confidences: np.ndarray  # (L, B) in [0, 1]
    q_values: np.ndarray  # (B, A) of the full path


class TrainedNetwork(nn.Module):
    """A network and what its full path learns with but is shipped without, none by default."""

    def __init__(self, network: EarlyExitNetwork, config: AgentConfig) -> None:
        super().__init__()
        self.network = network
        hidden, num_actions = network.config.stages[-1].hidden, network.config.num_actions
        self.quantile_head = (
            QuantileHead(hidden, num_actions, config.quantiles) if config.quantiles > 1 else None
        )
        self.noisy_layers = (
            NoisyLayers(network.heads[-1], config.noisy) if config.noisy > 0 else None
        )

    @contextmanager
    def noisy(self, each: bool = False) -> Iterator[None]:
        """Add noise to the full path, if that is asked for; see `NoisyLayers.added_to`."""
        if self.noisy_layers is None:
            yield
            return
        with self.noisy_layers.added_to(self.network.heads[-1], each):
            yield

    def returns(
        self, q_values: torch.Tensor, hidden: torch.Tensor, actions: torch.Tensor
    ) -> torch.Tensor:
        """Return the quantiles (B, N) of actions (B,), or their Q-values (B, 1), of (B, A)."""
        chosen = q_values.gather(1, actions[:, None])
        if self.quantile_head is None:
            return chosen
        quantiles: torch.Tensor = self.quantile_head(chosen.squeeze(1), hidden, actions)
        return quantiles

    def extra_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that are not the network's own."""
        return [
            parameter
            for module in (self.quantile_head, self.noisy_layers)
            if module is not None
            for parameter in module.parameters()
        ]


class Learner:
    """
    Double DQN (van Hasselt et al. 2016) on the full path, and the training of side branches.

    ``rapid``: branches are distilled from the full path (Rusu et al. 2016) and their confidence
    is the probability that their action loses at most a tolerance of the full path's Q-value.
    ``joint`` and ``paper``: branches learn by Q-learning on the same Bellman targets and their
    confidence is the probability of agreeing with the full path; ``paper`` trains the full path
    first and then each branch in turn behind a frozen one, ``joint`` everything at once.
    """

    def __init__(
        self, network: EarlyExitNetwork, config: AgentConfig, device: str = 'cpu'
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.online = TrainedNetwork(
            network.to(  # type: ignore[call-overload]  # the stubs lack the format
                self.device, memory_format=torch.channels_last
            ),
            config,
        ).to(self.device)
        self.target = copy.deepcopy(self.online).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            self.online.parameters(), lr=config.learning_rate, eps=config.adam_epsilon, fused=True
        )
        self.updates = 0

    @property
    def network(self) -> EarlyExitNetwork:
        """The network that learns, as it is shipped."""
        return self.online.network

    def to_float(self, observation: np.ndarray) -> torch.Tensor:
        """Return an observation (B, C, H, W) as the network reads it; uint8 becomes [0, 1]."""
        tensor = torch.from_numpy(observation).to(self.device)
        scale = 255.0 if tensor.dtype == torch.uint8 else 1.0
        return tensor.to(torch.float32, memory_format=torch.channels_last) / scale

    @torch.no_grad()
    def act(self, observation: np.ndarray, explore: bool = False) -> GreedyActions:
        """
        Return the action of each exit for observations (B, C, H, W), and its confidence.

        With ``explore``, noisy layers draw noise for each observation.
        """
        with self.online.noisy(each=True) if explore else nullcontext():
            answers = list(self.network.answers(self.to_float(observation)))
        actions = torch.stack([answer.q_values.argmax(dim=1) for answer in answers])
        confidences = torch.stack([torch.sigmoid(answer.confidence_logit) for answer in answers])
        return GreedyActions(
            actions.cpu().numpy(), confidences.cpu().numpy(), answers[-1].q_values.cpu().numpy()
        )

    def bellman_targets(self, batch: Batch) -> torch.Tensor:
        """
        Return the n-step targets of the full path, from the target network.

        They are (B, N) for N quantiles, (B, 1) for expected values.
        """
        with torch.no_grad():
            s_t = self.to_float(batch.s_t)
            with self.target.noisy():
                answer, hidden = self.target.network.full_path(s_t)
            selector = answer.q_values  # (B, A)
            if self.config.double:
                with self.online.noisy():
                    selector = self.network(s_t)
            returns = self.target.returns(answer.q_values, hidden, selector.argmax(dim=1))
            r_t = torch.from_numpy(batch.r_t).to(self.device)
            discount_t = torch.from_numpy(batch.discount_t).to(self.device)
            return r_t[:, None] + discount_t[:, None] * returns

    def update(self, batch: Batch, progress: float = 0.0) -> tuple[dict[str, float], np.ndarray]:
        """
        Learn from a batch; return metrics and the absolute TD errors (B,).

        ``progress`` in [0, 1] is the share of training done; ``paper`` divides it in phases.
        """
        targets = self.bellman_targets(batch)  # (B, N)
        goal = targets.mean(dim=1)  # (B,)
        actions = torch.from_numpy(batch.a_tm1).to(self.device)
        weights = torch.from_numpy(batch.importance_weights).to(self.device)
        isolate = self.config.mode != 'joint'
        observation = self.to_float(batch.s_tm1)
        with self.online.noisy():
            answers, hidden = zip(
                *self.network.answers_with_hidden(observation, isolate), strict=True
            )
        teacher_q = self._noiseless(answers[-1], observation)
        phase = self._phase(progress, len(answers))
        losses: list[torch.Tensor] = []
        metrics: dict[str, float] = {}
        td_error = torch.zeros_like(goal)
        for level, answer in enumerate(answers):
            last = level == len(answers) - 1
            if phase is not None and level != phase:
                continue
            if last or self.config.mode != 'rapid':
                chosen = answer.q_values.gather(1, actions[:, None])  # (B, 1)
                error = (chosen.squeeze(1) - goal).detach().abs()
                td_error = error if last or phase == level else td_error
                loss = (
                    regression_loss(
                        self.online.returns(answer.q_values, hidden[level], actions), targets
                    )
                    if last
                    else regression_loss(chosen, goal[:, None])
                )
                losses.append((weights * loss).mean())
                if last:
                    metrics |= {
                        'td_error': float(error.mean()),
                        'q': float(chosen.detach().mean()),
                    }
            if not last:
                losses.append(self._branch_loss(level, answer, teacher_q, metrics))
        metrics |= self._descend(torch.stack(losses).sum())
        if self.updates % self.config.target_period == 0:
            self.update_target()
        return metrics, td_error.cpu().numpy()

    def _noiseless(self, full: Answer, observation: torch.Tensor) -> torch.Tensor:
        """Return the Q-values (B, A) that branches learn from: the full path's without noise."""
        q_values: torch.Tensor = full.q_values.detach()
        if self.online.noisy_layers is None or self.network.num_levels == 1:
            return q_values
        with torch.no_grad():
            q_values = self.network(observation)
        return q_values

    def update_target(self) -> None:
        """Copy the online network to the target network."""
        self.target.load_state_dict(self.online.state_dict())

    def distil(self, batch: Batch) -> dict[str, float]:
        """
        Train the branches alone to follow the full path as it stands; return metrics.

        The teacher's Q-values come from the batch where it holds them, else from the network.
        """
        observation = self.to_float(batch.s_tm1)
        teacher_q = self._teacher_q(batch, observation)
        metrics: dict[str, float] = {}
        answers = self.network.answers(observation, isolate=True)
        losses = [
            self._branch_loss(level, next(answers), teacher_q, metrics)
            for level in range(self.network.num_levels - 1)
        ]
        return metrics | self._descend(torch.stack(losses).sum())

    @torch.no_grad()
    def _teacher_q(self, batch: Batch, observation: torch.Tensor) -> torch.Tensor:
        """Return the full path's Q-values (B, A), from the batch or computed."""
        if batch.teacher_q is None:
            q_values: torch.Tensor = self.network(observation)
            return q_values
        teacher_q = torch.from_numpy(batch.teacher_q).to(self.device)
        unknown = teacher_q[:, 0].isnan()
        if unknown.any():
            teacher_q[unknown] = self.network(observation[unknown])
        return teacher_q

    def load_full_path(self, plain: EarlyExitNetwork) -> None:
        """Take a trained network without branches as full path; ValueError if it is another."""
        self.network.load_plain(plain)
        self.update_target()

    def set_progress(self, progress: float) -> None:
        """Set the step size for a share in [0, 1] of the present phase of training."""
        shrunk = 1.0 + progress * (self.config.learning_rate_end - 1.0)
        for group in self.optimizer.param_groups:
            group['lr'] = self.config.learning_rate * shrunk

    def _descend(self, loss: torch.Tensor) -> dict[str, float]:
        """Take one step of the optimizer."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = self._clip_gradients()
        self.optimizer.step()
        self.updates += 1
        return {'loss': float(loss.detach()), 'grad_norm': norm}

    def _clip_gradients(self) -> float:
        """Clip the full path and each branch apart, so that none quietens another."""
        path, *branches = self.network.parameter_groups()
        norms = [
            float(torch.nn.utils.clip_grad_norm_(group, self.config.max_grad_norm))
            for group in ([*path, *self.online.extra_parameters()], *branches)
        ]
        return max(norms)

    def state_dict(self) -> training_state.Arrays:
        """Return weights, moments and counters, for training_state.save."""
        return {
            **with_prefix('online', training_state.module_state(self.online)),
            **with_prefix('target', training_state.module_state(self.target)),
            **with_prefix('optimizer', training_state.optimizer_state(self.optimizer)),
            'updates': np.array(self.updates),
        }

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over what `state_dict` returned; StateError if it is of another network."""
        training_state.load_module(self.online, part('online', state))
        training_state.load_module(self.target, part('target', state))
        training_state.load_optimizer(self.optimizer, part('optimizer', state))
        self.updates = int(state['updates'])

    def _phase(self, progress: float, num_levels: int) -> int | None:
        """Return the one exit that ``paper`` trains now; None trains all."""
        if self.config.mode != 'paper' or num_levels == 1:
            return None
        share = self.config.full_share
        if progress < share or share == 1.0:
            return num_levels - 1
        turn = (progress - share) / (1 - share) * (num_levels - 1)
        return min(int(turn), num_levels - 2)

    def _branch_loss(
        self, level: int, answer: Answer, teacher: torch.Tensor, metrics: dict[str, float]
    ) -> torch.Tensor:
        """Distil (``rapid`` only) from Q-values (B, A) and train one branch's confidence."""
        choice = answer.q_values.detach().argmax(dim=1)  # (B,)
        lost = regret(teacher, choice)
        agreed = (choice == teacher.argmax(dim=1)).float()
        rapid = self.config.mode == 'rapid'
        right = (lost <= self.config.regret_tolerance).float() if rapid else agreed
        loss = self.config.confidence_weight * functional.binary_cross_entropy_with_logits(
            answer.confidence_logit, right
        )
        if rapid:
            loss = loss + distillation_loss(
                answer.q_values, teacher, self.config.distil_temperature
            )
        metrics |= {
            f'regret_{level}': float(lost.mean()),
            f'agree_{level}': float(agreed.mean()),
            f'right_{level}': float(right.mean()),
            f'confidence_{level}': float(torch.sigmoid(answer.confidence_logit.detach()).mean()),
        }
        return loss
