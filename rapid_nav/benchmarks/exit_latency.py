"""What an early exit saves in milliseconds: every exit beside its share of the operations."""

from collections.abc import Callable, Mapping
import itertools
from pathlib import Path
import time
from typing import Any

import numpy as np
import torch

from rapid_nav.agent import checkpoint
from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.seeds import TEST
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.exit_rule import only_exit
from rapid_nav.inference.policy import Policy
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.reporting.kinds import ExitTime, FlightTime, LatencyBenchmark, ThreadTimes
from rapid_nav.sim.worlds.world import make_world

BLOCK = 20  # calls of one candidate before the next one's turn
WARM = 3  # untimed calls before: until weights and code are in cache, they are 10 % slower
Candidate = tuple[Callable[[], object], Callable[[], object]]
"""What is to be called, and timed, each time after what is not timed."""


def run(
    policy: Path | None = None,
    runtime: str = 'onnx',
    threads: tuple[int, ...] = (1, 2),
    calls: int = 2000,
    operating_point: str = 'balanced',
    report: Path | None = None,
) -> LatencyBenchmark:
    """
    Return for each number of threads what `measure` does.

    Without a checkpoint the drone's network with random weights is measured, and no flight.
    """
    made = random_checkpoint() if policy is None else checkpoint.load(policy)
    seen = random_observations(made) if policy is None else flown_observations(made)
    before = torch.get_num_threads()
    try:
        figures = LatencyBenchmark(
            checkpoint=None if policy is None else str(policy),
            calls=calls,
            threads={
                str(count): measure(made, seen, runtime, count, calls, operating_point)
                for count in threads
            },
        )
    finally:
        torch.set_num_threads(before)
    figures.write(report)
    return figures


def measure(
    made: Checkpoint,
    seen: np.ndarray,
    runtime: str,
    threads: int,
    calls: int,
    operating_point: str,
) -> ThreadTimes:
    """
    Time whole decisions on observations (N, 1, C, H, W): each exit, the full path, no branches.

    All of them take turns, so that what else the machine does falls on all alike; the ratios
    are medians of each turn's. 'idle' is arithmetic in registers, as long as the first exit:
    its p99 is the machine's own, whatever is computed. PyTorch comes by itself, afterwards: it
    leaves so much in the caches that the next turn takes 20 % longer.
    """
    plain = Checkpoint(made.network.plain(), made.task)
    ours, theirs = Policy(made, runtime, threads), Policy(plain, runtime, threads)
    eager = Policy(made, 'eager', threads)
    last = ours.num_levels - 1
    exits = {level: deciding(ours, only_exit(level, last + 1), seen) for level in range(last + 1)}
    times = in_turns(
        {**exits, 'plain': deciding(theirs, (), seen), 'idle': as_long_as(exits[0])}, calls
    )
    times |= in_turns({'eager': deciding(eager, only_exit(last, last + 1), seen)}, calls)
    p50 = {name: float(np.median(spent)) for name, spent in times.items()}
    p99 = {name: float(np.percentile(spent, 99)) for name, spent in times.items()}
    return ThreadTimes(
        runtime=runtime,
        exits=tuple(
            ExitTime(
                level=level,
                macs_ratio=ours.macs[level] / ours.macs[-1],
                ms_p50=p50[level],
                ms_p99=p99[level],
                time_ratio=turn_by_turn(times[level], times[last]),
            )
            for level in range(last + 1)
        ),
        idle_ms_p50=p50['idle'],
        idle_ms_p99=p99['idle'],
        eager_full_ms=p50['eager'],
        plain_ms=p50['plain'],
        fall_through_ratio=turn_by_turn(times[last], times['plain']),
        fall_through_macs_ratio=ours.macs[-1] / made.network.config.without_branches.macs[-1],
        flight=measure_flight(ours, seen, operating_point)
        if operating_point in made.operating_points
        else None,
    )


def turn_by_turn(ours: np.ndarray, theirs: np.ndarray) -> float:
    """
    Return how many times as long our calls (turns, BLOCK) take as theirs.

    Within milliseconds this machine becomes half as fast and back again. Two medians over all
    calls may come from either speed; within a turn both candidates met the same.
    """
    return float(np.median(np.median(ours, axis=1) / np.median(theirs, axis=1)))


def measure_flight(
    policy: Policy, seen: np.ndarray, operating_point: str, passes: int = 11
) -> FlightTime:
    """
    Decide on every observation of a flight in order, early and fully; compare the means.

    Early and full take turns on every image, so both meet the same machine; each decides on the
    image before, untimed, to find the caches as its own last decision left them. Turns without
    that would have every early decision pay for a full one, which in flight only the few behind
    a deep one do. A decision's time is its median over the passes, and the mean goes over all
    decisions; 'interrupted_time_ratio' is that of all calls as they came.
    """
    last = policy.num_levels - 1
    kinds = policy.metadata.thresholds(operating_point), only_exit(last, last + 1)
    spent = np.zeros((len(kinds), passes, len(seen)))
    ratios = np.zeros(len(seen))

    def decide(index: int, thresholds: tuple[float, ...]) -> tuple[float, float]:
        np.copyto(policy.observation, seen[index])  # where the policy node makes it
        began = time.perf_counter()
        decision = policy.decide(policy.observation, thresholds)
        return time.perf_counter() - began, decision.macs_ratio

    for turn, index in itertools.product(range(passes), range(len(seen))):
        for kind, thresholds in reversed(list(enumerate(kinds))):
            decide(index - 1, thresholds)
            spent[kind, turn, index], ratios[index] = decide(index, thresholds)
    early, full = np.median(spent, axis=1).mean(axis=1)
    early_of_all, full_of_all = spent.mean(axis=(1, 2))
    return FlightTime(
        operating_point=operating_point,
        decisions=len(seen),
        macs_ratio=float(np.mean(ratios)),
        mean_ms=1e3 * float(early),
        mean_time_ratio=float(early / full),
        interrupted_time_ratio=float(early_of_all / full_of_all),
    )


def deciding(policy: Policy, thresholds: tuple[float, ...], seen: np.ndarray) -> Candidate:
    """Return what puts the next observation where the policy node makes it, and decides on it."""
    observations = itertools.cycle(seen)
    return (
        lambda: np.copyto(policy.observation, next(observations)),
        lambda: policy.decide(policy.observation, thresholds),
    )


def as_long_as(candidate: Candidate) -> Candidate:
    """Return work that needs nothing from memory and takes about as long as a candidate."""
    work = range(1000)
    spent = in_turns({'idle': (lambda: None, lambda: sum(work)), 'theirs': candidate}, 100 * BLOCK)
    count = round(len(work) * turn_by_turn(spent['theirs'], spent['idle']))
    return lambda: None, lambda: sum(range(count))


def in_turns(candidates: Mapping[Any, Candidate], calls: int) -> dict[Any, np.ndarray]:
    """Return how long each call took (turns, BLOCK) [ms], the candidates taking turns."""
    times: dict[Any, list[float]] = {name: [] for name in candidates}
    for _ in range(-(-calls // BLOCK)):
        for name, (prepare, call) in candidates.items():
            for _ in range(WARM):
                prepare()
                call()
            for _ in range(BLOCK):
                prepare()
                began = time.perf_counter()
                call()
                times[name].append(time.perf_counter() - began)
    return {name: 1e3 * np.reshape(spent, (-1, BLOCK)) for name, spent in times.items()}


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
    env = DroneVectorEnv(task, [make_world('rooms', TEST.start)], 1)
    observation, _ = env.reset(seed=0)
    point = next(iter(made.operating_points), 'full')
    seen = []
    for _ in range(decisions):
        seen.append(observation.astype(np.float32) / np.float32(255))
        action = policy.decide(seen[-1], policy.metadata.thresholds(point)).action
        observation, *_ = env.step(np.array([action]))
    return np.stack(seen)
