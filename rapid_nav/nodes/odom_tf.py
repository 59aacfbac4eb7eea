"""Broadcasts the transforms of the drone and its camera, for tf2."""

from geometry_msgs.msg import Transform, TransformStamped
from nav_msgs.msg import Odometry
import numpy as np
from rclpy.node import Node
from std_msgs.msg import Header
from tf2_ros import StaticTransformBroadcaster, TransformBroadcaster

from rapid_nav.airsim.drone import RPCError
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.parameters import declare
from rapid_nav.nodes.lib.simulator import SimulatorConfig
from rapid_nav.nodes.lib.spin import run
from rapid_nav.nodes.lib.subscribe import subscribe

# From the camera's body (x ahead, y left, z up) to its optical frame (z ahead, x right, y down).
OPTICAL = np.array([-0.5, 0.5, -0.5, 0.5])


class OdomTf(Node):
    """Publishes a transform for each odometry message."""

    def __init__(self) -> None:
        super().__init__('odom_tf')
        self.config = declare(self, SimulatorConfig)
        self.moving = TransformBroadcaster(self)
        self.fixed = StaticTransformBroadcaster(self)
        self.mounted = False  # whether the camera's mounting has been sent
        subscribe(self, Odometry, 'odom', self.on_odometry, 10)

    def on_odometry(self, message: Odometry) -> None:
        """Broadcast odom -> base_link, and once the camera's mounting."""
        place = Transform(
            translation=conversions.vector(conversions.position(message)),
            rotation=conversions.quaternion(conversions.orientation(message)),
        )
        self.mounted = self.mounted or self.send_mounting(message.header)
        self.moving.sendTransform(
            TransformStamped(
                header=message.header, child_frame_id=message.child_frame_id, transform=place
            )
        )

    def send_mounting(self, header: Header) -> bool:
        """Broadcast base_link -> camera -> camera_optical; return whether that was possible."""
        try:
            drone = self.config.connect()
            mount = drone.camera_info().mount
            drone.close()
        except (RPCError, OSError) as error:
            self.get_logger().warning(f'No mounting: {error}', throttle_duration_sec=5.0)
            return False
        self.fixed.sendTransform(
            [
                fixed(
                    header, conversions.BASE, conversions.CAMERA, mount.position, mount.orientation
                ),
                fixed(
                    header, conversions.CAMERA, conversions.CAMERA_OPTICAL, np.zeros(3), OPTICAL
                ),
            ]
        )
        return True


def fixed(
    header: Header, parent: str, child: str, position: np.ndarray, orientation: np.ndarray
) -> TransformStamped:
    """Return a transform: position (3,) [m] and orientation (4,) x, y, z, w of child in parent."""
    return TransformStamped(
        header=Header(stamp=header.stamp, frame_id=parent),
        child_frame_id=child,
        transform=Transform(
            translation=conversions.vector(position), rotation=conversions.quaternion(orientation)
        ),
    )


def main() -> int:
    """Broadcast transforms until told to stop."""
    return run(OdomTf)
