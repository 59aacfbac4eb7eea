"""Qualities of service that several nodes must agree on, and who hears them."""

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

# What becomes of each image. Deep enough that who listens may be late for a second in lockstep,
# where a hundred images pass in one; but who comes late gets nothing old.
RECORD = QoSProfile(depth=100)

# Who flies by images takes the newest alone; who learns from them or keeps them wants them all,
# and may be a moment behind.
IMAGES = QoSProfile(depth=10)


def hears(listeners: str, node: Node, *publishers: Publisher) -> bool:
    """Return whether the nodes of these names, separated by commas, listen to all of them."""
    return all(
        {end.node_name for end in node.get_subscriptions_info_by_topic(one.topic_name)}
        >= set(listeners.split(','))
        for one in publishers
    )
