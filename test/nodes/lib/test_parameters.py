"""ROS parameters are what the settings dataclasses say."""

from dataclasses import dataclass

import pytest
import rclpy
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.parameter import Parameter

from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.options import check, setting


@dataclass(frozen=True)
class Example:
    """Three settings."""

    speed: float = setting(2.0, 'how fast', unit='m/s', low=0.0, high=5.0)
    count: int = setting(3, 'how many', low=1)
    name: str = setting('a', 'which', choices=('a', 'b'))

    def __post_init__(self) -> None:
        check(self)


def test_meaning_unit_and_range_are_described(ros) -> None:
    ros(speed=4.0)
    node = rclpy.create_node('example')
    assert declare(node, Example, live=('speed',)) == Example(speed=4.0)
    speed, count, name = node.describe_parameters(['speed', 'count', 'name'])
    assert speed.description == 'how fast [m/s]'
    assert (speed.floating_point_range[0].to_value, speed.read_only) == (5.0, False)
    assert (count.integer_range[0].from_value, count.read_only) == (1, True)
    assert name.additional_constraints == 'one of a, b'


def test_an_integer_is_a_number(ros) -> None:
    ros(speed=4)
    node = rclpy.create_node('example')
    assert declare(node, Example, live=('speed',)) == Example(speed=4.0)
    assert node.get_parameter('speed').value == 4.0
    assert node.set_parameters([Parameter('speed', value=3)])[0].successful
    assert type(node.get_parameter('speed').value) is float
    assert not node.set_parameters([Parameter('speed', value=9)])[0].successful


def test_a_word_is_no_number(ros) -> None:
    ros(speed='fast')
    with pytest.raises(InvalidParameterTypeException, match='speed'):
        declare(rclpy.create_node('example'), Example)


def test_a_change_is_taken_as_a_whole_or_refused_with_a_reason(ros) -> None:
    ros()
    node = rclpy.create_node('example')
    taken = []

    def accept(config: Example) -> None:
        if config.speed == 1.0:
            raise ValueError('not that slow')
        taken.append(config)

    declare(node, Example, live=('speed', 'name'), accept=accept)
    good, slow, fast, unknown = node.set_parameters(
        [
            Parameter('speed', value=3.0),
            Parameter('speed', value=1.0),
            Parameter('speed', value=9.0),
            Parameter('name', value='c'),
        ]
    )
    assert (good.successful, taken) == (True, [Example(speed=3.0)])
    assert (slow.successful, slow.reason) == (False, 'not that slow')
    assert not fast.successful
    assert 'choose one of a, b' in unknown.reason
