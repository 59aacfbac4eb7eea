"""Read the YAML files that describe worlds, with errors that say what is wrong and where."""

from collections.abc import Mapping, Sequence
import math
from pathlib import Path
from typing import Any

import yaml

LARGEST = 16 * 2**20  # [bytes], of a YAML file
FARTHEST = 1e4  # [m], of anything from the origin


def read(path: Path) -> dict[str, Any]:
    """Return the mapping a YAML file holds, or raise FileNotFoundError or ValueError."""
    if not path.is_file():
        raise FileNotFoundError(f'{path}: there is no such file; give a scene or map .yaml')
    if path.stat().st_size > LARGEST:
        raise ValueError(f'{path} is larger than {LARGEST >> 20} MiB; it is no scene or map')
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not text ({error.reason}); give a YAML file') from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = getattr(error, 'problem_mark', None)
        line = f' at line {where.line + 1}' if where else ''
        reason = getattr(error, 'problem', None) or str(error)
        raise ValueError(f'{path} is not valid YAML{line}: {reason}') from None
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold "key: value" lines, not a {type(content).__name__}')
    return content


def number(
    where: str,
    content: Mapping[str, Any],
    key: str,
    default: float | None = None,
    low: float = -FARTHEST,
    high: float = FARTHEST,
) -> float:
    """Return a number of a mapping in [low, high], or raise ValueError naming it."""
    if key not in content and default is not None:
        return default
    value = content.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        found = 'missing' if value is None else f'{value!r}'
        raise ValueError(f'{where}: {key} is {found}; give a number from {low:g} to {high:g}')
    if not low <= value <= high:
        raise ValueError(f'{where}: {key} is {value}; it must lie in [{low:g}, {high:g}]')
    return float(value)


def numbers(where: str, value: Any, length: int) -> tuple[float, ...]:
    """Return `length` finite numbers, or raise ValueError."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != length:
        raise ValueError(f'{where} is {value!r}; give a list of {length} numbers')
    for item in value:
        if (
            isinstance(item, bool)
            or not isinstance(item, (int, float))
            or not (math.isfinite(item) and abs(item) <= FARTHEST)
        ):
            raise ValueError(
                f'{where} is {value!r}; give {length} numbers no larger than {FARTHEST:g}'
            )
    return tuple(float(item) for item in value)
