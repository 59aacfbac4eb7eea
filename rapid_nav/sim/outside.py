"""
What comes from files: read up to a size, and checked against types by msgspec.

Requests over the wire are checked by rpc.arguments instead: there a wrong type is answered in
rpclib's words, NaN leaves a part of a pose as it is, and a missing key has AirSim's default.
"""

from pathlib import Path
import re
import stat
from typing import Any, TypeVar

import msgspec
import yaml

MOST_NODES = 600_000  # of a YAML file: 20,000 primitives with all their keys
_DEEPEST = 20
_MERGE = 'tag:yaml.org,2002:merge'
_Loader: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)  # libyaml is five times as fast
_Type = TypeVar('_Type')
_WORDS = {
    'float': 'a number',
    'int': 'a whole number',
    'str': 'text',
    'bool': 'true or false',
    'array': 'a list',
    'object': 'a mapping',
    'null': 'nothing',
}


def read_bytes(path: Path, most: int, remedy: str) -> bytes:
    """
    Return what a regular file of at most `most` bytes holds.

    Raises FileNotFoundError or ValueError in one line that names the file and the remedy.
    """
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):  # ValueError: a NUL in the name
        raise FileNotFoundError(f'{str(path)!r:.200} does not exist; {remedy}') from None
    if not stat.S_ISREG(kind):  # a pipe or a device may have no end
        raise ValueError(f'{path} is no regular file; {remedy}')
    with path.open('rb') as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f'{path} is larger than {most >> 20} MiB; {remedy}')
    return data


def read_yaml(path: Path, most: int, remedy: str) -> dict[str, Any]:
    """
    Return the mapping that a YAML file holds, or raise as `read_bytes` does.

    Aliases are the values that they name, not copies, so that nested ones cost nothing.
    """
    data = read_bytes(path, most, remedy)
    try:
        content = _Document(data.decode('utf-8-sig')).content()
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not text ({error.reason}); {remedy}') from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, 'problem_mark', None)
        line = f' at line {where.line + 1}' if where else ''
        reason = getattr(error, 'problem', None) or str(error)
        raise ValueError(f'{path} is not valid YAML{line}: {reason:.200}') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold "key: value" lines, not a {type(content).__name__}')
    return content


class _Document:
    """A YAML document built from its events, so that its nodes are counted as they come."""

    def __init__(self, text: str) -> None:
        self._loader = _Loader(text)
        self._anchors: dict[str, Any] = {}
        self._nodes = 0

    def content(self) -> Any:
        """Return what the file holds, None if it is empty."""
        loader = self._loader
        try:
            loader.get_event()  # the stream begins
            if loader.check_event(yaml.StreamEndEvent):
                return None
            loader.get_event()  # the document begins
            content = self._value(loader.get_event(), 0)
            loader.get_event()
            if not loader.check_event(yaml.StreamEndEvent):
                raise ValueError('it holds more than one document')
            return content
        finally:
            loader.dispose()

    def _value(self, event: Any, depth: int) -> Any:
        self._count(1)
        if depth > _DEEPEST:
            raise ValueError(f'it is nested more than {_DEEPEST} deep')
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise ValueError(f'no value above is named &{event.anchor}')
            return self._anchors[event.anchor]
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            tag = event.tag
            if tag is None or tag == '!':
                tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
            node = yaml.ScalarNode(tag, event.value, event.start_mark, event.end_mark)
            value = '<<' if tag == _MERGE else self._loader.construct_object(node)
        elif event.tag not in (None, '!'):
            raise ValueError(f'{event.tag} is no type that is read')
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not self._loader.check_event(yaml.SequenceEndEvent):
                value.append(self._value(self._loader.get_event(), depth + 1))
            self._loader.get_event()
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, depth: int) -> dict[Any, Any]:
        own: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        while not self._loader.check_event(yaml.MappingEndEvent):
            key = self._value(self._loader.get_event(), depth + 1)
            value = self._value(self._loader.get_event(), depth + 1)
            if isinstance(key, list | dict):
                raise ValueError('a key is a list or a mapping')
            if key == '<<':
                for one in value if isinstance(value, list) else [value]:
                    if not isinstance(one, dict):
                        raise ValueError('<< takes a mapping or a list of them')
                    self._count(len(one))
                    merged = {**one, **merged}
            else:
                own[key] = value
        self._loader.get_event()
        return {**merged, **own}

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise ValueError(f'it has more than {MOST_NODES} values')


def convert(value: Any, kind: type[_Type], where: str) -> _Type:
    """Return a value as a type of msgspec's, or raise ValueError in one line beginning `where`."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(f'{where}: {_plainly(str(error))}') from None


def decode_json(data: bytes, kind: type[_Type], where: str) -> _Type:
    """Return JSON text as a type of msgspec's, or raise ValueError in one line."""
    try:
        return msgspec.json.decode(data.removeprefix(b'\xef\xbb\xbf'), type=kind)
    except msgspec.ValidationError as error:
        raise ValueError(f'{where}: {_plainly(str(error))}') from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f'{where} is no JSON: {error!s:.200}') from None


def _in_words(types: re.Match[str]) -> str:
    if not set(types[1].split(' | ')) <= set(_WORDS):
        return types[0]
    return ' or '.join(_WORDS[name] for name in types[1].split(' | ') if name != 'null')


def _plainly(complaint: str) -> str:
    """Return msgspec's complaint with the place first, in the words of a file's author."""
    what, _, place = complaint.partition(' - at `')
    place = place.rstrip('`').removeprefix('$').removeprefix('.')
    what = re.sub(r'`(\w+( \| \w+)*)`', _in_words, what)
    what = re.sub(r'Object missing required field `(\w+)`', r'\1 is missing', what)
    what = re.sub(r'Object contains unknown field `(.*)`', r"unknown key '\1'", what)
    what = what[:1].lower() + what[1:200]
    return f'{place}: {what}' if place else what
