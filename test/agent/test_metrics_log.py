"""The log of a run: rows that go on, a full disk, and lines that are not finished."""

from pathlib import Path
import resource

import pytest

from rapid_nav.agent.metrics_log import MetricsLog, read_rows


def test_an_unfinished_last_line_is_no_broken_log(tmp_path: Path) -> None:
    path = tmp_path / 'log.jsonl'
    path.write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert [row['step'] for row in read_rows(path)] == [1, 2]
    path.write_text('{"step": 1}\n{"step": 2}')  # whole, but for its end of line
    assert [row['step'] for row in read_rows(path)] == [1, 2]
    for broken in ('{"ste\n{"step": 2}\n', '[1]\n', '{}\n'):
        path.write_text(broken)
        with pytest.raises(ValueError, match='log.jsonl, line 1: no row'):
            read_rows(path)


def test_rows_behind_the_state_that_is_resumed_are_cut(tmp_path: Path) -> None:
    with MetricsLog(tmp_path) as log:
        for step in (10, 20, 30):
            log(step, {'loss': step})
    with MetricsLog(tmp_path, first_step=20) as log:
        log(30, {'loss': 0})
    assert [(row['step'], row['loss']) for row in read_rows(log.path)] == [
        (10, 10),
        (20, 20),
        (30, 0),
    ]
    with MetricsLog(tmp_path) as log:  # a run that begins anew
        log(10, {})
    assert [row['step'] for row in read_rows(log.path)] == [10]


def test_rows_wait_while_the_disk_is_full(tmp_path: Path, caplog) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with MetricsLog(tmp_path) as log:
        log(1, {})
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (log.path.stat().st_size + 5, before[1]))
            log(2, {})
            log(3, {})
            assert [row['step'] for row in read_rows(log.path)] == [1]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        log(4, {})
    assert [row['step'] for row in read_rows(log.path)] == [1, 2, 3, 4]
    assert 'the log is written later' in caplog.text
