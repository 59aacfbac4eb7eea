"""Processes that live and die together."""

import os
from pathlib import Path
import time

from rapid_nav.processes import Processes

SLOW_TO_FINISH = (
    'trap "sleep 3; echo whole > {}; exit" TERM; echo ready; while :; do sleep .05; done')


def test_one_that_is_ended_first_has_all_the_time_it_was_given(tmp_path: Path) -> None:
    file, said = tmp_path / 'file', []
    with Processes(os.environ, lambda _name, line: said.append(line), patience=0.1) as processes:
        processes.start('writer', ['bash', '-c', SLOW_TO_FINISH.format(file)])
        while not said:
            time.sleep(0.02)
        processes.end('writer', 20.0)
        assert file.read_text() == 'whole\n'


def test_one_that_does_not_end_in_its_time_holds_nobody_up(tmp_path: Path) -> None:
    file, said = tmp_path / 'file', []
    with Processes(os.environ, lambda _name, line: said.append(line), patience=0.1) as processes:
        processes.start('writer', ['bash', '-c', SLOW_TO_FINISH.format(file)])
        while not said:
            time.sleep(0.02)
        processes.end('writer', 0.1)
    assert not file.exists()
    assert processes.running['writer'].poll() is not None
