"""`rapid-nav report`: what evaluations, trainings and benchmarks wrote, as one page to look at."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
import json
import logging
from pathlib import Path
from typing import Any

from rapid_nav.offline.reporting import benchmark_sections as benchmarks
from rapid_nav.offline.reporting import sections
from rapid_nav.offline.reporting.html import page, Section
from rapid_nav.offline.reporting.plots import distance_against_operations
from rapid_nav.options import setting

log = logging.getLogger(__name__)
_LARGEST = 64_000_000  # [bytes] of a file that is read


@dataclass(frozen=True)
class ReportConfig:
    """What `rapid-nav report` takes."""

    files: tuple[Path, ...] = setting(
        (),
        'The page shows what --report wrote (.json), and the log.jsonl of trainings.',
        positional=True,
    )
    out: Path = setting(Path('report.html'), 'This page is written.')
    curve: Path | None = setting(
        None,
        'This picture, .png or .svg, shows performance against operations of the first '
        'evaluation.',
    )
    title: str = setting('rapid_nav', 'The page has this heading.')


@dataclass(frozen=True)
class Kind:
    """A kind of report: how to tell it, and how to show it."""

    name: str
    is_it: Callable[[Any], bool]
    show: Callable[[str, Any], Section]


def has(*keys: str) -> Callable[[Any], bool]:
    """Return a test for a report that has all of these keys."""
    return lambda report: isinstance(report, dict) and set(keys) <= report.keys()


KINDS = (
    Kind('an evaluation', has('points'), sections.evaluation),
    Kind('a latency benchmark', has('threads'), benchmarks.latency),
    Kind('a training benchmark', has('ours_steps_s'), benchmarks.training_speed),
    Kind('a simulator benchmark', has('depth_84_ms'), benchmarks.simulator),
    Kind('a comparison', has('modes'), sections.comparison),
    Kind('a comparison of settings', has('changes', 'scores'), sections.settings),
    Kind('a flight', has('distance_m', 'exit_shares'), sections.flight),
    Kind('a wire benchmark', has('rpc_depth_ms'), benchmarks.wire),
)


def main(config: ReportConfig) -> int:
    """Read the files, write the page; ValueError says which of them is wrong and why."""
    if not config.files:
        raise ValueError('no files to show; name what --report wrote, or a log.jsonl')
    reports = {path: read(path) for path in config.files}
    text = page(config.title, make_sections(reports))
    if config.curve:
        draw_curve(reports.values(), config.curve)
    config.out.parent.mkdir(parents=True, exist_ok=True)
    config.out.write_text(text, encoding='utf-8')
    log.info('%s: %d kB', config.out, len(text) // 1000)
    return 0


def draw_curve(reports: Iterable[Any], path: Path) -> None:
    """Draw the first evaluation by itself; ValueError if there is none."""
    evaluation = next((report for report in reports if has('points')(report)), None)
    if evaluation is None:
        raise ValueError(f'{path}: none of the files is an evaluation, whose curve could be drawn')
    path.parent.mkdir(parents=True, exist_ok=True)
    distance_against_operations(evaluation, path)


def read(path: Path) -> Any:
    """Return the JSON of a file, a list of rows of a .jsonl file."""
    if path.is_file() and path.stat().st_size > _LARGEST:
        raise ValueError(f'{path}: larger than {_LARGEST // 1_000_000} MB; that is no report')
    try:
        text = path.read_text(encoding='utf-8')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: no text; name a file that --report wrote') from error
    try:
        if path.suffix == '.jsonl':
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f'{path}: not JSON ({error}); name a file that --report wrote') from error


def make_sections(reports: Mapping[Path, Any]) -> list[Section]:
    """Return a section for each report, and one for all the training logs together."""
    logs = {path: report for path, report in reports.items() if isinstance(report, list)}
    made = [
        _made(path, kind_of(path, report), report)
        for path, report in reports.items()
        if path not in logs
    ]
    if logs:
        names = _short_names(list(logs))
        rows = {names[path]: report for path, report in logs.items()}
        first = next(iter(logs))
        made.append(
            _made(
                first,
                Kind('a training log', has(), lambda _name, given: sections.training(given)),
                rows,
            )
        )
    return made


def kind_of(path: Path, report: Any) -> Kind:
    """Return what a report is; ValueError if it is none."""
    for kind in KINDS:
        if kind.is_it(report):
            return kind
    raise ValueError(
        f'{path}: not a report of evaluate, train, bench or fly; name a file that --report wrote'
    )


def _made(path: Path, kind: Kind, report: Any) -> Section:
    """Return a report's section; ValueError says what is wrong with the report."""
    try:
        return kind.show(path.name, report)
    except KeyError as error:
        raise ValueError(f'{path}: {kind.name} without {error}') from error
    except (AttributeError, IndexError, StopIteration, TypeError, ValueError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f'{path}: {kind.name} that makes no sense: {why}') from error


def _short_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return names that tell logs apart: those of their folders, or their own."""
    folders = [path.resolve().parent.name for path in paths]
    distinct = len(set(folders)) == len(folders)
    return {
        path: folder if distinct else str(path)
        for path, folder in zip(paths, folders, strict=True)
    }
