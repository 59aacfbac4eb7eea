"""`rapid-nav report`: what evaluations, training runs and benchmarks wrote, as one page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any

import msgspec

from rapid_nav.offline.reporting import kinds
from rapid_nav.offline.reporting.html import page, Section
from rapid_nav.offline.reporting.kinds import AtariEvaluation, DroneEvaluation, KINDS, Report
from rapid_nav.offline.reporting.plots import value_against_operations
from rapid_nav.offline.reporting.sections import LogRow, SECTIONS, training
from rapid_nav.options import setting

log = logging.getLogger(__name__)
_LARGEST_FILE = 64_000_000  # [bytes]
_LARGEST_NUMBER = 1e15  # beyond it pictures have no axes
_MOST_ENTRIES = 100_000  # of one list or table

# The entry that tells a report of before `kind`; such reports are read for one more release.
_BEFORE_KINDS: dict[str, type[Report]] = {
    'game': kinds.AtariEvaluation,
    'points': kinds.DroneEvaluation,
    'ours_steps_s': kinds.TrainingBenchmark,
    'threads': kinds.LatencyBenchmark,
    'depth_84_ms': kinds.SimulatorBenchmark,
    'runtimes': kinds.RuntimeBenchmark,
    'budgets': kinds.ExitControlBenchmark,
    'modes': kinds.ExitTrainingComparison,
    'changes': kinds.SettingsComparison,
    'calibrated': kinds.Calibration,
    'distance_m': kinds.Flight,
}


@dataclass(frozen=True)
class ReportConfig:
    """What `rapid-nav report` takes."""

    files: tuple[Path, ...] = setting(
        (),
        'Files that --report wrote (.json), and logs of training runs (log.jsonl).',
        positional=True,
    )
    out: Path = setting(Path('report.html'), 'File of the page.')
    curve: Path | None = setting(
        None, 'File, .png or .svg, for the first evaluation alone: performance over operations.'
    )
    title: str = setting('rapid_nav', 'Heading of the page.')


def main(config: ReportConfig) -> int:
    """Read the files, write the page; ValueError says which of them is wrong and why."""
    if not config.files:
        raise ValueError('no files to show; name what --report wrote, or a log.jsonl')
    logs = {path: read_log(path) for path in config.files if path.suffix == '.jsonl'}
    reports = {path: read(path) for path in config.files if path not in logs}
    text = page(config.title, make_sections(reports, logs))
    if config.curve:
        draw_curve(reports.values(), config.curve)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    config.out.write_text(text, encoding='utf-8')
    log.info('%s: %d kB', config.out, len(text) // 1000)
    return 0


def draw_curve(reports: Iterable[Report], path: Path) -> None:
    """Draw the first evaluation by itself; ValueError if there is none."""
    for report in reports:
        if isinstance(report, (DroneEvaluation, AtariEvaluation)):
            value_against_operations(report, path)
            return
    raise ValueError(f'{path}: none of the files is an evaluation, whose curve could be drawn')


def make_sections(
    reports: Mapping[Path, Report], logs: Mapping[Path, Sequence[LogRow]]
) -> list[Section]:
    """Return a section for each report, and one for all the training logs together."""
    made = [SECTIONS[type(report)](path.name, report) for path, report in reports.items()]
    if logs:
        names = _short_names(list(logs))
        made.append(training({names[path]: rows for path, rows in logs.items()}))
    return made


def read(path: Path) -> Report:
    """Return the report in a file; ValueError says in one line why it is none."""
    values = _parse(path, _text(path))
    if not isinstance(values, dict):
        raise ValueError(f'{path}: not a report; name a file that --report wrote')
    of = _kind_of(path, values)
    if (version := values.get('version', 1)) != of.version:
        raise ValueError(
            f'{path}: a {of.kind} of version {version!r:.20}; this release reads {of.version}'
        )
    try:
        _check_size(values)
        return msgspec.convert(values, of)
    except (ValueError, RecursionError) as error:
        why = ' '.join(str(error).split())
        raise ValueError(f'{path}: not a whole {of.kind}: {why:.150}') from error


def _kind_of(path: Path, values: Mapping[str, Any]) -> type[Report]:
    """Return what a report says it is; ValueError if that is unknown."""
    kind = values.get('kind')
    if isinstance(kind, str) and kind in KINDS:
        return KINDS[kind]
    guessed = next((of for key, of in _BEFORE_KINDS.items() if key in values), None)
    if kind is not None or guessed is None:
        raise ValueError(
            f'{path}: not a report of a known kind ({kind!r:.60}); name a file that --report wrote'
        )
    log.warning(
        '%s names no kind; it is read as %s, but the next release will refuse it',
        path,
        guessed.kind,
    )
    return guessed


def _check_size(value: Any, name: str = 'the report') -> None:
    """Raise ValueError for a number or a list that no picture can show."""
    if isinstance(value, (list, dict)):
        if len(value) > _MOST_ENTRIES:
            raise ValueError(f'{name} has {len(value)} entries')
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            _check_size(entry, f'{key}')
    elif isinstance(value, (int, float)) and not abs(value) < _LARGEST_NUMBER:
        raise ValueError(f'{name} is beyond {_LARGEST_NUMBER:g}')


def read_log(path: Path) -> list[LogRow]:
    """
    Return the rows of a training log, what is finite of them; ValueError says what is wrong.

    A last line that is not finished is left out: the run is writing it, or was killed.
    """
    *lines, rest = _text(path).split('\n')
    values = [_parse(path, line) for line in lines if line.strip()]
    if rest.strip():
        try:
            values.append(json.loads(rest))
        except (ValueError, RecursionError):
            log.warning('%s: its last line is not finished and left out', path)
    rows = [_finite(value) for value in values if isinstance(value, dict)]
    if len(rows) < len(values) or not rows or not all('step' in row for row in rows):
        raise ValueError(f'{path}: not a training log: each line is an object with its step')
    return rows


def _finite(row: Mapping[str, Any]) -> LogRow:
    """Return the figures of a row that can be drawn."""
    return {
        key: value
        for key, value in row.items()
        if isinstance(value, (int, float)) and abs(value) < _LARGEST_NUMBER
    }


def _text(path: Path) -> str:
    """Return the text of a regular file of bounded size; ValueError says why not."""
    if path.exists() and not path.is_file():
        raise ValueError(f'{path}: not a regular file; name a file that --report wrote')
    with path.open('rb') as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ValueError(f'{path}: larger than {_LARGEST_FILE // 1_000_000} MB; that is no report')
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: no text; name a file that --report wrote') from error


def _parse(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path}: not JSON ({error}); name a file that --report wrote') from error


def _short_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return names that tell logs apart: those of their folders, or their own."""
    folders = [path.resolve().parent.name for path in paths]
    distinct = len(set(folders)) == len(folders)
    return {
        path: folder if distinct else str(path)
        for path, folder in zip(paths, folders, strict=True)
    }
