"""The reference pages, written from the code: flags, parameters, messages and import rules."""

import ast
from collections.abc import Iterable, Iterator, Sequence
import dataclasses
from dataclasses import dataclass
import importlib
import importlib.util
from itertools import pairwise
import os
from pathlib import Path
import re
import sys
from typing import Any, get_type_hints, TYPE_CHECKING

from sphinx.ext.autodoc.mock import mock

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# rosdoc2 copies this folder below the package before it builds.
ROOT = next(path for path in Path(__file__).resolve().parents if (path / 'package.xml').exists())
PACKAGE = ROOT / 'rapid_nav'
# Packages that settings do not depend on: a page about them can be built without these.
_REPLACEABLE = (
    *('ale_py', 'airsim', 'embreex', 'minatar', 'openvino', 'rerun', 'rerun_cli', 'tf2_ros'),
    *('rclpy', 'builtin_interfaces', 'cv_bridge', 'diagnostic_msgs', 'geometry_msgs'),
    *('nav_msgs', 'rcl_interfaces', 'rosgraph_msgs', 'sensor_msgs', 'std_msgs', 'std_srvs'),
    *('visualization_msgs', 'rapid_nav.msg', 'ament_index_python', 'mcap', 'mcap_ros2'),
)


@dataclass(frozen=True)
class Setting:
    """One flag, parameter or launch argument."""

    name: str
    default: str
    help: str
    limits: str  # unit, range and choices
    live: bool = False  # whether `ros2 param set` changes it while the node runs


@dataclass(frozen=True)
class Node:
    """One executable of `ros2 run rapid_nav`, and its parameters."""

    executable: str
    module: str
    about: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class MessageField:
    """One field of a message."""

    kind: str
    name: str
    help: str


def load(module: str) -> Any:
    """Import a module of the package, with stand-ins for what is not installed here."""
    missing = [name for name in _REPLACEABLE if not _installed(name)]
    with mock(missing):
        return importlib.import_module(module)


def commands() -> dict[tuple[str, ...], tuple[str, tuple[Setting, ...]]]:
    """Return for the words of each command what it does and its flags."""
    from rapid_nav.cli.main import COMMANDS

    return {
        words: (about, tuple(settings_of(get_type_hints(load(module).main)['config'])))
        for words, (module, about) in COMMANDS.items()
    }


def settings_of(config: type[Any], prefix: str = '') -> Iterator[Setting]:
    """Yield the settings of a class; those of a class within it have dotted names."""
    hints = get_type_hints(config)
    for field in dataclasses.fields(config):
        name = prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            inner: Any = hints[field.name]
            yield from settings_of(inner, f'{name}.')
            continue
        about = field.metadata
        yield Setting(name, _shown(field.default), about.get('help', ''), _limits(about))


def executables() -> dict[str, str]:
    """Return the module of each executable that CMake installs for `ros2 run`."""
    text = (ROOT / 'CMakeLists.txt').read_text()
    looped = re.search(r'foreach\(node ([\w\s]+)\)', text)
    found = {name: f'rapid_nav.nodes.{name}' for name in (looped[1].split() if looped else ())}
    found |= dict(re.findall(r'install_executable\((\w+) (rapid_nav\.nodes\.\w+) lib', text))
    return found


def nodes() -> list[Node]:
    """Return every node with the parameters that its code declares."""
    found = []
    for executable, name in sorted(executables().items()):
        module = load(name)
        tree = ast.parse(Path(module.__file__).read_text())
        calls = [
            call
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and ast.unparse(call.func) == 'declare'
        ]
        parameters = tuple(one for call in calls for one in _declared(call, module))
        about = (module.__doc__ or '').strip()
        found.append(Node(executable, name, about, parameters))
    return found


def _declared(call: ast.Call, module: Any) -> Iterator[Setting]:
    """Yield the parameters of one `declare(node, Config, live=...)`."""
    config = getattr(module, ast.unparse(call.args[1]))
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    live = eval(ast.unparse(named['live']), vars(module)) if 'live' in named else ()
    for one in settings_of(config):
        yield dataclasses.replace(one, live=one.name in live)


def messages() -> dict[str, tuple[str, tuple[MessageField, ...]]]:
    """Return for each message what it is for and its fields, from the comments in its file."""
    found = {}
    for path in sorted((ROOT / 'msg').glob('*.msg')):
        heading, fields = [], []
        for line in path.read_text().splitlines():
            code, _, comment = (part.strip() for part in line.partition('#'))
            if code:
                kind, name = code.split()[:2]
                fields.append(MessageField(kind, name, comment))
            elif fields and comment:
                last = fields[-1]
                fields[-1] = dataclasses.replace(last, help=f'{last.help} {comment}'.strip())
            elif comment:
                heading.append(comment)
        found[path.stem] = (' '.join(heading), tuple(fields))
    return found


def import_table() -> dict[str, list[str]]:
    """Return what each folder of the package may import, as the test of the layers holds it."""
    path = ROOT / 'test' / 'test_layers.py'
    spec = importlib.util.spec_from_file_location('test_layers', path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with mock(['pytest']):
        spec.loader.exec_module(module)
    return {
        folder: sorted(
            {'ROS 2' if name in module.ROS else name.removeprefix('rapid_nav.') for name in names}
        )
        for folder, names in module.MAY_IMPORT.items()
        if '.' not in folder
    }


def _installed(name: str) -> bool:
    """Return whether a module can be imported here."""
    if name in sys.modules:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _shown(default: Any) -> str:
    """Return a default as a user writes it, a path inside the package without this machine's."""
    if default is None or default is dataclasses.MISSING or default == ():
        return ''
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Path):
        return default.name if default.is_absolute() else str(default)
    if isinstance(default, (tuple, list)):
        return ' '.join(map(str, default))
    return f'{default:.12g}' if isinstance(default, float) else str(default)


def _limits(about: Any) -> str:
    """Return unit, range and choices of a setting."""
    words = [f'[{about["unit"]}]'] if about.get('unit') else []
    if about.get('choices'):
        words.append(', '.join(f'`{choice}`' for choice in about['choices']))
    elif about.get('low') is not None or about.get('high') is not None:
        low, high = (
            '' if about.get(end) is None else f'{about[end]:g}' for end in ('low', 'high')
        )
        words.append(f'at most {high}' if not low else f'{low} to {high}' if high else f'≥ {low}')
    return ' '.join(words)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, in a container that the style sheet knows."""
    lines = [head, ['---'] * len(head), *rows]
    written = '\n'.join(
        '| ' + ' | '.join(cell.replace('|', r'\|').replace('\n', ' ') for cell in line) + ' |'
        for line in lines
    )
    return f':::{{container}} generated\n{written}\n:::'


def _code(text: str) -> str:
    return f'`{text}`' if text else ''


def write_commands() -> str:
    """Return the reference of the command line."""
    parts = []
    for words, (about, flags) in commands().items():
        parts.append(f'## `rapid-nav {" ".join(words)}`\n\n{about}')
        if flags:
            rows = (
                (
                    _code('--' + one.name.replace('_', '-')),
                    _code(one.default),
                    one.help,
                    one.limits,
                )
                for one in flags
            )
            parts.append(table(('flag', 'default', 'meaning', 'unit, range or choices'), rows))
    return '\n\n'.join(parts)


def write_nodes() -> str:
    """Return the reference of the nodes' parameters."""
    parts = []
    for node in nodes():
        parts.append(f'## `{node.executable}`\n\n{node.about}')
        head = ['parameter', 'default', 'meaning', 'unit, range or choices']
        rows = [
            [_code(one.name), _code(one.default), one.help, one.limits] for one in node.settings
        ]
        if any(one.live for one in node.settings):
            head.append('in flight')
            for row, one in zip(rows, node.settings, strict=True):
                row.append('yes' if one.live else '')
        parts.append(table(head, rows))
    return '\n\n'.join(parts)


def write_launch_arguments(config: type[Any]) -> str:
    """Return the arguments of a launch file."""
    rows = (
        (_code(one.name), _code(one.default), one.help, one.limits) for one in settings_of(config)
    )
    return table(('argument', 'default', 'meaning', 'unit, range or choices'), rows)


def write_messages() -> str:
    """Return the reference of the messages."""
    parts = []
    for name, (about, fields) in messages().items():
        rows = ((_code(one.name), _code(one.kind), one.help) for one in fields)
        parts.append(f'## `rapid_nav/msg/{name}`\n\n{about}')
        parts.append(table(('field', 'type', 'meaning'), rows))
    return '\n\n'.join(parts)


def write_imports() -> str:
    """Return the table of who may import whom."""
    allowed = import_table()
    rows = [
        (_code(f'{folder}/'), ', '.join(_code(name) for name in names))
        for folder, names in allowed.items()
        if (PACKAGE / folder).is_dir()
    ]
    files = [name for name in allowed if not (PACKAGE / name).is_dir()]
    single = f'the files {", ".join(_code(f"{name}.py") for name in files)}'
    needs = {need for name in files for need in allowed[name]}
    rows.append((single, f'nothing, or {", ".join(_code(need) for need in sorted(needs))}'))
    return table(('folder', 'may import, beside itself and the standard library'), rows)


def write_generators() -> str:
    """Return the generators of worlds, each with its parameters."""
    generators = load('rapid_nav.sim.worlds.generators')
    rows = []
    for name, draw in generators.GENERATORS.items():
        about = sys.modules[draw.__module__].__doc__ or ''
        rows.append((_code(name), about.strip().partition(': ')[2]))
    parts = [table(('name', 'what'), rows)]
    for name, (config, draw) in generators.PARAMETRIC.items():
        about = (sys.modules[draw.__module__].__doc__ or '').strip()
        parts.append(f'### `{name}`\n\n{about}')
        head = ('parameter', 'default', 'meaning', 'unit, range or choices')
        settings = settings_of(config)
        parts.append(
            table(head, ((_code(s.name), _code(s.default), s.help, s.limits) for s in settings))
        )
    return '\n\n'.join(parts)


def write_seeds() -> str:
    """Return the split of seeds, each with the sentence that stands below it."""
    module = load('rapid_nav.drone.seeds')
    body = ast.parse(Path(module.__file__).read_text()).body
    rows = []
    for name, about in pairwise(body):
        if not isinstance(name, ast.AnnAssign) or not isinstance(about, ast.Expr):
            continue
        seeds = getattr(module, ast.unparse(name.target))
        sentence = ast.literal_eval(about.value)
        span = f'{seeds.start:,} to {seeds[-1]:,}'
        rows.append((ast.unparse(name.target).lower().replace('_', ' '), span, sentence))
    return table(('split', 'seeds', 'for'), rows)


def write_drone_sim() -> str:
    """Return the arguments of drone_sim.launch.py."""
    return write_launch_arguments(load('rapid_nav.stack.flight').StackConfig)


def write_training() -> str:
    """Return the arguments of training.launch.py."""
    return write_launch_arguments(load('rapid_nav.stack.fleet').FleetConfig)


GENERATED = {
    'commands': write_commands,
    'nodes': write_nodes,
    'messages': write_messages,
    'imports': write_imports,
    'generators': write_generators,
    'seeds': write_seeds,
    'drone_sim.launch.py': write_drone_sim,
    'training.launch.py': write_training,
}


def insert(app: 'Sphinx', page: str, source: list[str]) -> None:
    """
    Write what `<!-- generated: NAME -->` stands for.

    Links that leave docs/ lead to the same files from where rosdoc2 has copied the pages to.
    """
    before, after = (ROOT / 'docs' / page).parent, Path(app.srcdir, page).parent

    def outside(match: re.Match[str]) -> str:
        target = (before / match[2]).resolve()
        within = target.is_relative_to(ROOT / 'docs') or not target.exists()
        return match[0] if within else match[1] + os.path.relpath(target, after)

    text = re.sub(r'(\]\(|\{include\} )(\.\./[^)\s]+)', outside, source[0])
    source[0] = re.sub(r'<!-- generated: (\S+) -->', lambda match: GENERATED[match[1]](), text)


def setup(app: 'Sphinx') -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect('source-read', insert)
    return {'version': '1', 'parallel_read_safe': True}
