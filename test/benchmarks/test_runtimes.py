"""Other runtimes answer what PyTorch answers, integers nearly so."""

import numpy as np
import pytest
import torch

from rapid_nav.agent.checkpoint import Checkpoint
from rapid_nav.agent.network import EarlyExitNetwork
from rapid_nav.benchmarks import runtimes
from rapid_nav.benchmarks.exit_latency import random_observations
from rapid_nav.drone.networks import network_for
from rapid_nav.drone.task import FlightTask


def test_every_runtime_gives_the_answers_of_pytorch_at_both_exits():
    torch.manual_seed(0)
    task = FlightTask()
    made = Checkpoint(EarlyExitNetwork(network_for(task)).eval(), task.to_dict())
    seen = random_observations(made, 8)
    runs = runtimes.runtimes(made, seen)
    assert len(runs) >= 4
    for name, run in runs.items():
        tolerance = 0.1 if 'int8' in name else 1e-4
        for full in (False, True):
            q_values, logit = run(seen[0], full)
            expected, sure = runs['PyTorch, eager'](seen[0], full)
            np.testing.assert_allclose(q_values, expected, atol=tolerance, err_msg=name)
            assert logit == pytest.approx(sure, abs=tolerance), name
    rows = runtimes.measure(made, seen, 20)
    assert {row.runtime for row in rows} == set(runs)
    assert all(row.first_exit_ms > 0 < row.full_ms for row in rows)
    assert all(
        row.worst_q < 1e-4 and row.agreement == 1.0 for row in rows if 'int8' not in row.runtime
    )


def test_a_network_without_branches_is_refused():
    task = FlightTask()
    plain = Checkpoint(EarlyExitNetwork(network_for(task, 'plain')), task.to_dict())
    with pytest.raises(ValueError, match='one branch'):
        runtimes.runtimes(plain, random_observations(plain, 1))
