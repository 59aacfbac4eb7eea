"""The definition of a message with all that it is made of, as bags carry it."""

from pathlib import Path
import re

from ament_index_python.packages import get_package_share_directory

_RULER = '=' * 80
_PLAIN = {
    'bool',
    'byte',
    'char',
    'float32',
    'float64',
    'int8',
    'uint8',
    'int16',
    'uint16',
    'int32',
    'uint32',
    'int64',
    'uint64',
    'string',
    'wstring',
}


def definition(kind: str) -> str:
    """Return the text of a type, 'std_msgs/msg/Header' say, and of the types in it, as ros2msg."""
    found: dict[str, str] = {}
    waiting = [_short(kind)]
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            package, message = name.split('/')
            found[name] = text = _text(package, message)
            waiting += parts(text, package)
    first, *others = found.items()
    return first[1] + ''.join(f'\n{_RULER}\nMSG: {name}\n{text}' for name, text in others)


def parts(text: str, package: str) -> list[str]:
    """Return the types, 'std_msgs/Header' say, that a definition of this package is made of."""
    used = []
    for line in text.splitlines():
        words = line.split('#')[0].split()
        if len(words) < 2:
            continue
        kind = re.split(r'\[|<=', words[0])[0]
        if kind not in _PLAIN:
            used.append(_short(kind) if '/' in kind else f'{package}/{kind}')
    return used


def _text(package: str, message: str) -> str:
    return (Path(get_package_share_directory(package)) / 'msg' / f'{message}.msg').read_text()


def _short(kind: str) -> str:
    package, *_, message = kind.split('/')
    return f'{package}/{message}'
