"""What the pages tell a reader to type: it runs, or it parses and somebody has run it."""

from collections.abc import Callable
import dataclasses
import functools
import importlib
from pathlib import Path
import re
import shlex
import shutil
import subprocess
import sys
from typing import Any, get_type_hints

from documents import all_commands, Command, ROOT
import pytest
import yaml

from rapid_nav.cli import main

sys.path.insert(0, str(ROOT / 'docs' / '_ext'))
reference = pytest.importorskip('reference', reason='Sphinx is not installed')

# These are run as they are written, in a folder that has the files which they name.
RUN = {
    'rapid-nav --help',
    'rapid-nav --version',
    'rapid-nav fly --help',
    'source <(rapid-nav completion bash)',
    'rapid-nav export --checkpoint runs/exits/policy.safetensors --out drone.zip',
}
# All others: they take long, or a robot, or ros2. Each has the day of the figures that it gave or
# on which it was last run by hand; - where its flags alone were ever checked.
NOT_RUN = Path(__file__).with_name('commands_not_run.txt')
COMMANDS = all_commands()


@pytest.mark.parametrize('command', COMMANDS, ids=str)
def test_a_command_parses(command: Command) -> None:
    text = re.sub(r'^source <\((.*)\)$', r'\1', command.text)
    words = shlex.split(text)
    while re.fullmatch(r'[A-Z_]+=\S+', words[0]):  # of its environment
        words = words[1:]
    program, *rest = words
    assert program in CHECKS, f'{command}: teach this test to check {program}'
    CHECKS[program](rest)


def recipes() -> list[str]:
    """Return the rapid-nav commands of the Makefile, with files in place of its variables."""
    text = (ROOT / 'Makefile').read_text().replace('\\\n', ' ')
    lines = re.findall(r'\brapid-nav (.*)', text)
    return [
        re.sub(r'\$\(ARGS\)|\$\(wildcard [^)]*\)', '', re.sub(r'\$[@<]', 'x', line))
        for line in lines
    ]


@pytest.mark.parametrize('recipe', recipes())
def test_what_make_runs_parses(recipe: str) -> None:
    parse_rapid_nav(shlex.split(recipe))


def test_every_command_is_run_or_listed_with_its_day() -> None:
    listed = {}
    for line in NOT_RUN.read_text().splitlines():
        day, _, text = line.partition('  ')
        assert re.fullmatch(r'2\d{3}-\d\d-\d\d|-', day), line
        listed[text] = day
    written = {command.text for command in COMMANDS if command.whole}
    assert not (gone := RUN - written), f'no page has {gone}'
    assert not (new := written - RUN - set(listed)), (
        f'run it, and list its day in {NOT_RUN}: {new}'
    )
    assert not (old := set(listed) - written), f'no page has it: take it off {NOT_RUN}: {old}'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the commands name."""
    folder = tmp_path_factory.mktemp('reader')
    for run, model in (('exits', 'drone'), ('plain', 'drone_baseline')):
        path = folder / 'runs' / run / 'policy.safetensors'
        path.parent.mkdir(parents=True)
        shutil.copy(ROOT / 'models' / f'{model}.safetensors', path)
    return folder


@pytest.mark.parametrize('text', sorted(RUN))
def test_a_quick_command_runs(text: str, folder: Path) -> None:
    if not shutil.which('rapid-nav'):
        pytest.skip('rapid-nav is not on the PATH')
    done = subprocess.run(
        ['bash', '-c', text], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr


def parse_rapid_nav(words: list[str]) -> None:
    """Parse the flags of a command as it does itself."""
    words = main.verbosity(words)
    if words in (['--help'], ['--version']) or words in [[family] for family, *_ in main.COMMANDS]:
        return
    name = next(tuple(words[:n]) for n in (2, 1) if tuple(words[:n]) in main.COMMANDS)
    rest = words[len(name) :]
    module, about = main.COMMANDS[name]
    try:
        command = importlib.import_module(module).main
    except ImportError as error:
        pytest.skip(str(error))
    config = get_type_hints(command)['config']
    if rest != ['--help']:
        main.parse(' '.join(name), about, config, rest)


def parse_make(words: list[str]) -> None:
    """Check targets and variables, and parse what ARGS hands on."""
    makefile = (ROOT / 'Makefile').read_text()
    targets = [word for word in words if '=' not in word]
    given = dict(word.split('=', 1) for word in words if '=' in word)
    for target in targets:
        assert re.search(rf'^{target}:', makefile, re.MULTILINE), f'no target {target}'
    for variable in given:
        assert re.search(rf'^{variable} \?=', makefile, re.MULTILINE), f'no variable {variable}'
    handed_to = {'fly': ['fly'], 'train': ['train', 'fleet']}
    for target in set(targets) & set(handed_to):
        parse_rapid_nav([*handed_to[target], *shlex.split(given.get('ARGS', ''))])


def parse_ros2(words: list[str]) -> None:
    """Check verb, package, names and values."""
    verb, *rest = words
    if rest:
        ROS2[verb](rest)


def parse_launch(words: list[str]) -> None:
    """Check the file and its arguments, by the settings that they become."""
    package, file, *rest = words
    path = ROOT / 'launch' / file
    assert package == 'rapid_nav' and path.is_file()
    if rest == ['--show-args']:
        return
    stack: Any = importlib.import_module(
        'rapid_nav.stack.flight' if file.startswith('drone_sim') else 'rapid_nav.stack.fleet'
    )
    config = stack.StackConfig if file.startswith('drone_sim') else stack.FleetConfig
    fields = {field.name: field for field in dataclasses.fields(config)}
    own = set(re.findall(r"DeclareLaunchArgument\(\s*'(\w+)'", path.read_text()))
    given = {}
    for word in rest:
        name, _, value = word.partition(':=')
        assert name in fields or name in own, f'{file} has no argument {name}'
        if name in fields:
            default = fields[name].default
            flag = isinstance(default, bool)
            given[name] = {'true': True, 'false': False}[value] if flag else type(default)(value)
    config(**given)


def parse_run(words: list[str]) -> None:
    """Check executable, remappings and parameters."""
    package, executable, *rest = words
    assert package == 'rapid_nav' and executable in reference.executables()
    if not rest:
        return
    assert rest[0] == '--ros-args'
    for flag, value in zip(rest[1::2], rest[2::2], strict=True):
        name, assigned, text = value.partition(':=')
        assert assigned and flag in ('-r', '-p')
        if flag == '-p' and name != 'use_sim_time':
            check_parameter(executable, name, text)


def parse_param(words: list[str]) -> None:
    """Check that the node has the parameter, and takes such a value while it runs."""
    verb, *rest = words
    if not rest:
        return
    node, name, *value = rest
    parameter = check_parameter(node.rpartition('/')[2], name, *value)
    assert verb in ('get', 'describe') or (verb == 'set' and parameter.live)


def check_parameter(node: str, name: str, text: str | None = None) -> Any:
    """Return a node's parameter; AssertionError if there is none or it is of another type."""
    found = {one.name: one for one in next(n for n in nodes() if n.executable == node).settings}
    assert name in found, f'{node} has no parameter {name}'
    if text is not None and (default := yaml.safe_load(found[name].default)) is not None:
        number = isinstance(default, (int, float)) and not isinstance(default, bool)
        assert isinstance(yaml.safe_load(text), (int, float) if number else type(default))
    return found[name]


def parse_topic(words: list[str]) -> None:
    """Check that the reference has the topic."""
    if words == ['list']:
        return
    verb, topic = words
    text = (ROOT / 'docs' / 'reference' / 'topics.md').read_text()
    assert verb in ('echo', 'hz') and f'`{topic.removeprefix("/rapid/")}`' in text


def parse_service(words: list[str]) -> None:
    """Check that the reference has the service."""
    verb, service, kind = words
    text = (ROOT / 'docs' / 'reference' / 'topics.md').read_text()
    assert verb == 'call' and f'`{service.removeprefix("/rapid/")}`' in text
    assert f'`{kind.replace("/srv/", "/")}`' in text


def parse_pip(words: list[str]) -> None:
    """Check that the extras are there."""
    assert words[0] in ('install', 'wheel')
    declared = (ROOT / 'setup.py').read_text() + (ROOT / 'pyproject.toml').read_text()
    for extra in re.findall(r'\[(\w+)\]', ' '.join(words)):
        assert re.search(rf"^\s*'?{extra}'?\s*[:=] \[", declared, re.MULTILINE), extra


def check_file(words: list[str]) -> None:
    """Check that a script is what a build makes or the repository has."""
    assert words[0] == 'install/setup.bash' or (ROOT / words[0]).exists()


def accept(_: list[str]) -> None:
    """Take a program of others as it is."""


@functools.cache
def nodes() -> list[Any]:
    """Return the nodes with their parameters."""
    return list(reference.nodes())


CHECKS: dict[str, Callable[[list[str]], None]] = {
    'rapid-nav': parse_rapid_nav,
    'make': parse_make,
    'ros2': parse_ros2,
    'pip': parse_pip,
    'source': check_file,
    'colcon': accept,
    'pre-commit': accept,
    '.venv/bin/rerun': accept,
}
ROS2: dict[str, Callable[[list[str]], None]] = {
    'launch': parse_launch,
    'run': parse_run,
    'param': parse_param,
    'topic': parse_topic,
    'service': parse_service,
    'bag': accept,
}
