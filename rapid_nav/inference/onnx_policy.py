"""The stages of a network in ONNX Runtime, or the first of them in machine code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import functools
import logging
from math import inf, tanh
from typing import cast, NamedTuple

import numpy as np
import onnxruntime

from rapid_nav.inference.exit_rule import Answer, Decision, in_time
from rapid_nav.inference.machine_code import Compiled, compiled
from rapid_nav.inference.policy_package import Deployed

log = logging.getLogger(__name__)


class OnnxStage(NamedTuple):
    """A call with its buffers bound, and ways to read its answer, made once for all calls."""

    run: Callable[[], None]
    q_values: np.ndarray  # (1, A)
    argmax: Callable[[], np.integer]  # of the same
    numbers: memoryview  # (A + 1,) the same and, of a branch, what its confidence is made from
    slope: float  # see graphs.build
    macs: int  # cumulative, and their ratio to the last stage's
    ratio: float


# A third of the time of Decision(...), which is Python: arguments by name, then this.
_decision = cast(
    Callable[[tuple[object, ...]], Decision], functools.partial(tuple.__new__, Decision)
)


class OnnxStages:
    """
    A session for each stage, over buffers that all of them share and no call allocates.

    The first stage is machine code instead where that can be had, see machine_code.
    What `answers` yields is valid until the next observation.
    """

    def __init__(
        self, deployed: Deployed, threads: int = 1, observation: np.ndarray | None = None
    ) -> None:
        network = deployed.about.network
        actions = network.num_actions
        self.observation = (
            np.zeros((1, *network.input_shape), np.float32) if observation is None else observation
        )
        self.buffers: list[np.ndarray] = []  # kept alive: the bindings point at them
        self.stages: list[OnnxStage] = []
        self.compiled: Compiled | None = None  # the first stage, kept alive like the buffers
        features: np.ndarray = self.observation  # the first stage reads neither of the two
        carried: np.ndarray = self.observation
        for level, (stage, model) in enumerate(zip(network.stages, deployed.models, strict=True)):
            session = onnxruntime.InferenceSession(
                model, session_options(threads), providers=['CPUExecutionProvider']
            )
            outputs = {tensor.name: tensor.shape for tensor in session.get_outputs()}
            source = self.observation if network.reads_input(level) else features
            # The hidden layer and the answer side by side: together they are 'carried'.
            kept = np.zeros((1, stage.width + actions + 1), np.float32)
            answer = kept[:, stage.width :]
            bound = {'source': source, 'carried': carried, 'hidden': kept, 'answer': answer}
            if 'features' in outputs:
                features = bound['features'] = np.zeros(outputs['features'], np.float32)
            self.buffers += [kept, features]
            slope = float(session.get_modelmeta().custom_metadata_map['slope'])
            q_values = answer[:, :actions]
            run, macs = quick_call(session, bind(session, bound)), deployed.macs[level]
            if level == 0 and (faster := self._compile(deployed, run, answer)) is not None:
                run, answer = faster.run, faster.answer[None]
                q_values = answer[:, :actions]
            self.stages.append(
                OnnxStage(
                    run,
                    q_values,
                    q_values[0].argmax,
                    memoryview(answer[0]),
                    slope,
                    macs,
                    macs / deployed.macs[-1],
                )
            )
            carried = kept
        self.branches, self.last = tuple(self.stages[:-1]), self.stages[-1]

    def _compile(
        self, deployed: Deployed, run: Callable[[], None], answer: np.ndarray
    ) -> Compiled | None:
        """Return the first stage as machine code, if it says here what ONNX Runtime says."""
        self.compiled = compiled(deployed.about.network, deployed.first, self.observation)
        if self.compiled is None:
            return None
        np.copyto(
            self.observation, np.random.default_rng(0).random(self.observation.shape, np.float32)
        )
        run()
        self.compiled.run()
        self.observation[:] = 0.0
        if not np.allclose(self.compiled.answer, answer[0], rtol=1e-4, atol=1e-4):
            log.warning('The first exit runs in ONNX Runtime, which its machine code contradicts')
            self.compiled = None
        return self.compiled

    def answers(self, observation: np.ndarray) -> Iterator[Answer]:
        """Yield the answer of each exit for observation (1, C, H, W) float32 in [0, 1]."""
        if observation is not self.observation:
            self._see(observation)
        for run, q_values, argmax, numbers, slope, _, _ in self.branches:
            run()
            yield Answer(q_values, (numbers[-1] - slope * numbers[int(argmax())],))
        self.last.run()
        yield Answer(self.last.q_values, (inf,))

    def decide(
        self,
        observation: np.ndarray,
        thresholds: Sequence[float],
        may_run: Callable[[int], bool] = in_time,
        agree: bool = False,
    ) -> Decision:
        """
        Return what exits.decide would make of `answers`, in half the time outside of ONNX.

        Python is dear here: a first exit's arithmetic is 8 us, and behind it every line finds the
        caches full of weights and takes three times as long as by itself. So numbers are read
        from a memoryview, what does not change is looked up beforehand, and nothing is called by
        name that an expression says as well.
        """
        if observation is not self.observation:
            self._see(observation)
        level, before = 0, -1
        confidences: tuple[float, ...] = ()
        for run, _, argmax, numbers, slope, macs, ratio in self.branches:
            run()
            action = int(argmax())
            # exits.sigmoid
            confidence = 0.5 + 0.5 * tanh(0.5 * (numbers[-1] - slope * numbers[action]))
            confidences += (confidence,)
            threshold = thresholds[level]
            sure = confidence >= threshold and not (agree and before not in (-1, action))
            if sure or not may_run(level + 1):
                return _decision(
                    (
                        action,
                        level,
                        len(self.stages),
                        confidence,
                        threshold,
                        macs,
                        ratio,
                        confidences,
                    )
                )
            before, level = action, level + 1
        run, _, argmax, _, _, macs, ratio = self.last
        run()
        return _decision(
            (int(argmax()), level, level + 1, 1.0, 0.0, macs, ratio, (*confidences, 1.0))
        )

    def _see(self, observation: np.ndarray) -> None:
        if observation.shape != self.observation.shape:
            raise ValueError(
                f'observation is {observation.shape}; this network reads {self.observation.shape}'
            )
        np.copyto(self.observation, observation)


def bind(
    session: onnxruntime.InferenceSession, buffers: dict[str, np.ndarray]
) -> onnxruntime.IOBinding:
    """Bind a session's inputs and outputs to buffers by their names."""
    binding = session.io_binding()
    for tensors, attach in (
        (session.get_inputs(), binding.bind_input),
        (session.get_outputs(), binding.bind_output),
    ):
        for tensor in tensors:
            buffer = buffers[tensor.name]
            attach(tensor.name, 'cpu', 0, np.float32, tensor.shape, buffer.ctypes.data)
    return binding


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return options for small networks: few threads, none of which spins between calls."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options


def quick_call(
    session: onnxruntime.InferenceSession, binding: onnxruntime.IOBinding
) -> Callable[[], None]:
    """
    Return a call of the session on its buffers that takes 3 us less than its own method.

    On the CPU there is nobody to wait for (1.6 us), nor anything to ask the binding each time,
    as onnxruntime's Python wrapper does around the call that is taken here from below it.
    """
    options = onnxruntime.RunOptions()
    options.add_run_config_entry('disable_synchronize_execution_providers', '1')
    return functools.partial(
        session._sess.run_with_iobinding, binding._iobinding, options
    )  # pinned: run.txt
