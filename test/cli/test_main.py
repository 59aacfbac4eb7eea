"""The command line: help that tells all, mistakes that cost one line, completion, logs."""

from collections.abc import Iterator
import dataclasses
import logging
from pathlib import Path
import re
import runpy
import signal
import subprocess
from typing import Any, get_type_hints

import pytest

from rapid_nav import resources
from rapid_nav.cli import completion, main

QUICK = [
    words
    for words, (module, _) in main.COMMANDS.items()
    if module in ('rapid_nav.cli.fly', 'rapid_nav.sim.main', 'rapid_nav.offline.reporting.report')
]


def typed(capsys: pytest.CaptureFixture[str], line: str) -> tuple[int, str, str]:
    """Return status, output and errors of a command line."""
    try:
        status = main.main(line.split())
    except SystemExit as end:
        status = int(end.code or 0)
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.mark.parametrize('words', QUICK, ids=' '.join)
def test_help_tells_of_every_flag_its_meaning_and_default(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = typed(capsys, f'{" ".join(words)} --help')
    assert status == 0 and main.COMMANDS[words][1].split()[0] in out
    for flag, _ in completion.flags_of(main.COMMANDS[words][0]):
        assert flag in out
    assert out.count('(default:') >= len(re.findall(r'^  --(?!no-|help)', out, re.MULTILINE))


def test_help_is_in_sentences_with_units_and_ranges(capsys: pytest.CaptureFixture[str]) -> None:
    out = ' '.join(typed(capsys, 'fly --help')[1].split())
    about = 'Time in flight after which it ends; 0 sets no limit. [simulated s] {0..}'
    assert f'{about} (default: 0.0)' in out
    assert '--report PATH JSON file' in out


def settings(config: type) -> Iterator[dataclasses.Field]:
    """Yield the settings of a class, those of the classes within it too."""
    hints = get_type_hints(config)
    for field in dataclasses.fields(config):
        inner = dataclasses.is_dataclass(hints[field.name])
        yield from settings(hints[field.name]) if inner else [field]


@pytest.mark.parametrize('words', main.COMMANDS, ids=' '.join)
def test_every_flag_is_explained_in_a_sentence(words: tuple[str, ...]) -> None:
    command = pytest.importorskip(main.COMMANDS[words][0]).main
    for field in settings(get_type_hints(command)['config']):
        about = field.metadata['help']
        assert about[0].isupper() or about[0].isdigit(), (field.name, about)
        assert about.endswith('.') and ' ' in about, (field.name, about)


def test_every_command_is_described_in_a_sentence() -> None:
    for module, about in main.COMMANDS.values():
        assert about.endswith('.') and about[0].isupper() and module.startswith('rapid_nav.')


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('fly --sed 3', ['--sed', 'did you mean --seed']),
        ('fly --seed x', ['--seed', "'x'"]),
        ('fly --seed -4', ['seed is -4', 'at least 0']),
        ('fly --simulator gazebo', ['simulator', 'choose one of embedded, airsim']),
        ('fly --seed', ['--seed']),
        ('fly --seed=', ['--seed']),
        ('train drone --agent.learning-rat 1', ['did you mean --agent.learning-rate']),
        ('fly rooms', ['rooms', 'rapid-nav fly --help']),
        ('fly --checkpoint /nowhere/x.safetensors', ['/nowhere/x.safetensors', 'rapid-nav train']),
        ('train drone --task pedra --flight.actions.motion velocity', ['--task pedra-velocity']),
        ('train drone --task pedre', ['task is', 'choose one of drone, pedra']),
        ('sim --port 99999', ['port is 99999', '[0, 65535]']),
        ('report', ['no files']),
        ('report /nowhere/out.json', ['/nowhere/out.json']),
        ('flie', ['no such command', 'did you mean fly?']),
        ('train', ['no such command', 'did you mean train drone']),
        ('xyzzy --seed 4', ['no such command', '--help']),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_remedy(
    line: str, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = typed(capsys, line)
    assert status == 2 and out == ''
    assert err.count('\n') == 1 and err.startswith('rapid-nav')
    for word in words:
        assert word in err


def test_help_of_a_family_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = typed(capsys, 'bench --help')
    assert status == 0 and 'bench latency' in out and 'evaluate' not in out


@pytest.mark.parametrize(
    ('flags', 'level'), [('', logging.WARNING), ('-v ', logging.INFO), ('-vv ', logging.DEBUG)]
)
def test_v_shows_logs(flags: str, level: int, capsys: pytest.CaptureFixture[str]) -> None:
    typed(capsys, f'{flags}--version')
    assert logging.getLogger('rapid_nav').level == level


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    xml = (Path(__file__).parents[2] / 'package.xml').read_text()
    assert f'<version>{typed(capsys, "--version")[1].split()[1]}</version>' in xml


@pytest.fixture(scope='module')
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of the bash script."""
    path = tmp_path_factory.mktemp('completion') / 'rapid-nav.bash'
    path.write_text(completion.script())
    return path


@pytest.mark.parametrize(
    ('line', 'proposed'),
    [
        ('rapid-nav fl', {'fly'}),
        ('rapid-nav bench lat', {'latency'}),
        ('rapid-nav fly --lo', {'--lockstep'}),
        ('rapid-nav fly --no-lo', {'--no-lockstep'}),
        ('rapid-nav fly --simulator e', {'embedded'}),
        ('rapid-nav fly --world rooms --simulator a', {'airsim'}),
        ('rapid-nav bench simulator --rep', {'--report'}),
        ('rapid-nav evaluate drone --policy str', {'straight'}),
        ('rapid-nav report --ti', {'--title'}),
        ('rapid-nav completion z', {'zsh'}),
        ('rapid-nav fly --lockstep --rep', {'--report'}),
        ('rapid-nav fly --world --', set()),  # which leaves it to the shell to find a file
    ],
)
def test_bash_completes(line: str, proposed: set[str], script: Path) -> None:
    words = line.split()
    done = subprocess.run(
        [
            'bash',
            '-c',
            f'source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
            '_rapid_nav; echo "${COMPREPLY[@]}"',
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(done.stdout.split()) == proposed and done.stderr == ''


def test_flags_of_nested_settings_have_dots() -> None:
    from rapid_nav.cli import train_drone

    config: Any = get_type_hints(train_drone.main)['config']
    flags = dict(completion.fields_of(config))
    assert '--agent.learning-rate' in flags and 'rapid' in flags['--agent.mode']
    assert '--no-resume' in flags and '--agent.no-double' in flags


@pytest.mark.parametrize(
    ('line', 'name', 'value'),
    [
        ('--threshold -1', 'threshold', -1.0),
        ('--threshold -1e-1', 'threshold', -0.1),
        ('--save_view a.rrd', 'save_view', 'a.rrd'),
        ('--save-view=a_b=c', 'save_view', 'a_b=c'),
        ('--lockstep --no-lockstep', 'lockstep', False),
        ('--report None', 'report', None),
        ('--report out.json', 'report', Path('out.json')),
        ('--world maps/-7.yaml', 'world', 'maps/-7.yaml'),
    ],
)
def test_flags_are_read_as_they_are_typed(line: str, name: str, value: Any) -> None:
    from rapid_nav.cli.fly import FlyConfig

    assert getattr(main.parse('fly', '', FlyConfig, line.split()), name) == value


def test_several_values_and_files_stand_in_any_order() -> None:
    from rapid_nav.cli.evaluate_drone import EvaluateDroneConfig
    from rapid_nav.offline.reporting.report import ReportConfig

    report = main.parse('report', '', ReportConfig, ['a.json', '--title', 'x', 'b.json'])
    assert report.files == (Path('a.json'), Path('b.json')) and report.title == 'x'
    flown = main.parse('', '', EvaluateDroneConfig, ['--sweep', '0.1', '0.5', '--no-controls'])
    assert flown.sweep == (0.1, 0.5) and not flown.controls


@pytest.mark.parametrize(
    'flags', ['--task pedra --train.num-envs 3', '--train.num-envs=3 --task=pedra']
)
def test_a_task_brings_its_own_defaults_and_flags_change_them(flags: str) -> None:
    from rapid_nav.cli.train_drone import TrainDroneConfig
    from rapid_nav.drone.task import TASKS
    from rapid_nav.offline.drone.presets import PEDRA

    def parsed(line: str) -> TrainDroneConfig:
        return main.parse('train drone', '', TrainDroneConfig, line.split())

    config = parsed(flags)
    assert config.flight == TASKS['pedra'] and config.agent == PEDRA.agent
    assert config.train == dataclasses.replace(PEDRA.train, num_envs=3)
    assert parsed('') == TrainDroneConfig()


def test_the_command_starts_nothing_in_a_process_that_it_starts() -> None:
    script = resources.prefix() / 'bin' / 'rapid-nav'
    signals = signal.getsignal(signal.SIGINT)
    runpy.run_path(str(script), run_name='__mp_main__')  # as multiprocessing does in a new process
    assert signal.getsignal(signal.SIGINT) is signals
