"""The reference is whole: every setting, parameter, argument and message field is explained."""

import ast
import dataclasses
from pathlib import Path
import re
import sys
from typing import Any, get_type_hints

from documents import ROOT
import pytest

from rapid_nav.cli.main import COMMANDS

sys.path.insert(0, str(ROOT / 'docs' / '_ext'))
reference = pytest.importorskip('reference', reason='Sphinx is not installed')


def flags(config: type[Any], prefix: str = '') -> list[str]:
    """Return the flags of a settings class, found in another way than the reference does."""
    found = []
    for name, kind in get_type_hints(config).items():
        if dataclasses.is_dataclass(kind):
            found += flags(kind, f'{prefix}{name.replace("_", "-")}.')
        else:
            found.append(f'--{prefix}{name.replace("_", "-")}')
    return found


@pytest.fixture(scope='module')
def commands() -> str:
    """Return the reference of the commands."""
    return reference.write_commands()


@pytest.mark.parametrize('words', COMMANDS, ids=' '.join)
def test_every_flag_of_a_command_is_there(words: tuple[str, ...], commands: str) -> None:
    section = commands.split(f'## `rapid-nav {" ".join(words)}`\n')[1].split('\n## ')[0]
    assert COMMANDS[words][1] in section
    main = reference.load(COMMANDS[words][0]).main
    for flag in flags(get_type_hints(main)['config']):
        assert re.search(rf'^\| `{re.escape(flag)}` \|', section, re.MULTILINE), flag


def test_every_flag_is_explained(commands: str) -> None:
    silent = re.findall(r'^\| `(--\S+)` \| [^|]* \|  \|', commands, re.MULTILINE)
    assert not silent, f'these have no help text: {", ".join(silent)}'


def test_every_executable_has_its_parameters() -> None:
    nodes = {node.executable: node for node in reference.nodes()}
    declared = {
        call
        for path in (ROOT / 'rapid_nav' / 'nodes').rglob('*.py')
        for call in re.findall(r'\bdeclare\(\s*(?:self|node), (\w+)', path.read_text())
    }
    shown = {
        found
        for node in nodes.values()
        for found in re.findall(r'\bdeclare\(\s*(?:self|node), (\w+)', source(node.module))
    }
    assert declared == shown, f'the reference does not show {declared - shown}'
    for node in nodes.values():
        assert node.about.endswith('.') and node.settings, node.executable
        for setting in node.settings:
            assert setting.help.endswith('.'), f'{node.executable}.{setting.name}'


def source(module: str) -> str:
    """Return the text of a module of ours."""
    return (ROOT / Path(*module.split('.')).with_suffix('.py')).read_text()


def test_parameters_that_change_in_flight_are_marked() -> None:
    policy = next(node for node in reference.nodes() if node.executable == 'policy')
    live = {setting.name for setting in policy.settings if setting.live}
    assert {'checkpoint', 'threshold', 'budget', 'epsilon'} <= live and 'max_age' not in live


@pytest.mark.parametrize('path', sorted((ROOT / 'msg').glob('*.msg')), ids=lambda path: path.stem)
def test_every_field_of_a_message_is_explained(path: Path) -> None:
    about, fields = reference.messages()[path.stem]
    named = re.findall(r'^\S+ (\w+)', re.sub(r'#.*', '', path.read_text()), re.MULTILINE)
    assert about.endswith('.') and [field.name for field in fields] == named
    for field in fields:
        assert field.help, f'{path.name}: {field.name} has no comment'


def test_every_topic_that_a_node_names_is_in_the_table() -> None:
    text = (ROOT / 'docs' / 'reference' / 'topics.md').read_text()
    for path in (ROOT / 'rapid_nav' / 'nodes').glob('*.py'):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and re.search(
                r'\.create_(publisher|subscription)$', ast.unparse(call.func)
            ):
                topic = call.args[1]
                if isinstance(topic, ast.Constant):
                    assert f'`{topic.value}`' in text, f'{path.name}: {topic.value}'


def test_the_import_table_is_the_tests(tmp_path: Path) -> None:
    table = reference.import_table()
    assert (
        'torch' in table['agent'] and 'torch' not in table['drone'] and 'sim' in table['offline']
    )


@pytest.mark.parametrize('name', sorted(reference.GENERATED))
def test_what_is_generated_stands_on_a_page(name: str) -> None:
    pages = [path.read_text() for path in (ROOT / 'docs').rglob('*.md')]
    assert any(f'<!-- generated: {name} -->' in page for page in pages)
    assert '| --- |' in reference.GENERATED[name]()
