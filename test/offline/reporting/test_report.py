"""One page from what was measured: whole, small, safe, and clear about files that are wrong."""

from html.parser import HTMLParser
import json
from pathlib import Path
import re
from typing import Any

import pytest

from rapid_nav.offline.reporting.plots import evaluation, figure
from rapid_nav.offline.reporting.report import main, ReportConfig
from rapid_nav.offline.reporting.sections import training

HOSTILE = '<script>alert(1)</script>&"\'$x^{$\x07'


def point(name: str, ratio: float, metres: float) -> dict[str, Any]:
    return {
        'name': name,
        'macs_ratio': ratio,
        'msf_m': metres,
        'msf_ci95': [metres - 5, metres + 4],
        'macs_vs_nature': ratio / 10,
        'coverage': 0.4,
        'cap_share': 0.3,
        'exit_shares': [0.7, 0.2, 0.1],
        'by_world': {'corridor': metres, 'forest': metres / 2},
        'exit_shares_by_world': {'corridor': [0.9, 0.1, 0.0], 'forest': [0.5, 0.3, 0.2]},
    }


EVALUATION = {
    'flights': 40,
    'cap_m': 100.0,
    'worlds': ['corridor', 'forest'],
    'seed_base': 10000,
    'points': [
        point('balanced', 0.12, 55.0),
        point('full', 1.0, 57.0),
        point('threshold 0.5', 0.06, 50.0),
    ],
    'controls': [
        point('random exits', 0.12, 40.0)
        | {'behind': {'of': 'balanced', 'm': 15.0, 'ci95': [9.0, 21.0]}}
    ],
    'baseline': point('baseline', 1.0, 56.0),
}
GAME = {
    'game': 'Pong',
    'protocol': 'nature',
    'episodes': 30,
    'points': [
        {
            'name': 'balanced',
            'score': 15.0,
            'score_ci95': [13.0, 17.0],
            'macs_ratio': 0.2,
            'exit_shares': [0.8, 0.2],
        }
    ],
    'baseline': {'score': 16.0, 'score_ci95': [15.0, 17.0]},
}
BLOCK = {
    'runtime': 'onnx',
    'eager_full_ms': 3.0,
    'plain_ms': 0.8,
    'fall_through_ratio': 1.1,
    'flight': {'operating_point': 'balanced', 'macs_ratio': 0.1, 'mean_time_ratio': 0.2},
    'exits': [
        {'level': n, 'macs_ratio': r, 'ms_p50': r, 'ms_p99': 1.5 * r, 'time_ratio': r}
        for n, r in enumerate((0.1, 0.4, 1.0))
    ],
}
REPORTS: dict[str, Any] = {
    'evaluation.json': EVALUATION,
    'game.json': GAME,
    'latency.json': {'threads': {'1': BLOCK, '2': BLOCK}, 'rpc_depth_ms': 3.5},
    'wire.json': {
        'image_to_command_ms': {'p50': 3.0, 'p99': 9.0},
        'rpc_depth_ms': 3.5,
        'rpc_depth_stock_ms': None,
    },
    'compare.json': {
        'budget': 0.34,
        'modes': {
            mode: {
                kind: {
                    'interquartile_mean': 0.9,
                    'ci95': [0.8, 1.0],
                    'by_game': {'breakout': {'mean': 0.9, 'ci95': [0.8, 1.0]}},
                }
                for kind in (
                    'learned',
                    'random',
                    'exit 0 alone',
                    'macs_ratio',
                    'gain over random',
                    'of its full path',
                )
            }
            for mode in ('rapid', 'joint')
        },
    },
    'settings.json': {
        'config': {'steps': 400},
        'scores': {'plain': {'breakout': [3.0, 4.0]}},
        'changes': {
            'one-step': {
                'interquartile_mean': 0.7,
                'ci95': [0.6, 0.8],
                'by_game': {'breakout': {'mean': 0.7, 'ci95': [0.6, 0.8]}},
            }
        },
    },
    'simulator.json': {
        'depth_84_ms': 0.2,
        'embree_84_ms': 1.3,
        'speedup': 6.5,
        'agreement': 0.9999,
        'env_step_ms': 0.5,
    },
    'training.json': {'ours_steps_s': 119.0, 'sb3_steps_s': 60.0, 'ratio': 1.98},
    'flight.json': {
        'world': 'rooms',
        'seed': 7,
        'duration_s': 60.0,
        'flights': 2,
        'collisions': 1,
        'distance_m': [80.0, 30.5],
        'macs_ratio': 0.1,
        'exit_shares': [0.9, 0.1],
        'latency_ms': {'p50': 4.0, 'p99': None},
    },
}
LOG = [
    {
        'step': 100 * n,
        'seconds': n,
        'return': n / 10,
        'regret_0': 1 / (n + 1),
        'agree_0': 0.5,
        'length': None,
    }
    for n in range(1000)
]


def write(folder: Path) -> tuple[Path, ...]:
    """Write every kind of report."""
    for name, report in REPORTS.items():
        (folder / name).write_text(json.dumps(report))
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


def test_every_kind_of_report_has_its_section_and_pictures(made: str) -> None:
    headings = re.findall('<h2>(.*?)</h2>', made)
    assert sorted(headings) == sorted(
        [
            'Evaluation: drone',
            'Evaluation: Pong',
            'Latency by exit',
            'Simulator',
            'Training speed',
            'Flight',
            'Learning curves',
            'Wire',
            'Ways of training exits',
            'Settings of the plain learner, one changed at a time',
        ]
    )
    assert made.count('<figure') == made.count('<svg') >= 12


def test_what_a_control_is_behind_flight_by_flight_is_told(made: str) -> None:
    assert 'behind balanced<' in made and '15.0 m (9.0 to 21.0)' in made


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
    spoilt = json.loads(
        json.dumps(EVALUATION)
        .replace('balanced', 'NAME')
        .replace('"corridor"', '"NAME"')
        .replace('random exits', 'NAME')
    )
    text = json.dumps(spoilt).replace('NAME', json.dumps(HOSTILE)[1:-1])
    (tmp_path / 'bad.json').write_text(text)
    flight = {**REPORTS['flight.json'], 'world': HOSTILE}
    (tmp_path / 'flight.json').write_text(json.dumps(flight))
    game = {**GAME, 'game': HOSTILE}
    (tmp_path / 'game.json').write_text(json.dumps(game))
    out = tmp_path / 'report.html'
    files = tuple(tmp_path / name for name in ('bad.json', 'flight.json', 'game.json'))
    assert main(ReportConfig(files, out, title=HOSTILE)) == 0
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
        ('[1, 2]', 'makes no sense'),
        ('[]', 'makes no sense'),
        ('{"points": []}', 'without'),
        ('{"points": 3}', 'makes no sense'),
        (
            '{"points": [{"name": "a"}], "flights": 1, "cap_m": 1, "worlds": [], "seed_base": 0}',
            "without 'msf_m'",
        ),
        ('{"threads": {"1": {}}}', "without 'exits'"),
        ('{"threads": 3}', 'makes no sense'),
        ('{"depth_84_ms": "fast"}', 'without'),
        ('{"modes": {"rapid": 3}}', 'makes no sense'),
        (
            '{"distance_m": "far", "exit_shares": [1], "duration_s": 1, '
            '"flights": 1, "collisions": 0}',
            'makes no sense',
        ),
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
    with pytest.raises(OSError, match='nothing.json'):
        main(ReportConfig((tmp_path / 'nothing.json',), tmp_path / 'report.html'))


def test_the_curve_of_an_evaluation_can_be_had_alone(tmp_path: Path) -> None:
    (tmp_path / 'flight.json').write_text(json.dumps(REPORTS['flight.json']))
    (tmp_path / 'evaluation.json').write_text(json.dumps(EVALUATION))
    files = (tmp_path / 'flight.json', tmp_path / 'evaluation.json')
    curve = tmp_path / 'pictures' / 'curve.png'
    assert main(ReportConfig(files, tmp_path / 'report.html', curve)) == 0
    assert curve.read_bytes().startswith(b'\x89PNG') and curve.stat().st_size < 200_000
    with pytest.raises(ValueError, match='none of the files is an evaluation'):
        main(ReportConfig(files[:1], tmp_path / 'report.html', curve))


def test_no_files_at_all_is_a_mistake() -> None:
    with pytest.raises(ValueError, match='no files to show'):
        main(ReportConfig())


def test_a_curve_that_has_no_figures_is_not_drawn() -> None:
    captions = [plot.caption for plot in training({'one': LOG}).plots]
    assert "Branches' regret [Q] while learning." in captions
    assert not any('Length' in caption for caption in captions)


def test_a_control_that_scores_below_zero_is_in_the_picture() -> None:
    control = {
        **GAME['points'][0],
        'name': 'random exits',
        'score': -12.0,
        'score_ci95': [-14.0, -10.0],
    }
    with figure() as (_, axes):
        evaluation(axes, {**GAME, 'controls': [control]})
        assert axes.get_ylim()[0] < -12.0
