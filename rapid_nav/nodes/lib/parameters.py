"""ROS parameters from the frozen settings dataclasses, with their meanings and ranges."""

from collections.abc import Callable, Collection
import dataclasses
import sys
from typing import Any, TYPE_CHECKING, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.parameter import Parameter

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = TypeVar('Config', bound='DataclassInstance')
_WIDEST = {int: (-(2**63), 2**63 - 1), float: (-sys.float_info.max, sys.float_info.max)}


def declare(
    node: Node,
    config: type[Config],
    live: Collection[str] = (),
    accept: Callable[[Config], None] | None = None,
) -> Config:
    """
    Declare a parameter for every field of a settings class and return what was given.

    Those named in `live` may change in flight: `accept` gets the whole new settings, and may
    refuse by raising ValueError, whose text is the answer to the request. The rest is read-only.
    An integer is taken for a floating-point parameter, as YAML writes 1.0 as 1.
    """
    given = {}
    for field in dataclasses.fields(config):
        about = _descriptor(field, field.name in live)
        given[field.name] = _declare(node, field, about)
    current = [config(**given)]

    def on_set(parameters: list[Parameter]) -> SetParametersResult:
        changes = {p.name: p.value for p in parameters if p.name in given}
        try:
            wanted = dataclasses.replace(current[0], **changes)
            if changes and accept:
                accept(wanted)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        current[0] = wanted
        return SetParametersResult(successful=True)

    floats = {field.name for field in dataclasses.fields(config) if type(field.default) is float}

    def before_set(parameters: list[Parameter]) -> list[Parameter]:
        return [
            Parameter(p.name, value=float(p.value))
            if p.name in floats and p.type_ == Parameter.Type.INTEGER
            else p
            for p in parameters
        ]

    node.add_pre_set_parameters_callback(before_set)
    node.add_on_set_parameters_callback(on_set)
    return current[0]


def _declare(node: Node, field: 'dataclasses.Field[Any]', about: ParameterDescriptor) -> Any:
    """Declare one parameter and return what was given, or its default."""
    try:
        return node.declare_parameter(field.name, field.default, about).value
    except InvalidParameterTypeException:
        loose = ParameterDescriptor(dynamic_typing=True)
        value = node.declare_parameter(field.name, field.default, loose).value
        node.undeclare_parameter(field.name)
        if type(field.default) is not float or type(value) is not int:
            raise
    return node.declare_parameter(field.name, float(value), about, ignore_override=True).value


def _descriptor(field: 'dataclasses.Field[Any]', live: bool) -> ParameterDescriptor:
    about = field.metadata
    unit = f' [{about["unit"]}]' if about['unit'] else ''
    descriptor = ParameterDescriptor(
        name=field.name, description=about['help'] + unit, read_only=not live
    )
    if about['choices']:
        descriptor.additional_constraints = f'one of {", ".join(map(str, about["choices"]))}'
    kind: Any = type(field.default)
    if kind in _WIDEST and not (about['low'] is None and about['high'] is None):
        least, most = _WIDEST[kind]
        low = least if about['low'] is None else kind(about['low'])
        high = most if about['high'] is None else kind(about['high'])
        if kind is int:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor
