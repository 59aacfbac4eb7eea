"""No message ends a node: what is not finite, not whole or nonsense is left out."""

import array
from collections.abc import Callable
import importlib
import math
from typing import Any

from geometry_msgs.msg import TwistStamped
from listener import wait_until
from nav_msgs.msg import Odometry
import numpy as np
import pytest
from rcl_interfaces.srv import ListParameters
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Bool
from visualization_msgs.msg import MarkerArray

from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.lib import conversions

TOPICS: dict[str, type] = {
    'cmd_vel': TwistStamped,
    'odom': Odometry,
    'outcome': Outcome,
    'exit_level': ExitLevel,
    'collision': Bool,
    'camera/depth': Image,
    'camera/image': Image,
    'scene': MarkerArray,
    'trail': MarkerArray,
}
WIDE = {'uint8': 255, 'uint16': 2**16 - 1, 'uint32': 2**32 - 1, 'int32': -(2**31)}
NODES = {
    'airsim_bridge': ('rapid_nav.nodes.airsim_bridge', 'AirSimBridge'),
    'outcome': ('rapid_nav.nodes.outcome', 'OutcomeNode'),
    'scene': ('rapid_nav.nodes.scene_markers', 'SceneMarkers'),
    'viewer': ('rapid_nav.nodes.viewer', 'Viewer'),
    'odom_tf': ('rapid_nav.nodes.odom_tf', 'OdomTf'),
    'listener': ('rapid_nav.nodes.lib.flight_listener', 'FlightListener'),
}


def filled(kind: type, number: float, wide: bool) -> Any:
    """Return a message whose floats are all a number, and whose integers are 0 or extreme."""
    message = kind()
    for name, field in kind.get_fields_and_field_types().items():
        value = getattr(message, name)
        if isinstance(value, float):
            setattr(message, name, number)
        elif hasattr(value, 'get_fields_and_field_types'):
            setattr(message, name, filled(type(value), number, wide))
        elif field in WIDE and wide:
            setattr(message, name, WIDE[field])
        elif field.startswith('sequence<') and '/' in field:
            package, _, part = field.removeprefix('sequence<').removesuffix('>').partition('/')
            part_kind = getattr(importlib.import_module(f'{package}.msg'), part)
            setattr(message, name, [filled(part_kind, number, wide) for _ in range(2)])
    return message


def images() -> list[Image]:
    """Return images that are none, and at last one that is."""
    whole = {'height': 2, 'width': 2, 'step': 8, 'encoding': '32FC1'}
    return [
        Image(**whole, data=array.array('B', b'\0' * 15)),
        Image(**whole, data=array.array('B', b'\xff' * 16)),  # NaN
        Image(**{**whole, 'encoding': 'rgb8', 'step': 6}, data=array.array('B', b'\0' * 11)),
        Image(**{**whole, 'encoding': 'mono16'}),
        conversions.image(np.full((144, 256), 5.0, np.float32), 0),
    ]


@pytest.mark.parametrize('name', NODES)
def test_a_node_outlives_every_message_that_it_subscribes_to(
    ros: Callable, port: int, name: str, tmp_path: Any
) -> None:
    module, kind = NODES[name]
    try:
        make = getattr(importlib.import_module(module), kind)
    except ModuleNotFoundError as missing:
        pytest.skip(f'{missing.name} is not installed')
    running = ros(port=port, browser=False, save=tmp_path / 'flight.rrd')
    node = running.spin(make('listener', 'rapid') if name == 'listener' else make())
    mean = running.spin(rclpy.create_node('mean'))
    latched = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    publishers = {
        topic: mean.create_publisher(kind, topic, latched if kind is MarkerArray else 100)
        for topic, kind in TOPICS.items()
    }
    received = {topic for topic in TOPICS if node.count_subscribers(topic)}
    for drawn in ('trail', 'decision_markers'):
        mean.create_subscription(MarkerArray, drawn, lambda _: None, 10)
        wait_until(lambda drawn=drawn: node.count_subscribers(drawn))
    assert received
    for topic in received:
        wait_until(publishers[topic].get_subscription_count)
    # All topics by turns: some nodes join the messages of one stamp.
    for number in (math.nan, math.inf, -math.inf, 1e38, 0.0):
        for wide in (True, False):
            for topic in sorted(received):
                publishers[topic].publish(filled(TOPICS[topic], number, wide))
        for image in images():
            for topic in received & {'camera/depth', 'camera/image'}:
                publishers[topic].publish(image)
    # It answers, after the messages: one thread does both.
    client = mean.create_client(ListParameters, f'{node.get_name()}/list_parameters')
    assert client.wait_for_service(20)
    for _ in range(60):
        answer = client.call_async(ListParameters.Request())
        wait_until(answer.done)
    if name == 'viewer':
        node.stream.flush()
