"""Subscriptions that outlive a bad message: it is counted, logged and left out."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile

from rapid_nav.nodes.lib.conversions import BadMessage

Message = TypeVar('Message')
_LOG_PERIOD_S = 5.0


def subscribe(
    node: Node,
    kind: type[Message],
    topic: str,
    callback: Callable[[Message], None],
    qos: QoSProfile | int,
    counts: Counter[str] | None = None,
    group: CallbackGroup | None = None,
) -> None:
    """Call back for each message of a topic; those that raise BadMessage count as bad_messages."""

    def receive(message: Message) -> None:
        try:
            callback(message)
        except BadMessage as error:
            if counts is not None:
                counts['bad_messages'] += 1
            node.get_logger().warning(
                f'Ignored a message on {topic}: {error}', throttle_duration_sec=_LOG_PERIOD_S
            )

    node.create_subscription(kind, topic, receive, qos, callback_group=group)
