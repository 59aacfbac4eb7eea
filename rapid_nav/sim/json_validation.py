"""JSON objects whose faults are reported with their full path."""

from collections.abc import Mapping
import math
from typing import Any


class Keys:
    """One JSON object and where it is."""

    def __init__(self, raw: Any, path: str) -> None:
        if not isinstance(raw, Mapping):
            raise ValueError(f'{path} is {raw!r}; it must be an object')
        self.raw, self.path = raw, path

    def get(self, key: str, kind: type, default: Any) -> Any:
        """Return the value of a key, which must be of a kind."""
        value = self.raw.get(key, default)
        if not isinstance(value, kind):
            raise ValueError(f'{self.path}.{key} is {value!r}; it must be a {kind.__name__}')
        return value

    def sub(self, key: str) -> 'Keys':
        """Return the object under a key, empty if there is none."""
        return Keys(self.raw.get(key) or {}, f'{self.path}.{key}')

    def number(
        self, key: str, default: float, low: float = -math.inf, high: float = math.inf
    ) -> float:
        """Return the number under a key, which must lie in a closed range."""
        value = self.raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise ValueError(f'{self.path}.{key} is {value!r}; it must be a number')
        if not low <= value <= high:
            raise ValueError(f'{self.path}.{key} is {value}; it must lie in [{low:g}, {high:g}]')
        return float(value)
