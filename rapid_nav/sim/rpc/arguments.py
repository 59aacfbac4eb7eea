"""What each RPC method takes: argument types as rpclib checks them, on the methods themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
import inspect
import math
from typing import Any, NamedTuple, TypeVar

import numpy as np

Convert = Callable[[Any], Any]
_Function = TypeVar('_Function', bound=Callable[..., Any])
FARTHEST = 1e6  # [m, m/s] beyond this a number is a mistake, and would upset the physics
FLOAT32_MAX = 3.4028235e38
MOST_POINTS = 20_000  # of a path
_IDENTITY = {'w_val': 1.0, 'x_val': 0.0, 'y_val': 0.0, 'z_val': 0.0}


class BadCast(ValueError):
    """An argument has the wrong type; rpclib's own words."""

    def __init__(self) -> None:
        super().__init__('std::bad_cast')


class YawMode(NamedTuple):
    """How to turn: at a rate [deg/s] or to an angle [deg]."""

    is_rate: bool
    yaw_or_rate: float


class Pose(NamedTuple):
    """A position (3,) [m] and an orientation (4,) w, x, y, z; NaN means: leave as it is."""

    position: np.ndarray
    orientation: np.ndarray


def boolean(value: Any) -> bool:
    """Take a bool and nothing else, as C++ does."""
    if type(value) is not bool:
        raise BadCast
    return value


def integer(value: Any) -> int:
    """Take a whole number."""
    if type(value) is not int:
        raise BadCast
    return value


def text(value: Any) -> str:
    """Take a string."""
    if type(value) is not str:
        raise BadCast
    return value


def number(value: Any) -> float:
    """Take a finite number; AirSim's clients send float32's largest for 'no limit'."""
    if type(value) not in (int, float):
        raise BadCast
    if not abs(value) <= FLOAT32_MAX:
        raise ValueError(f'{value} is not a finite number')
    return float(value)


def length(value: Any) -> float:
    """Take a coordinate [m] or a speed [m/s]."""
    if abs(metres := number(value)) > FARTHEST:
        raise ValueError(f'{value} lies outside +-{FARTHEST:g}')
    return metres


def anything(value: Any) -> Any:
    """Take what comes, for methods that only exist so as not to fail."""
    return value


def vector(value: Any) -> np.ndarray:
    """Take a Vector3r as (3,); NaN is allowed."""
    return np.asarray(_vectors([value])[0])


def finite_vector(value: Any) -> np.ndarray:
    """Take a Vector3r as (3,) without NaN."""
    return np.asarray(path([value])[0])


def path(value: Any) -> np.ndarray:
    """Take a list of Vector3r as (N, 3) without NaN."""
    if not isinstance(value, list | tuple):
        raise BadCast
    if len(value) > MOST_POINTS:
        raise ValueError(f'{len(value)} elements in a list; at most {MOST_POINTS} are taken')
    found = _vectors(value)
    if np.isnan(found).any():
        raise ValueError('dest vector cannot have NaN')
    return found


def _vectors(values: Sequence[Any]) -> np.ndarray:
    """Return vectors (N, 3), all at once: one by one, a path of 20,000 takes 0.1 s."""
    if not all(isinstance(value, dict) for value in values):
        raise BadCast
    numbers = [value.get(key, 0.0) for value in values for key in ('x_val', 'y_val', 'z_val')]
    if not set(map(type, numbers)) <= {int, float}:
        raise BadCast
    found = np.array(numbers, np.float64).reshape(-1, 3)
    if outside := found[np.abs(found) > FARTHEST].tolist():
        raise ValueError(f'{outside[0]} lies outside +-{FARTHEST:g}')
    return found


def quaternion(value: Any) -> np.ndarray:
    """Take a Quaternionr as unit (4,) w, x, y, z; all NaN if any is."""
    if not isinstance(value, Mapping):
        raise BadCast
    numbers = [value.get(key, default) for key, default in _IDENTITY.items()]
    if not set(map(type, numbers)) <= {int, float}:
        raise BadCast
    found = np.array(numbers, np.float64)
    if np.isnan(found).any():
        return np.full(4, math.nan)
    size = float(np.linalg.norm(found))
    if not 1e-6 < size < FARTHEST:
        raise ValueError(f'{found.tolist()} is no rotation')
    return found / size


def pose(value: Any) -> Pose:
    """Take a Pose."""
    if not isinstance(value, Mapping):
        raise BadCast
    return Pose(vector(value.get('position', {})), quaternion(value.get('orientation', {})))


def yaw_mode(value: Any) -> YawMode:
    """Take a YawMode."""
    if not isinstance(value, Mapping):
        raise BadCast
    return YawMode(boolean(value.get('is_rate', True)), number(value.get('yaw_or_rate', 0.0)))


def geo(value: Any) -> tuple[float, float, float]:
    """Take a GeoPoint: latitude [deg], longitude [deg], altitude [m]."""
    if not isinstance(value, Mapping):
        raise BadCast
    return (
        length(value.get('latitude', 0.0)),
        length(value.get('longitude', 0.0)),
        length(value.get('altitude', 0.0)),
    )


def list_of(convert: Convert, most: int) -> Convert:
    """Take a list of at most `most` elements, each of which converts."""

    def convert_all(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise BadCast
        if len(value) > most:
            raise ValueError(f'{len(value)} elements in a list; at most {most} are taken')
        return [convert(element) for element in value]

    return convert_all


@dataclass(frozen=True)
class Method:
    """One RPC method: what its arguments must be, and what runs it."""

    takes: tuple[Convert, ...]
    run: Callable[..., Any]


def rpc(*takes: Convert) -> Callable[[_Function], _Function]:
    """Mark a method as callable by its own name, with arguments of these types."""

    def mark(function: _Function) -> _Function:
        setattr(function, 'rpc_takes', takes)  # noqa: B010  (functions have no such field)
        return function

    return mark


def collect(*groups: Any) -> dict[str, Method]:
    """Return every marked method of some objects by name."""
    found = {}
    for group in groups:
        for name, function in inspect.getmembers(group, inspect.ismethod):
            if hasattr(function, 'rpc_takes'):
                found[name] = Method(function.rpc_takes, function)
    return found
