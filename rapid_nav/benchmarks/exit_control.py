"""`rapid-nav bench steering`: budgets held from scene to scene, deadlines held under load."""

from collections.abc import Iterator
import contextlib
from dataclasses import dataclass
import os
from pathlib import Path
import subprocess
import sys
import time

import numpy as np

from rapid_nav.drone.flight_stats import Percentiles
from rapid_nav.drone.seeds import TEST
from rapid_nav.drone.task import FlightTask
from rapid_nav.inference.exit_control import BudgetConfig, BudgetController, Deadline
from rapid_nav.inference.exit_rule import NEVER
from rapid_nav.inference.policy import load_policy, Policy
from rapid_nav.offline.drone.env import DroneVectorEnv
from rapid_nav.offline.evaluation.suite import GENERATED
from rapid_nav.offline.reporting.kinds import (
    BudgetRow,
    DeadlineRow,
    DeadlineTimes,
    ExitControlBenchmark,
)
from rapid_nav.options import check, setting
from rapid_nav.resources import shipped_checkpoint
from rapid_nav.shutdown import end_with_parent
from rapid_nav.sim.worlds.world import make_world


@dataclass(frozen=True)
class SteeringConfig:
    """What `rapid-nav bench steering` takes."""

    checkpoint: Path = setting(shipped_checkpoint(), 'Policy that flies.')
    budgets: tuple[float, ...] = setting(
        (0.1, 0.2, 0.4), 'Shares of the operations to keep to, each through all the scenes.'
    )
    decisions: int = setting(500, 'Number of decisions in each scene.', low=1)
    clearance: float = setting(
        0.6,
        'Free way ahead below which the full network decides, whatever the budget.',
        unit='m',
        low=0.0,
    )
    deadline_ms: float = setting(
        10.0, 'Deadline of a decision, from its image.', unit='ms', low=0.01
    )
    rate: float = setting(20.0, 'Rate of images under load.', unit='Hz', low=0.1, high=1000.0)
    seconds: float = setting(20.0, 'Duration of decisions under load.', unit='s', low=0.1)
    report: Path | None = setting(None, 'JSON file for the figures.')
    plot: Path | None = setting(None, 'File, .png or .svg, for a plot of the running means.')

    def __post_init__(self) -> None:
        check(self)


def main(config: SteeringConfig) -> int:
    """Fly under every budget, decide under load, print and write the figures."""
    policy = load_policy(config.checkpoint)
    held = [hold_budget(policy, budget, config) for budget in config.budgets]
    if config.plot is not None:
        from rapid_nav.offline.reporting.budget_plot import budgets_held

        budgets_held([(row.budget, spent) for row, spent in held], config.decisions, config.plot)
    figures = ExitControlBenchmark(
        checkpoint=str(config.checkpoint),
        scenes=GENERATED,
        budgets=tuple(row for row, _ in held),
        deadline=hold_deadline(policy, config),
    )
    print(figures.to_json())
    figures.write(config.report)
    return 0


def hold_budget(
    policy: Policy, budget: float, config: SteeringConfig
) -> tuple[BudgetRow, np.ndarray]:
    """
    Fly from scene to scene under one budget.

    Returns how far the running mean of the operations was off the budget, at worst, from the
    200th decision on, and the operations of each decision (D,) as a share of the full network's.
    """
    shares = [macs / policy.macs[-1] for macs in policy.macs]
    controller = BudgetController(BudgetConfig(budget=budget), shares)
    task = FlightTask.from_dict(policy.metadata.task)
    spent = []
    for scene in GENERATED:
        env = DroneVectorEnv(task, [make_world(scene, TEST.start)], 1)
        seen, _ = env.reset(seed=0)
        for _ in range(config.decisions):
            deep = bool(env.free[0] < config.clearance)
            decision = policy.decide(
                seen.astype(np.float32) / np.float32(255), controller.thresholds(deep)
            )
            controller.record(decision, decision.macs_ratio, deep)
            spent.append(decision.macs_ratio)
            seen, *_ = env.step(np.array([decision.action]))
    mean = np.cumsum(spent) / np.arange(1, len(spent) + 1)
    off = np.abs(mean[controller.config.window :] / budget - 1.0)
    row = BudgetRow(
        budget=budget,
        mean=float(mean[-1]),
        deep=controller.forced / len(spent),
        worst_off_after_200=float(off.max()) if len(off) else None,
    )
    return row, np.array(spent)


def hold_deadline(policy: Policy, config: SteeringConfig) -> DeadlineTimes:
    """Decide at the camera's rate, alone and with every core busy; see `decide_in_time`."""
    idle = decide_in_time(policy, config)
    with busy_cores():
        loaded = decide_in_time(policy, config)
    return DeadlineTimes(
        deadline_ms=config.deadline_ms,
        rate_hz=config.rate,
        busy_processes=os.cpu_count() or 1,
        idle=idle,
        loaded=loaded,
    )


def decide_in_time(policy: Policy, config: SteeringConfig) -> DeadlineRow:
    """
    Ask for the full network at the camera's rate under a deadline.

    An image arrives when it is due: that this process is woken late counts as waiting.
    """
    deadline = Deadline(config.deadline_ms / 1e3, policy.num_levels, time.perf_counter)
    thresholds = (NEVER,) * (policy.num_levels - 1)
    shape = (1, *policy.metadata.network.input_shape)
    seen = np.random.default_rng(0).random((16, *shape), np.float32)
    levels = np.zeros(policy.num_levels, np.int64)
    spent = []
    due = time.perf_counter()
    for index in range(int(config.seconds * config.rate)):
        due += 1.0 / config.rate
        time.sleep(max(0.0, due - time.perf_counter()))
        deadline.begin(max(0.0, time.perf_counter() - due))
        decision = policy.decide(seen[index % len(seen)], thresholds, deadline.may_run)
        spent.append(deadline.end(decision.level))
        levels[decision.level] += 1
        due = max(due, time.perf_counter() - 1.0 / config.rate)  # a late image is not made up
    times = 1e3 * np.array(spent)
    return DeadlineRow(
        decisions=len(spent),
        inside=float(np.mean(times <= config.deadline_ms)),
        ms=Percentiles.of(times),
        exit_shares=tuple((levels / levels.sum()).tolist()),
    )


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Keep every core busy meanwhile, with a process each at the priority of this one."""
    load = [
        subprocess.Popen(end_with_parent([sys.executable, '-c', 'while True: pass']))
        for _ in range(os.cpu_count() or 1)
    ]
    try:
        yield
    finally:
        for process in load:
            process.kill()
            process.wait()
