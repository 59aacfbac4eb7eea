"""`rapid-nav bench runtimes`: the same policy in other inference runtimes, one thread, batch 1."""

from collections.abc import Callable, Sequence
import contextlib
from dataclasses import dataclass, replace
import itertools
from pathlib import Path
import tempfile

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, quantize_static, QuantType
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.benchmarks import onnx_if_graph
from rapid_nav.benchmarks.exit_latency import Candidate, flown_observations, in_turns
from rapid_nav.drone.seeds import TEST
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.onnx_policy import OnnxStages, session_options
from rapid_nav.inference.policy import Policy
from rapid_nav.inference.policy_package import PolicyPackage
from rapid_nav.offline.evaluation.rollout import BatchPolicy, Decisions
from rapid_nav.offline.evaluation.suite import DroneSuite
from rapid_nav.offline.reporting.kinds import (
    FlownRow,
    IntegerFlights,
    RuntimeBenchmark,
    RuntimeRow,
)
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint

Run = Callable[[np.ndarray, bool], tuple[np.ndarray, float]]
"""From an observation, and whether to go to the end, to Q-values (A,) and the branch's logit."""


@dataclass(frozen=True)
class RuntimesConfig:
    """What is timed."""

    checkpoint: Path = setting(shipped_checkpoint(), 'Policy with one branch that is timed.')
    calls: int = setting(2000, 'Calls of each exit in each runtime.', low=20)
    flights: int = setting(
        0, 'Held-out flights by 8-bit integers and by floats; 0 disables.', low=0
    )
    report: Path | None = setting(None, 'JSON file for the figures.')

    def __post_init__(self) -> None:
        check(self)


def main(config: RuntimesConfig) -> int:
    """Time all runtimes that are installed, print and write the figures."""
    torch.set_num_threads(1)
    made = checkpoint.load(config.checkpoint)
    seen = flown_observations(made)
    figures = RuntimeBenchmark(
        checkpoint=str(config.checkpoint),
        calls=config.calls,
        runtimes=tuple(measure(made, seen, config.calls)),
        int8_flights=fly_both(made, seen, config.flights) if config.flights else None,
    )
    print(figures.to_json())
    figures.write(config.report)
    return 0


def measure(made: Checkpoint, seen: np.ndarray, calls: int) -> list[RuntimeRow]:
    """
    Return a row for each runtime: ms at the first exit and at the last, and how well it agrees.

    `worst_q` is the largest difference of a Q-value from PyTorch's on observations (N, 1, C, H,
    W), `agreement` the share of them on which the full network's greedy action is the same.
    """
    runs = runtimes(made, seen)
    times = in_turns(
        {
            (name, full): _calling(run, seen, full)
            for name, run in runs.items()
            for full in (False, True)
        },
        calls,
    )
    # Copies: a runtime answers into the same buffer every time.
    truth = np.stack([runs['PyTorch, eager'](one, True)[0].copy() for one in seen])
    rows = []
    for name, run in runs.items():
        answers = np.stack([run(one, True)[0].copy() for one in seen])
        rows.append(
            RuntimeRow(
                runtime=name,
                first_exit_ms=float(np.median(times[name, False])),
                full_ms=float(np.median(times[name, True])),
                worst_q=float(np.abs(answers - truth).max()),
                agreement=float(np.mean(answers.argmax(1) == truth.argmax(1))),
            )
        )
    return rows


def runtimes(made: Checkpoint, seen: np.ndarray) -> dict[str, Run]:
    """Return the policy in every runtime; ValueError if it has not just one branch."""
    stages = made.network.config.stages
    if len(stages) != 2 or stages[-1].source != 'input':
        raise ValueError('runtimes are compared on policies with one branch and two stems')
    package = made.package()
    found = {
        'PyTorch, eager': eager(made),
        'ONNX Runtime, stages': staged(OnnxStages(package)),
        'ONNX Runtime, one graph with If': onnx_if_graph.make(package, session_options(1)),
        'ONNX Runtime, stages, int8': staged(OnnxStages(quantised(package, seen))),
    }
    with contextlib.suppress(ModuleNotFoundError):
        found['OpenVINO, stages'] = openvino_stages(package)
    return found


def eager(made: Checkpoint) -> Run:
    """Return PyTorch as it was trained."""
    network = made.network.eval()

    @torch.inference_mode()
    def run(observation: np.ndarray, full: bool) -> tuple[np.ndarray, float]:
        answers = network.answers(torch.from_numpy(observation))
        answer = next(answers)
        logit = float(answer.confidence_logit[0])
        return (next(answers) if full else answer).q_values[0].numpy(), logit

    return run


def staged(stages: OnnxStages) -> Run:
    """Return a call of stages as the policy makes it."""

    def run(observation: np.ndarray, full: bool) -> tuple[np.ndarray, float]:
        answers = stages.answers(observation)
        answer = next(answers)
        logit = answer.confidence_logit[0]
        return (next(answers) if full else answer).q_values[0], logit

    return run


def openvino_stages(package: PolicyPackage) -> Run:
    """Return the same graphs compiled by OpenVINO, over buffers that are made once."""
    import openvino

    core = openvino.Core()
    options = {
        'INFERENCE_NUM_THREADS': 1,
        'PERFORMANCE_HINT': 'LATENCY',
        'INFERENCE_PRECISION_HINT': 'f32',
    }
    shape = (1, *package.metadata.network.input_shape)
    source = np.zeros(shape, np.float32)
    requests = []
    for model in package.models:
        request = core.compile_model(
            core.read_model(model=model), 'CPU', options
        ).create_infer_request()
        request.set_input_tensor(openvino.Tensor(source, shared_memory=True))
        requests.append(request)
    slope, actions = branch_slope(package), package.metadata.network.num_actions
    outputs = [request.get_output_tensor(0).data.reshape(1, -1) for request in requests]

    def run(observation: np.ndarray, full: bool) -> tuple[np.ndarray, float]:
        np.copyto(source, observation)
        requests[0].infer()
        branch = outputs[0][0]
        logit = float(branch[actions] - slope * branch[:actions].max())
        if full:
            requests[1].infer()
        return (outputs[1][0] if full else branch[:actions]), logit

    return run


def branch_slope(package: PolicyPackage) -> float:
    """Return what the branch's greatest Q-value takes from its logit; see onnx_export.build."""
    model = onnx.load_from_string(package.models[0])
    return float({entry.key: entry.value for entry in model.metadata_props}['slope'])


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Hands observations to the quantiser one by one."""

    def __init__(self, seen: np.ndarray) -> None:
        self.left = iter(seen)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input, or None."""
        one = next(self.left, None)
        return None if one is None else {'source': one}


def quantised(package: PolicyPackage, seen: np.ndarray) -> PolicyPackage:
    """Return 8-bit stages, their ranges taken from what was seen (N, 1, C, H, W)."""
    models = []
    with tempfile.TemporaryDirectory() as folder:
        for level, model in enumerate(package.models):
            out = Path(folder) / f'{level}.onnx'
            quantize_static(
                onnx.load_from_string(model),
                out,
                _Calibration(seen),
                per_channel=True,
                weight_type=QuantType.QInt8,
            )
            models.append(out.read_bytes())
    return replace(package, models=tuple(models))


def fly_both(made: Checkpoint, seen: np.ndarray, flights: int) -> IntegerFlights:
    """Fly held-out worlds at the first operating point, by floats and by 8-bit integers."""
    point = next(iter(made.operating_points), 'full')
    suite = DroneSuite.of(FlightTask.from_dict(made.task), flights, TEST.start, cap_m=100.0)

    def flown(policy: Policy) -> FlownRow:
        row = suite.evaluate(point, _one_by_one(policy, point), policy.macs)
        return FlownRow(msf_m=row.msf_m, msf_ci95=row.msf_ci95, macs_ratio=row.macs_ratio)

    return IntegerFlights(
        operating_point=point,
        flights=flights,
        float32=flown(Policy(made)),
        int8=flown(Policy(quantised(made.package(), seen))),
    )


def _one_by_one(policy: Policy, point: str) -> BatchPolicy:
    thresholds: Sequence[float] = policy.metadata.thresholds(point)

    def decide(observation: np.ndarray, _rng: np.random.Generator) -> Decisions:
        made = [
            policy.decide(one[None].astype(np.float32) / np.float32(255), thresholds)
            for one in observation
        ]
        return np.array([one.action for one in made]), np.array([one.level for one in made])

    return decide


def _calling(run: Run, seen: np.ndarray, full: bool) -> Candidate:
    observations = itertools.cycle(seen)
    return lambda: None, lambda: run(next(observations), full)
