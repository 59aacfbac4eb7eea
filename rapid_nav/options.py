"""How a setting says its meaning, its unit and its range; one check for all of them."""

from collections.abc import Mapping, Sequence
import dataclasses
import dis
from functools import cache
from numbers import Integral, Real
import reprlib
from types import TracebackType
from typing import Any, cast, get_args, get_origin, get_type_hints, TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar('Config', bound='DataclassInstance')
REQUIRED = dataclasses.MISSING
"""The default of a setting that has none."""

_LARGEST = 1e300  # of any number
_KINDS = {bool: 'true or false', int: 'a whole number', float: 'a number', str: 'text'}


def setting(
    default: Any,
    help: str,  # noqa: A002  (the word that command lines and ROS descriptors use)
    *,
    unit: str = '',
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[Any] | None = None,
    positional: bool = False,
) -> Any:
    """
    Declare a field of a frozen settings dataclass: its default, meaning, unit and closed range.

    Command-line flags, ROS parameter descriptors and checkpoints are all made from these fields,
    so a default or a range is written nowhere else. A positional one needs no flag.
    """
    return dataclasses.field(
        default=default,
        metadata={
            'help': help,
            'unit': unit,
            'low': low,
            'high': high,
            'choices': choices,
            'positional': positional,
        },
    )


def with_default(config: type, name: str, default: Any) -> Any:
    """Declare the setting of another class once more, with a default of its own."""
    fields = {field.name: field for field in dataclasses.fields(config)}
    return dataclasses.field(default=default, metadata=fields[name].metadata)


def check(config: 'DataclassInstance') -> None:
    """Raise ValueError that names the field, its value and what it may be if one is wrong."""
    hints = _hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            check(cast('DataclassInstance', value))
        elif why := _wrong_kind(hints[field.name], value) or out_of_range(field, value):
            raise ValueError(f'{field.name} is {reprlib.repr(value)}; {why}')


def from_dict(kind: type[Config], values: object) -> Config:
    """
    Build a settings dataclass from what a JSON or YAML file holds, every field checked.

    ValueError names the field that is wrong by its path, as 'stages[1].convs[0].kernel'. A file
    that says more than this version knows is refused, as is one that leaves a whole group out.
    """
    return cast(Config, _build(kind, values, ''))


def out_of_range(field: 'dataclasses.Field[Any]', value: object) -> str:
    """Return what would be right if a value is not among its field's, or ''."""
    about = field.metadata
    choices, low, high = about.get('choices'), about.get('low'), about.get('high')
    if choices is not None and value not in choices:
        return f'choose one of {", ".join(map(str, choices))}'
    if isinstance(value, bool) or not isinstance(value, Real):
        return ''
    if (low is None or value >= low) and (high is None or value <= high):
        return ''
    unit = f' {about["unit"]}' if about.get('unit') else ''
    if high is None:
        return f'it must be at least {low}{unit}'
    if low is None:
        return f'it must be at most {high}{unit}'
    return f'it must lie in [{low}, {high}]{unit}'


def is_refusal(error: Exception) -> bool:
    """
    Return whether an error refuses what a user asked for; any other is a bug.

    Refusals are the ValueErrors that a `raise` statement of this package brings up, and what the
    operating system says of files and ports. A ValueError of Python or of a library means that we
    gave it something that we should have checked.
    """
    if isinstance(error, OSError):
        return True
    last: TracebackType | None = error.__traceback__
    if not isinstance(error, ValueError) or last is None:
        return False
    while last.tb_next:
        last = last.tb_next
    code, ours = last.tb_frame.f_code, last.tb_frame.f_globals.get('__name__', '')
    raised = dis.opname[code.co_code[last.tb_lasti]] == 'RAISE_VARARGS'
    return raised and ours.split('.')[0] == 'rapid_nav'


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _wrong_kind(hint: Any, value: object) -> str:
    """Return what would be right if a value is none of its plain type, or ''."""
    if hint is float:
        number = isinstance(value, Real) and not isinstance(value, bool)
        right = number and -_LARGEST <= cast(float, value) <= _LARGEST  # and so is no NaN
    elif hint is int:
        right = isinstance(value, Integral) and not isinstance(value, bool)
    elif hint in (bool, str):
        right = isinstance(value, hint)
    else:
        return ''
    return '' if right else f'it must be {_KINDS[hint]}'


def _build(hint: Any, value: object, path: str) -> object:
    """Return a value as its type hint wants it; ValueError names it by its path."""
    origin, kinds = get_origin(hint), get_args(hint)
    why = _wrong_kind(hint, value)
    if dataclasses.is_dataclass(hint):
        if isinstance(value, Mapping):
            return _build_group(cast(type, hint), value, path)
        why = 'it must be a group of settings'
    elif origin is tuple:
        if isinstance(value, (list, tuple)):
            repeated = kinds[-1] is Ellipsis
            if repeated or len(kinds) == len(value):
                return tuple(
                    _build(kinds[0] if repeated else kinds[index], one, f'{path}[{index}]')
                    for index, one in enumerate(value)
                )
            why = f'it must have {len(kinds)} entries'
        else:
            why = 'it must be a list'
    elif origin is not None and issubclass(origin, Mapping):
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return {key: _build(kinds[1], one, _join(path, key)) for key, one in value.items()}
        why = 'it must be a group of named entries'
    if why:
        raise ValueError(f'{path or "the file"} is {reprlib.repr(value)}; {why}')
    return float(cast(float, value)) if hint is float else value


def _build_group(kind: type, values: Mapping[Any, object], path: str) -> object:
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in values:
        if key not in fields:
            raise ValueError(f'{_join(path, reprlib.repr(key))} is no setting of this version')
    for name, field in fields.items():
        optional = not (
            field.default is REQUIRED and field.default_factory is REQUIRED
        ) and not dataclasses.is_dataclass(hints[name])
        if name not in values and not optional:
            raise ValueError(f'{_join(path, name)} is missing')
    built = {key: _build(hints[key], one, _join(path, key)) for key, one in values.items()}
    try:
        return kind(**built)
    except ValueError as error:
        raise ValueError(_join(path, str(error))) from error


def _join(path: str, name: str) -> str:
    return f'{path}.{name}' if path else name
