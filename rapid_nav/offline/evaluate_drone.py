"""`rapid-nav evaluate drone`: flights on held-out worlds, for every operating point."""

from collections.abc import Sequence
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rapid_nav.core import checkpoint
from rapid_nav.core.cost import macs_by_level, NATURE_DQN_MACS
from rapid_nav.flight.actions import ActionGrid
from rapid_nav.flight.task import FlightTask
from rapid_nav.offline import evaluate
from rapid_nav.offline.drone_env import Start
from rapid_nav.offline.train_drone import HELD_OUT_SEED
from rapid_nav.settings import check, setting
from rapid_nav.sim.world import make_world, World

log = logging.getLogger(__name__)

DEFAULT_CHECKPOINT = Path(__file__).parents[2] / 'models' / 'drone.safetensors'


@dataclass(frozen=True)
class EvaluateDroneConfig:
    """What `rapid-nav evaluate drone` takes."""

    checkpoint: Path = setting(DEFAULT_CHECKPOINT, 'the policy that flies')
    policy: str = setting(
        'checkpoint', 'who flies: the checkpoint, random actions, or always straight ahead',
        choices=('checkpoint', 'random', 'straight'))
    worlds: tuple[str, ...] = setting(
        ('corridor', 'rooms', 'pillars', 'forest'),
        'generators (several may be joined by commas) and world or map files')
    seed_base: int = setting(HELD_OUT_SEED, 'world seeds N, N+1, ... of each generator', low=0)
    flights: int = setting(40, 'in all, shared evenly among the worlds', low=1)
    cap_m: float = setting(100.0, 'a flight ends after this distance', unit='m', low=1.0)
    thresholds: tuple[float, ...] = setting(
        (), 'flown beside the operating points, each as one threshold for every branch')
    report: Path | None = setting(None, 'JSON file for the figures')

    def __post_init__(self) -> None:
        check(self)


def held_out(
    specs: Sequence[str], flights: int, seed_base: int
) -> tuple[list[World], list[Start], list[str]]:
    """
    Make the worlds of an evaluation: a new seed, and so a new world or start, for each flight.

    Returns the worlds, a start for each flight and the world's spec of each flight.
    """
    names = [name for spec in specs for name in spec.split(',') if name]
    worlds, starts, of = [], [], []
    for flight in range(flights):
        name = names[flight % len(names)]
        seed = seed_base + flight // len(names)
        world = make_world(name, seed)
        starts.append((len(worlds), seed % len(world.start_poses)))
        worlds.append(world)
        of.append(name)
    return worlds, starts, of


def main(config: EvaluateDroneConfig) -> dict[str, Any]:
    """Fly every operating point; return the report, and write it if it was asked for."""
    torch.set_num_threads(1)
    worlds, starts, of = held_out(config.worlds, config.flights, config.seed_base)
    task, points, rows = FlightTask(), {}, []
    macs: tuple[int, ...] = (1,)
    if config.policy == 'checkpoint':
        policy = checkpoint.load(config.checkpoint)
        task = FlightTask.from_dict(policy.task)
        macs = macs_by_level(policy.network)
        for name in [*policy.operating_points, 'full']:
            points[name] = evaluate.exit_policy(policy.network, policy.thresholds(name))
        for threshold in config.thresholds:
            points[f'threshold {threshold:g}'] = evaluate.exit_policy(
                policy.network, (threshold,) * (len(macs) - 1))
    elif config.policy == 'random':
        points['random'] = evaluate.random_policy(ActionGrid(task.actions).num_actions)
    else:
        points['straight'] = evaluate.straight_policy(task)
    for name, chooser in points.items():
        flights = evaluate.fly(task, worlds, starts, chooser, len(macs), config.cap_m)
        row = evaluate.summarise(name, flights, macs)
        if config.policy == 'checkpoint':
            row['macs_vs_nature'] = row['macs_ratio'] * macs[-1] / NATURE_DQN_MACS
        row['by_world'] = {
            world: float(flights.distance_m[[name == world for name in of]].mean())
            for world in dict.fromkeys(of)}
        log.info('%s', row)
        rows.append(row)
    full = next((row['msf_m'] for row in rows if row['name'] == 'full'), None)
    for row in rows:
        if full:
            row['msf_vs_full_path'] = row['msf_m'] / full
    report = {
        'flights': config.flights, 'cap_m': config.cap_m, 'worlds': list(dict.fromkeys(of)),
        'seed_base': config.seed_base, 'policy': config.policy,
        'checkpoint': str(config.checkpoint) if config.policy == 'checkpoint' else None,
        'points': rows,
    }
    if config.report is not None:
        config.report.write_text(json.dumps(report, indent=1) + '\n')
    return report


def choose_operating_points(
    path: Path, targets: dict[str, float], flights: int = 80, seed_base: int = 20_000,
    worlds: Sequence[str] = ('corridor', 'rooms', 'pillars', 'forest'),
) -> dict[str, tuple[float, ...]]:
    """
    Choose each named point's thresholds on validation worlds and store them in the checkpoint.

    A point's target is the largest share of operations it may use; among the thresholds of a
    grid that keep to it, the one that flies farthest is taken.
    """
    policy = checkpoint.load(path)
    task = FlightTask.from_dict(policy.task)
    macs = macs_by_level(policy.network)
    flown, starts, _ = held_out(worlds, flights, seed_base)
    tried = []
    for threshold in np.linspace(0.0, 1.0, 21):
        point = (float(threshold),) * (len(macs) - 1)
        result = evaluate.fly(
            task, flown, starts, evaluate.exit_policy(policy.network, point), len(macs))
        row = evaluate.summarise('', result, macs)
        log.info('threshold %.2f: %.3f of the operations, %.1f m',
                 threshold, row['macs_ratio'], row['msf_m'])
        tried.append((row['macs_ratio'], row['msf_m'], point))
    chosen = {}
    for name, limit in targets.items():
        fitting = [trial for trial in tried if trial[0] <= limit]
        if not fitting:
            raise ValueError(f'{name}: no threshold keeps to {limit} of the operations; the '
                             f'cheapest takes {min(tried)[0]:.3f}')
        chosen[name] = max(fitting, key=lambda trial: trial[1])[2]
    checkpoint.save(path, checkpoint.Checkpoint(
        policy.network, policy.task, {**policy.operating_points, **chosen}, policy.card))
    return chosen
