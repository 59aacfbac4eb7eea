"""Qualities of service that several nodes must agree on."""

from rclpy.qos import DurabilityPolicy, QoSProfile

# A flight's record is small, so whoever joins late gets what it missed. In lockstep a hundred
# frames pass in a second, and on a busy machine two processes need some seconds to meet.
RECORD = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
