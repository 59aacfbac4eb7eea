"""Flags from the frozen settings dataclasses: their names, types and help, and their parsing."""

import argparse
from collections.abc import Callable, Iterator, Sequence
import dataclasses
import difflib
from typing import Any, get_args, get_type_hints, NoReturn


def settings_of(config_class: type[Any], prefix: str = '') -> Iterator[tuple[str, Any, Any]]:
    """Yield dotted name, field and type of each setting, those of nested classes too."""
    hints = get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        name, kind = f'{prefix}{field.name}', hints[field.name]
        if dataclasses.is_dataclass(kind):
            yield from settings_of(kind, f'{name}.')  # type: ignore[arg-type]  # a class
        else:
            yield name, field, kind


def flags_for(name: str, kind: Any) -> list[str]:
    """Return the flag of a setting, and for a switch the one that says no."""
    flag = f'--{name.replace("_", "-")}'
    prefix, dot, last = flag.removeprefix('--').rpartition('.')
    return [flag, f'--{prefix}{dot}no-{last}'] if kind is bool else [flag]


def parse(command: str, about: str, config_class: type[Any], words: Sequence[str]) -> Any:
    """Return the settings that the words give; ValueError says in one line what is wrong."""
    words = list(_spelt(words))
    default = _default(config_class, words)
    parser = _Parser(
        prog=f'rapid-nav {command}',
        description=about,
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    known = []
    for name, field, kind in settings_of(config_class):
        known += flags_for(name, kind)
        _add(parser, name, field, kind, _value(default, name))
    try:
        given, unknown = parser.parse_known_intermixed_args(words)
        if unknown:
            near = difflib.get_close_matches(unknown[0].partition('=')[0], known, 2, 0.5)
            remedy = f'; did you mean {" or ".join(near)}?' if near else ''
            raise ValueError(f'unrecognized {unknown[0]}{remedy}')
        return _replaced(default, vars(given))
    except ValueError as error:
        raise ValueError(f'{error}; see rapid-nav {command} --help') from None


class _Parser(argparse.ArgumentParser):
    """A parser that raises ValueError, where argparse prints its usage and exits."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class _Switch(argparse.Action):
    """A flag without a value; its second spelling says no."""

    def __call__(self, _parser: Any, namespace: Any, _values: Any, option: Any = None) -> None:
        setattr(namespace, self.dest, option == self.option_strings[0])


def _add(parser: _Parser, name: str, field: Any, kind: Any, default: Any) -> None:
    """Add the argument of a setting."""
    several = getattr(kind, '__origin__', None) is tuple
    shown = ' '.join(map(str, default)) if several else default
    text = f'{help_of(field.metadata)} (default: {shown})'.replace('%', '%%')
    if kind is bool:
        parser.add_argument(*flags_for(name, kind), dest=name, action=_Switch, nargs=0, help=text)
        return
    read = _reader(kind)
    shape: dict[str, Any] = {'type': read, 'help': text, 'metavar': read.__name__.upper()}
    if field.metadata.get('positional'):
        parser.add_argument(name, nargs='*' if several else '?', **shape)
    else:
        shape |= {'nargs': '*'} if several else {}
        parser.add_argument(*flags_for(name, kind), dest=name, **shape)


def _reader(kind: Any) -> Callable[[str], Any]:
    """Return what reads one word of a setting's type."""
    kinds = [one for one in get_args(kind) if one not in (type(None), Ellipsis)] or [kind]
    inner: Callable[[str], Any] = kinds[0]
    if type(None) not in get_args(kind):
        return inner

    def optional(word: str) -> Any:
        return None if word == 'None' else inner(word)

    optional.__name__ = inner.__name__
    return optional


def _spelt(words: Sequence[str]) -> Iterator[str]:
    """Yield the words with hyphens in flags, and negative numbers joined to theirs."""
    waiting = ''
    for word in words:
        if waiting and _is_negative(word):
            waiting += f'={word}'
            continue
        if waiting:
            yield waiting
        flag, equals, value = word.partition('=')
        waiting = f'{flag.replace("_", "-")}{equals}{value}' if word.startswith('--') else ''
        if not waiting:
            yield word
    if waiting:
        yield waiting


def _is_negative(word: str) -> bool:
    try:
        return word.startswith('-') and float(word) is not None
    except ValueError:
        return False


def _default(config_class: type[Any], words: list[str]) -> Any:
    """Return what the flags change; a --task brings settings `of` its own."""
    if not hasattr(config_class, 'of'):
        return config_class()
    reader = _Parser(add_help=False, allow_abbrev=False)
    field = next(one for one in dataclasses.fields(config_class) if one.name == 'task')
    reader.add_argument('--task', nargs='?', default=field.default)
    named = reader.parse_known_args(words)[0].task
    known = named in field.metadata['choices']  # if not, it is told with the other mistakes
    return config_class.of(named if known else field.default)


def _value(config: Any, name: str) -> Any:
    for part in name.split('.'):
        config = getattr(config, part)
    return config


def _replaced(config: Any, given: dict[str, Any], prefix: str = '') -> Any:
    """Return settings with those that were given, by dotted name, in place of the defaults."""
    changes = {}
    for field in dataclasses.fields(config):
        name, value = f'{prefix}{field.name}', getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            changes[field.name] = _replaced(value, given, f'{name}.')
        elif name in given:
            new = given[name]
            changes[field.name] = tuple(new) if isinstance(new, list) else new
    return dataclasses.replace(config, **changes)


def help_of(about: Any) -> str:
    """Return a setting's meaning, unit, range and choices in one line."""
    words = [about['help']]
    if about['unit']:
        words.append(f'[{about["unit"]}]')
    if about['choices']:
        words.append(f'{{{",".join(map(str, about["choices"]))}}}')
    elif about['low'] is not None or about['high'] is not None:
        low, high = (
            '' if bound is None else f'{bound:g}' for bound in (about['low'], about['high'])
        )
        words.append(f'{{{low}..{high}}}')
    return ' '.join(words)
