"""The stages of a network in ONNX Runtime."""

from collections.abc import Callable, Iterator
import math
from math import inf, isfinite
from typing import NamedTuple

import numpy as np
import onnxruntime

from rapid_nav.inference.exit_rule import Answer
from rapid_nav.inference.policy_package import PolicyPackage


class OnnxStage(NamedTuple):
    """A call with its buffers bound, and where it leaves its answer."""

    run: Callable[[], None]
    q_values: np.ndarray  # (1, A)
    raw_logit: np.ndarray  # () of a branch, what its confidence logit is made from
    slope: float  # see onnx_export.build


class OnnxStages:
    """
    A session for each stage, over buffers that all of them share and no call allocates.

    What `answers` yields is valid until the next observation.
    """

    def __init__(
        self, package: PolicyPackage, threads: int = 1, observation: np.ndarray | None = None
    ) -> None:
        network = package.metadata.network
        actions = network.num_actions
        self.observation = (
            np.zeros((1, *network.input_shape), np.float32) if observation is None else observation
        )
        self.buffers: list[np.ndarray] = []  # kept alive: the bindings point at them
        self.stages: list[OnnxStage] = []
        features: np.ndarray = self.observation  # the first stage reads neither of the two
        carried: np.ndarray = self.observation
        for level, (stage, model) in enumerate(zip(network.stages, package.models, strict=True)):
            session = make_session(model, session_options(threads))
            source = self.observation if network.reads_input(level) else features
            last = level == len(network.stages) - 1
            features = np.zeros((1, *network.feature_shapes[level]), np.float32)
            # The hidden layer and the answer side by side: together they are 'carried'.
            kept = np.zeros((1, stage.width + actions + 1), np.float32)
            answer = kept[:, stage.width :]
            run = bound_call(
                session,
                {
                    'source': source,
                    'carried': carried,
                    'hidden': kept[:, : stage.width],
                    'answer': answer[:, : actions + (not last)],
                    'features': features,
                },
            )
            slope = float(session.get_modelmeta().custom_metadata_map.get('slope', 'nan'))
            if not isfinite(slope):
                raise ValueError(f'stage {level} does not say its slope')
            self.buffers += [kept, features]
            self.stages.append(
                OnnxStage(run, answer[:, :actions], answer[0, actions:].reshape(()), slope)
            )
            carried = kept[:, :-1]

    def answers(self, observation: np.ndarray) -> Iterator[Answer]:
        """Yield the answer of each exit for observation (1, C, H, W) float32 in [0, 1]."""
        if observation is not self.observation:
            np.copyto(self.observation, observation)
        for run, q_values, raw_logit, slope in self.stages[:-1]:
            run()
            best = q_values.item(q_values.argmax())  # a tenth of the time of max()
            yield Answer(q_values, (raw_logit.item() - slope * best,))
        self.stages[-1].run()
        yield Answer(self.stages[-1].q_values, (inf,))


def bound_call(
    session: onnxruntime.InferenceSession, buffers: dict[str, np.ndarray]
) -> Callable[[], None]:
    """
    Return a call of a session whose inputs and outputs are these buffers, by their names.

    ValueError if one of the session's has another size: it would be read or written beyond its
    buffer.
    """
    binding = session.io_binding()
    for tensors, attach in (
        (session.get_inputs(), binding.bind_input),
        (session.get_outputs(), binding.bind_output),
    ):
        for tensor in tensors:
            buffer = buffers.get(tensor.name)
            sizes = [size for size in tensor.shape if isinstance(size, int) and size > 0]
            fits = buffer is not None and math.prod(sizes) == buffer.size
            if buffer is None or not fits or len(sizes) != len(tensor.shape):
                raise ValueError(
                    f'a stage has {tensor.name[:40]!r} of {tensor.shape}; its settings want '
                    f'{"none" if buffer is None else buffer.shape}'
                )
            attach(tensor.name, 'cpu', 0, np.float32, tensor.shape, buffer.ctypes.data)
    options = onnxruntime.RunOptions()
    # On the CPU there is nothing to wait for: 1.6 us a call.
    options.add_run_config_entry('disable_synchronize_execution_providers', '1')
    # Where the options do not name it, the call asks for it by an exception: 40 us.
    options.add_run_config_entry('gpu_graph_id', '0')
    run = session.run_with_iobinding
    return lambda: run(binding, options)


def make_session(
    model: bytes, options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    """Return a session of a stage; ValueError if ONNX Runtime refuses it."""
    try:
        return onnxruntime.InferenceSession(model, options, providers=['CPUExecutionProvider'])
    except Exception as error:  # ONNX Runtime's have no class of their own
        raise ValueError(f'ONNX Runtime refuses a stage: {error}') from error


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return options for small networks: few threads, none of which spins between calls."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    return options
