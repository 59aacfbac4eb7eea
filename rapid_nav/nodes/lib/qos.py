"""Qualities of service that several nodes share, and a test of who has subscribed."""

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile

# For what follows from each image. In lockstep a hundred images may pass in a second, which a
# busy subscriber may miss; volatile, since a late one has no images to go with it.
RECORD = QoSProfile(depth=100)

# The policy takes the newest alone (its own depth is 1); a trainer or a recorder needs them all,
# and may be a moment behind.
IMAGES = QoSProfile(depth=10)


def subscribed(listeners: str, node: Node, *publishers: Publisher) -> bool:
    """Return whether the nodes of these names, separated by commas, subscribe to all of them."""
    return all(
        {end.node_name for end in node.get_subscriptions_info_by_topic(one.topic_name)}
        >= set(listeners.split(','))
        for one in publishers
    )
