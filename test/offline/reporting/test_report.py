"""One page from what was measured: whole, small, safe, and clear about files that are wrong."""

from collections.abc import Iterator
import contextlib
from dataclasses import replace
from html.parser import HTMLParser
import json
import logging
import os
from pathlib import Path
import re
from typing import Any

from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
import pytest
from reports import ATARI, atari_row, DRONE, drone_row, EXAMPLES, FLIGHT

from rapid_nav.offline.reporting.kinds import KINDS
from rapid_nav.offline.reporting.plots import evaluation, figure
from rapid_nav.offline.reporting.report import main, read, read_log, ReportConfig
from rapid_nav.offline.reporting.sections import SECTIONS, training

HOSTILE = '<script>alert(1)</script>&"\'$x^{$\x07'
LOG = [
    {
        'step': 100 * n,
        'seconds': n,
        'return': n / 10,
        'regret_0': 1 / (n + 1),
        'agree_0': float('nan'),
        'length': None,
    }
    for n in range(1000)
]


def write(folder: Path) -> tuple[Path, ...]:
    """Write every kind of report, and two training logs."""
    for kind, report in EXAMPLES.items():
        report.write(folder / f'{kind}.json')
    for seed in ('one', 'two'):
        (folder / seed).mkdir()
        (folder / seed / 'log.jsonl').write_text('\n'.join(map(json.dumps, LOG)) + '\n')
    return tuple(sorted(folder.rglob('*.json*')))


def refusal(folder: Path, text: str, name: str = 'bad.json') -> str:
    """Return what is said of a file with this text."""
    (folder / name).write_text(text)
    with pytest.raises(ValueError) as caught:
        main(ReportConfig((folder / name,), folder / 'report.html'))
    return str(caught.value)


class Reader(HTMLParser):
    """Collects tags and attributes, and minds that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or '') for name, value in attrs]


@pytest.fixture(scope='module')
def made(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page of every kind of report."""
    folder = tmp_path_factory.mktemp('reports')
    out = folder / 'page' / 'report.html'
    assert main(ReportConfig(write(folder), out)) == 0
    return out.read_text()


def test_every_kind_of_report_is_tried_here_and_has_its_section() -> None:
    assert EXAMPLES.keys() == KINDS.keys()
    assert set(SECTIONS) == set(KINDS.values())


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    for report in EXAMPLES.values():
        report.write(tmp_path / 'new' / 'report.json')
        assert read(tmp_path / 'new' / 'report.json') == report


def test_every_report_and_the_logs_together_are_on_the_page(made: str) -> None:
    headings = re.findall('<h2>(.*?)</h2>', made)
    assert len(headings) == len(EXAMPLES) + 1 == len(set(headings))
    assert 'Learning curves' in headings
    assert made.count('<figure') == made.count('<svg') >= 12


def test_the_lead_over_a_control_is_reported_flight_by_flight(made: str) -> None:
    assert '+15.0 m (+9.0 to +21.0)' in made


def test_a_flight_that_failed_says_so_and_why(made: str) -> None:
    assert 'failed: policy ended with status -9' in made


def test_the_page_needs_no_network_and_is_small(made: str) -> None:
    reader = Reader()
    reader.feed(made)
    assert not {'script', 'link', 'img', 'iframe', 'object', 'embed', 'base'} & set(reader.tags)
    fetched = [
        value
        for name, value in reader.attributes
        if name in ('src', 'href', 'xlink:href', 'data') and not value.startswith('#')
    ]
    assert fetched == [] and '@import' not in made
    assert not re.search(r'url\((?!#)', made)
    assert len(made.encode()) < 3_000_000


def test_the_page_suits_a_phone_and_paper(made: str) -> None:
    assert 'width=device-width' in made and '@media print' in made


def test_no_two_pictures_share_an_id(made: str) -> None:
    pictures = [set(re.findall(r'<clipPath id="(.*?)"', part)) for part in made.split('<figure')]
    ids = [one for picture in pictures for one in picture]
    assert len(ids) == len(set(ids)) > 0


def test_the_papers_point_and_the_baseline_are_marked(made: str) -> None:
    assert 'RAPID-RL: 0.91x of its own baseline at 0.25x' in made
    assert 'RAPID-RL: 0.88x of its own baseline at 0.34x' in made
    assert 'DQN without branches' in made


def test_axes_have_units(made: str) -> None:
    for words in (
        'mean safe flight [m]',
        'decisions [%]',
        'time of a decision [ms]',
        'environment steps',
    ):
        assert words in made


def test_what_a_file_says_is_text_and_nothing_else(tmp_path: Path) -> None:
    row = drone_row(HOSTILE, 0.1, 50.0)
    row = replace(row, by_world={HOSTILE: 3.0}, exit_shares_by_world={HOSTILE: (1.0,)})
    reports = (
        replace(DRONE, points=(row,), controls=(row,), baseline=row, worlds=(HOSTILE,)),
        replace(FLIGHT, world=HOSTILE, reason=HOSTILE),
        replace(ATARI, game=HOSTILE),
    )
    for report in reports:
        report.write(tmp_path / f'{report.kind}.json')
    out = tmp_path / 'report.html'
    assert main(ReportConfig(tuple(tmp_path.glob('*.json')), out, title=HOSTILE)) == 0
    assert '<script' not in out.read_text()


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', 'not JSON'),
        ('{"points": [', 'not JSON'),
        ('[' * 100_000, 'not JSON'),
        ('{}', 'not a report'),
        ('3', 'not a report'),
        ('"points"', 'not a report'),
        ('[1, 2]', 'not a report'),
        ('{"kind": "horoscope"}', "known kind ('horoscope')"),
        ('{"kind": 3}', 'known kind (3)'),
        ('{"kind": "flight"}', 'not a whole flight: Object missing required field'),
        ('{"kind": "flight", "version": 2}', 'a flight of version 2; this release reads 1'),
        ('{"points": []}', 'not a whole drone evaluation'),
        ('{"kind": "simulator benchmark", "speedup": 1e400}', 'speedup is beyond 1e+15'),
        ('{"kind": "simulator benchmark", "depth_84_ms": "fast"}', 'not a whole simulator'),
    ],
)
def test_a_file_that_is_no_report_is_named_in_one_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    said = refusal(tmp_path, text)
    assert 'bad.json' in said and reason in said
    assert '\n' not in said and len(said) < 300


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / 'model.json').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match=r'model\.json: no text'):
        main(ReportConfig((tmp_path / 'model.json',), tmp_path / 'report.html'))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r'nothing\.json'):
        main(ReportConfig((tmp_path / 'nothing.json',), tmp_path / 'report.html'))


@pytest.mark.parametrize('suffix', ['json', 'jsonl'])
def test_what_never_ends_is_refused_at_once(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f'zero.{suffix}').symlink_to('/dev/zero')
    os.mkfifo(tmp_path / f'pipe.{suffix}')
    for name in ('zero', 'pipe'):
        with pytest.raises(ValueError, match='not a regular file'):
            main(ReportConfig((tmp_path / f'{name}.{suffix}',), tmp_path / 'report.html'))


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / 'huge.json').open('wb') as file:
        file.truncate(10**12)
    with pytest.raises(ValueError, match='larger than 64 MB'):
        main(ReportConfig((tmp_path / 'huge.json',), tmp_path / 'report.html'))


@pytest.mark.parametrize('kind', sorted(KINDS.keys() - {'fleet training'}))
def test_a_report_of_before_kinds_is_still_read_with_a_warning(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    values = EXAMPLES[kind].to_dict()
    del values['kind'], values['version']
    (tmp_path / 'old.json').write_text(json.dumps(values))
    with caplog.at_level(logging.WARNING, 'rapid_nav'):
        assert read(tmp_path / 'old.json') == EXAMPLES[kind]
    assert 'names no kind' in caplog.text


@given(cut=st.integers(10, 3000))
def test_a_log_is_read_however_far_its_last_line_was_written(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp('log') / 'log.jsonl'
    text = '\n'.join(map(json.dumps, LOG)) + '\n'
    first = text.index('\n') + 1
    path.write_text(text[: first + cut])
    rows = read_log(path)
    whole = text[: first + cut].count('\n')
    assert whole <= len(rows) <= whole + 1
    assert rows[0] == {'step': 0, 'seconds': 0, 'return': 0.0, 'regret_0': 1.0}


@pytest.mark.parametrize('text', ['', '\n', '{"step": 1}\n3\n', '{"step"\n', '{"loss": 1}\n'])
def test_a_log_without_steps_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, text, 'log.jsonl')
    assert 'log.jsonl: not' in said and '\n' not in said


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of everything in a JSON value."""
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    return [path] * bool(path) + [leaf for key, v in inside for leaf in leaves(v, (*path, key))]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@st.composite
def mutated(draw: st.DrawFn, values: st.SearchStrategy[Any] = JSON) -> str:
    """Return a report with some entries changed or taken out."""
    report = json.loads(draw(st.sampled_from(list(EXAMPLES.values()))).to_json())
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(leaves(report) or [('kind',)]))
        inside = report
        for key in way:
            inside = inside[key]
        if draw(st.booleans()) or last not in inside:
            inside[last] = draw(values)
        else:
            del inside[last]
    return json.dumps(report)


@contextlib.contextmanager
def refused_in_one_line() -> Iterator[None]:
    """See that what is refused is refused in one line that names the file."""
    try:
        yield
    except ValueError as error:
        said = str(error)
        assert 'spoilt.json' in said and '\n' not in said and len(said) < 400


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(text=mutated())
def test_a_spoilt_report_is_read_or_refused_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / 'spoilt.json').write_text(text)
    with refused_in_one_line():
        read(tmp_path / 'spoilt.json')


NUMBERS = st.floats(-1e14, 1e14, allow_nan=False) | st.integers(-2, 2) | st.just([])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12)
@given(text=mutated(NUMBERS))
def test_a_report_of_odd_figures_is_shown_or_refused_in_one_line(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / 'spoilt.json').write_text(text)
    with refused_in_one_line():
        main(ReportConfig((tmp_path / 'spoilt.json',), tmp_path / 'report.html'))


def test_the_curve_of_an_evaluation_can_be_had_alone(tmp_path: Path) -> None:
    files = (tmp_path / 'flight.json', tmp_path / 'evaluation.json')
    for path, report in zip(files, (FLIGHT, DRONE), strict=True):
        report.write(path)
    curve = tmp_path / 'pictures' / 'curve.png'
    assert main(ReportConfig(files, tmp_path / 'report.html', curve)) == 0
    assert curve.read_bytes().startswith(b'\x89PNG') and curve.stat().st_size < 200_000
    with pytest.raises(ValueError, match='none of the files is an evaluation'):
        main(ReportConfig(files[:1], tmp_path / 'report.html', curve))


def test_no_files_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match='no files to show'):
        main(ReportConfig())


def test_a_curve_that_has_no_figures_is_not_drawn() -> None:
    rows = [{'step': n, 'regret_0': 1.0} for n in range(10)]
    captions = [plot.caption for plot in training({'one': rows}).plots]
    assert captions == ["Branches' regret [Q] while learning."]


def test_a_control_that_scores_below_zero_is_in_the_picture() -> None:
    with figure() as (_, axes):
        evaluation(axes, replace(ATARI, controls=(atari_row('random exits', 0.2, -12.0),)))
        assert axes.get_ylim()[0] < -12.0


def test_a_report_can_go_to_what_is_no_file(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    FLIGHT.write(Path(f'/dev/fd/{writing}'))
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert json.loads(pipe.read())['kind'] == 'flight'
