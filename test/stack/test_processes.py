"""Processes that live and die together."""

from collections.abc import Iterator
import os
from pathlib import Path
import threading

import pytest

from rapid_nav.stack.processes import Processes

FINISH = 'trap "sleep {}; echo whole > {}; exit" TERM; echo ready; while :; do sleep .05; done'


@pytest.fixture
def processes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Run a writer that needs some seconds to finish its file."""
    ready = threading.Event()
    with Processes(os.environ, lambda _name, _line: ready.set(), timeout=0.1) as running:
        running.start('writer', ['bash', '-c', FINISH.format(request.param, tmp_path / 'file')])
        assert ready.wait(120.0)
        yield running


@pytest.mark.parametrize('processes', [1], indirect=True)
def test_one_that_is_ended_first_has_all_the_time_it_was_given(
    processes: Processes, tmp_path: Path
) -> None:
    processes.end('writer', 120.0)
    assert (tmp_path / 'file').read_text() == 'whole\n'


@pytest.mark.parametrize('processes', [30], indirect=True)
def test_one_that_does_not_end_in_time_delays_no_other(
    processes: Processes, tmp_path: Path
) -> None:
    processes.end('writer', 0.1)
    with processes:
        pass  # leaving it ends them all
    assert processes.running['writer'].poll() is not None
    assert not (tmp_path / 'file').exists()
