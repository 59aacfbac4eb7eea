"""How a setting says its meaning, its unit and its range; one check for all of them."""

from collections.abc import Sequence
import dataclasses
import dis
import math
from types import TracebackType
from typing import Any


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


def check(config: Any) -> None:
    """Raise ValueError that names the field, its value and its range if one lies outside."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            check(value)
            continue
        if complaint := complain(field, value):
            raise ValueError(f'{type(config).__name__}.{field.name} is {value!r}; {complaint}')


def complain(field: dataclasses.Field, value: Any) -> str:
    """Return what is wrong with a field's value and what would be right, or '' if nothing is."""
    about = field.metadata
    choices = about.get('choices')
    if choices is not None and value not in choices:
        return f'choose one of {", ".join(map(str, choices))}'
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ''
    low, high = about.get('low'), about.get('high')
    if low is None and high is None:
        return ''
    if (
        math.isnan(value)
        or (low is not None and value < low)
        or (high is not None and value > high)
    ):
        unit = f' {about["unit"]}' if about.get('unit') else ''
        return (
            f'it must lie in [{low if low is not None else "-inf"}, '
            f'{high if high is not None else "inf"}]{unit}'
        )
    return ''


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
