"""The learner: one update of the Q-network and of its exits, and how it acts meanwhile."""

from collections.abc import Sequence
from contextlib import nullcontext
import copy
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from rapid_nav.agent import training_state
from rapid_nav.agent.config import AgentConfig
from rapid_nav.agent.dqn_extras import Aids
from rapid_nav.agent.losses import distillation_loss, regression_loss
from rapid_nav.agent.network import Answer, EarlyExitNetwork
from rapid_nav.agent.replay import Batch


class Acts(NamedTuple):
    """What the exits of a network would do."""

    actions: np.ndarray  # (L, B), each exit's greedy ones
    confidences: np.ndarray  # (L, B) in [0, 1]
    q_values: np.ndarray  # (B, A) of the full path


class Learner:
    """
    Double DQN (van Hasselt et al. 2016) on the full path, and the training of side branches.

    ``rapid``: branches are distilled from the full path (Rusu et al. 2016) and their confidence
    is the probability that their action loses at most a tolerance of the full path's Q-value.
    ``joint`` and ``paper``: branches learn by Q-learning on the same Bellman targets and their
    confidence is the probability of agreeing with the full path; ``paper`` trains the full path
    first and then each branch in turn behind a frozen one, ``joint`` everything at once.

    ``aids`` are what settings add to the full path while it learns: quantiles and noise.
    """

    def __init__(
        self, network: EarlyExitNetwork, config: AgentConfig, device: str = 'cpu'
    ) -> None:
        self.config = config
        self.device = torch.device(device)
        self.network = network.to(  # type: ignore[call-overload]  # the stubs lack the format
            self.device, memory_format=torch.channels_last
        )
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.aids = Aids(self.network, config).to(self.device)
        self.target_aids = copy.deepcopy(self.aids).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            [*self.network.parameters(), *self.aids.parameters()],
            lr=config.learning_rate,
            eps=config.adam_epsilon,
            fused=True,
        )
        self.updates = 0

    def to_float(self, observation: np.ndarray) -> torch.Tensor:
        """Return an observation (B, C, H, W) as the network reads it; uint8 becomes [0, 1]."""
        tensor = torch.from_numpy(observation).to(self.device)
        scale = 255.0 if tensor.dtype == torch.uint8 else 1.0
        return tensor.to(torch.float32, memory_format=torch.channels_last) / scale

    @torch.no_grad()
    def act(self, observation: np.ndarray, explore: bool = False) -> Acts:
        """
        Return what each exit would do with observations (B, C, H, W), and how sure it is.

        With ``explore``, the full path has noise of its own for each, if it is a noisy one.
        """
        with self.aids.noisy(self.network, each=True) if explore else nullcontext():
            answers = list(self.network.answers(self.to_float(observation)))
        actions = torch.stack([answer.q_values.argmax(dim=1) for answer in answers])
        confidences = torch.stack([torch.sigmoid(answer.confidence_logit) for answer in answers])
        return Acts(
            actions.cpu().numpy(), confidences.cpu().numpy(), answers[-1].q_values.cpu().numpy()
        )

    def bellman_targets(self, batch: Batch) -> torch.Tensor:
        """
        Return the n-step targets of the full path, from the target network.

        They are (B, N) for N quantiles, (B, 1) for expected values.
        """
        with torch.no_grad():
            s_t = self.to_float(batch.s_t)
            with self.target_aids.noisy(self.target):
                answer, hidden = self.target.full_path(s_t)
            chooser = answer.q_values  # (B, A)
            if self.config.double:
                with self.aids.noisy(self.network):
                    chooser = self.network(s_t)
            returns = self.target_aids.returns(answer.q_values, hidden, chooser.argmax(dim=1))
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
        weights = torch.from_numpy(batch.weights).to(self.device)
        isolate = self.config.mode != 'joint'
        observation = self.to_float(batch.s_tm1)
        with self.aids.noisy(self.network):
            answers, hidden = zip(
                *self.network.answers_with_hidden(observation, isolate), strict=True
            )
        teacher = self._teacher(answers, observation)
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
                        self.aids.returns(answer.q_values, hidden[level], actions), targets
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
                losses.append(self._branch_loss(level, answer, teacher, metrics))
        metrics |= self._descend(torch.stack(losses).sum())
        if self.updates % self.config.target_period == 0:
            self._renew_target()
        return metrics, td_error.cpu().numpy()

    def _teacher(self, answers: Sequence[Answer], observation: torch.Tensor) -> Answer:
        """Return what branches compare themselves with: the full path's answer without noise."""
        if self.aids.noise is None or len(answers) == 1:
            return answers[-1]
        with torch.no_grad():
            return self.network.full_path(observation)[0]

    def _renew_target(self) -> None:
        self.target.load_state_dict(self.network.state_dict())
        self.target_aids.load_state_dict(self.aids.state_dict())

    def distil(self, batch: Batch) -> dict[str, float]:
        """
        Train the branches alone to follow the full path as it stands; return metrics.

        What the batch remembers of it is taken as it is, the rest is asked for again.
        """
        observation = self.to_float(batch.s_tm1)
        full = Answer(self._taught(batch, observation), torch.empty(0))
        metrics: dict[str, float] = {}
        answers = self.network.answers(observation, isolate=True)
        losses = [
            self._branch_loss(level, next(answers), full, metrics)
            for level in range(self.network.num_levels - 1)
        ]
        return metrics | self._descend(torch.stack(losses).sum())

    @torch.no_grad()
    def _taught(self, batch: Batch, observation: torch.Tensor) -> torch.Tensor:
        """Return the full path's Q-values (B, A), remembered or computed."""
        if batch.taught is None:
            return self.network(observation)
        taught = torch.from_numpy(batch.taught).to(self.device)
        unknown = taught[:, 0].isnan()
        if unknown.any():
            taught[unknown] = self.network(observation[unknown])
        return taught

    def follow(self, plain: EarlyExitNetwork) -> None:
        """Make a trained network without branches the full path; ValueError if it is another."""
        self.network.load_plain(plain)
        self._renew_target()

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
            for group in ([*path, *self.aids.parameters()], *branches)
        ]
        return max(norms)

    def to_arrays(self) -> training_state.Arrays:
        """Return weights, moments and counters, for state.save."""
        return {
            **training_state.prefixed('network', training_state.from_module(self.network)),
            **training_state.prefixed('target', training_state.from_module(self.target)),
            **training_state.prefixed('aids', training_state.from_module(self.aids)),
            **training_state.prefixed('target_aids', training_state.from_module(self.target_aids)),
            **training_state.prefixed('optimizer', training_state.from_optimizer(self.optimizer)),
            'updates': np.array(self.updates),
        }

    def from_arrays(self, arrays: training_state.Arrays) -> None:
        """Take over what `to_arrays` returned."""
        training_state.to_module(self.network, training_state.part('network', arrays))
        training_state.to_module(self.target, training_state.part('target', arrays))
        training_state.to_module(self.aids, training_state.part('aids', arrays))
        training_state.to_module(self.target_aids, training_state.part('target_aids', arrays))
        training_state.to_optimizer(self.optimizer, training_state.part('optimizer', arrays))
        self.updates = int(arrays['updates'])

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
        self, level: int, answer: Answer, full: Answer, metrics: dict[str, float]
    ) -> torch.Tensor:
        """Distil (``rapid`` only) and train the confidence of one branch."""
        teacher = full.q_values.detach()  # (B, A)
        best = teacher.amax(dim=1)
        choice = answer.q_values.detach().argmax(dim=1, keepdim=True)
        regret = best - teacher.gather(1, choice).squeeze(1)  # (B,)
        agreed = (choice.squeeze(1) == teacher.argmax(dim=1)).float()
        rapid = self.config.mode == 'rapid'
        right = (regret <= self.config.regret_tolerance).float() if rapid else agreed
        loss = self.config.confidence_weight * functional.binary_cross_entropy_with_logits(
            answer.confidence_logit, right
        )
        if rapid:
            loss = loss + distillation_loss(
                answer.q_values, teacher, self.config.distil_temperature
            )
        metrics |= {
            f'regret_{level}': float(regret.mean()),
            f'agree_{level}': float(agreed.mean()),
            f'right_{level}': float(right.mean()),
            f'confidence_{level}': float(torch.sigmoid(answer.confidence_logit.detach()).mean()),
        }
        return loss
