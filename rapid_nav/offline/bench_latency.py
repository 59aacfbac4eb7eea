"""What an early exit saves in milliseconds: every exit beside its share of the operations."""

from collections.abc import Callable, Mapping
import itertools
import json
from pathlib import Path
import time
from typing import Any

import numpy as np
import torch

from rapid_nav.core import checkpoint, cost
from rapid_nav.core.checkpoint import Checkpoint
from rapid_nav.core.network import EarlyExitNetwork
from rapid_nav.core.runtime import Policy
from rapid_nav.core.saved import NEVER
from rapid_nav.flight.task import FlightTask
from rapid_nav.offline.drone_env import DroneVectorEnv
from rapid_nav.offline.drone_presets import network_for
from rapid_nav.offline.held_out import HELD_OUT_SEED
from rapid_nav.sim.world import make_world

BLOCK = 20  # calls of one candidate before the next one's turn
Candidate = tuple[Callable[[], object], Callable[[], object]]
"""What is to be called, and timed, each time after what is not timed."""


def run(
    policy: Path | None = None, runtime: str = 'onnx', threads: tuple[int, ...] = (1, 2),
    calls: int = 2000, operating_point: str = 'balanced', report: Path | None = None,
) -> dict[str, Any]:
    """
    Return under 'threads' for each number of threads what `measure` does.

    Without a checkpoint the drone's network with random weights is measured, and no flight.
    """
    made = random_checkpoint() if policy is None else checkpoint.load(policy)
    seen = random_observations(made) if policy is None else flown_observations(made)
    before = torch.get_num_threads()
    try:
        figures = {'checkpoint': policy and str(policy), 'calls': calls, 'threads': {
            str(count): measure(made, seen, runtime, count, calls, operating_point)
            for count in threads}}
    finally:
        torch.set_num_threads(before)
    if report is not None:
        report.write_text(json.dumps(figures, indent=1) + '\n', encoding='utf-8')
    return figures


def measure(
    made: Checkpoint, seen: np.ndarray, runtime: str, threads: int, calls: int,
    operating_point: str,
) -> dict[str, Any]:
    """
    Time whole decisions on observations (N, 1, C, H, W): each exit, the full path, no branches.

    All of them take turns, so that what else the machine does falls on all alike; the ratios
    are of medians.
    """
    config = made.network.config.without_branches
    plain = Checkpoint(EarlyExitNetwork(config).eval(), made.task)
    ours, theirs = Policy(made, runtime, threads), Policy(plain, runtime, threads)
    eager = Policy(made, 'eager', threads)
    last = ours.num_levels - 1
    times = in_turns({
        **{level: deciding(ours, only_exit(level, last), seen) for level in range(last + 1)},
        'plain': deciding(theirs, (), seen),
        'eager': deciding(eager, only_exit(last, last), seen),
    }, calls)
    p50 = {name: float(np.median(spent)) for name, spent in times.items()}
    figures = {
        'runtime': runtime,
        'exits': [{
            'level': level, 'macs_ratio': ours.macs[level] / ours.macs[-1],
            'ms_p50': p50[level], 'ms_p99': float(np.percentile(times[level], 99)),
            'time_ratio': p50[level] / p50[last],
        } for level in range(last + 1)],
        'eager_full_ms': p50['eager'], 'plain_ms': p50['plain'],
        'fall_through_ratio': p50[last] / p50['plain'],
        'fall_through_macs_ratio': ours.macs[-1] / cost.plain_macs(made.network),
    }
    if operating_point in made.operating_points:
        figures['flight'] = measure_flight(ours, seen, operating_point)
    return figures


def measure_flight(policy: Policy, seen: np.ndarray, operating_point: str) -> dict[str, Any]:
    """Decide on every observation of a flight in order, early and fully; compare the means."""
    thresholds = policy.about.thresholds(operating_point)
    full = only_exit(policy.num_levels - 1, policy.num_levels - 1)
    early_s, full_s, ratios = [], [], []
    for _ in range(5):
        for observation in seen:
            policy.observation[:] = observation  # where the policy node makes it
            began = time.perf_counter()
            ratios.append(policy.decide(policy.observation, thresholds).macs_ratio)
            between = time.perf_counter()
            policy.decide(policy.observation, full)
            early_s.append(between - began)
            full_s.append(time.perf_counter() - between)
    # What else the machine does strikes a few calls with milliseconds: leave out the worst 1 %.
    mean = [float(np.mean(np.sort(spent)[:int(0.99 * len(spent))])) for spent in (early_s, full_s)]
    return {
        'operating_point': operating_point, 'decisions': len(seen),
        'macs_ratio': float(np.mean(ratios)), 'mean_ms': 1e3 * mean[0],
        'mean_time_ratio': mean[0] / mean[1],
    }


def only_exit(level: int, last: int) -> tuple[float, ...]:
    """Return the thresholds under which every decision leaves at one exit."""
    return tuple(0.0 if branch == level else NEVER for branch in range(last))


def deciding(policy: Policy, thresholds: tuple[float, ...], seen: np.ndarray) -> Candidate:
    """Return what puts the next observation where the policy node makes it, and decides on it."""
    observations = itertools.cycle(seen)
    return (lambda: np.copyto(policy.observation, next(observations)),
            lambda: policy.decide(policy.observation, thresholds))


def in_turns(candidates: Mapping[Any, Candidate], calls: int) -> dict[Any, np.ndarray]:
    """Return how long each call took (calls,) [ms], the candidates taking turns in blocks."""
    times: dict[Any, list[float]] = {name: [] for name in candidates}
    for _ in range(-(-calls // BLOCK)):
        for name, (prepare, call) in candidates.items():
            prepare()
            call()  # its own weights and code back into the cache
            for _ in range(BLOCK):
                prepare()
                began = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - began)
    return {name: 1e3 * np.array(spent) for name, spent in times.items()}


def random_checkpoint() -> Checkpoint:
    """Return the drone's network before any training."""
    task = FlightTask()
    return Checkpoint(EarlyExitNetwork(network_for(task)).eval(), task.to_dict())


def random_observations(made: Checkpoint, count: int = 50) -> np.ndarray:
    """Return observations (N, 1, C, H, W) float32 in [0, 1]."""
    shape = (count, 1, *made.network.config.input_shape)
    return np.random.default_rng(0).random(shape, np.float32)


def flown_observations(made: Checkpoint, decisions: int = 300) -> np.ndarray:
    """Return what the policy sees in flights of a held-out world (N, 1, C, H, W) float32."""
    policy, task = Policy(made), FlightTask.from_dict(made.task)
    env = DroneVectorEnv(task, [make_world('rooms', HELD_OUT_SEED)], 1)
    observation, _ = env.reset(seed=0)
    point = next(iter(made.operating_points), 'full')
    seen = []
    for _ in range(decisions):
        seen.append(observation.astype(np.float32) / np.float32(255))
        action = policy.decide(seen[-1], policy.about.thresholds(point)).action
        observation, *_ = env.step(np.array([action]))
    return np.stack(seen)
