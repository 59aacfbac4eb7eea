"""The drone in tf2, where tf2 is: moved by odometry, with its camera mounted."""

from listener import wait_until
from nav_msgs.msg import Odometry
import numpy as np
import pytest
import rclpy
from rclpy.time import Time

from rapid_nav import geometry
from rapid_nav.nodes.lib import conversions
from rapid_nav.sim.server import Server
from rapid_nav.sim.worlds.world import make_world

tf2_ros = pytest.importorskip('tf2_ros', reason='tf2_ros is not installed')
from rapid_nav.nodes.odom_tf import OdomTf  # noqa: E402

SETTINGS = {
    'SettingsVersion': 1.2,
    'SimMode': 'Multirotor',
    'Vehicles': {
        'drone': {
            'VehicleType': 'SimpleFlight',
            'Cameras': {'0': {'X': 0.3, 'Y': 0.1, 'Z': -0.2, 'Pitch': 0, 'Roll': 0, 'Yaw': 0}},
        }
    },
}
QUARTER = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))  # a turn to the left


def place(transform) -> tuple[np.ndarray, np.ndarray]:
    p, q = transform.transform.translation, transform.transform.rotation
    return np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w])


def test_the_camera_is_where_odometry_and_mounting_say(ros) -> None:
    with Server(make_world('corridor', 1), SETTINGS, port=0) as server:
        running = ros(port=server.port)
        running.spin(OdomTf())
        node = rclpy.create_node('listener')
        buffer = tf2_ros.Buffer()
        listener = tf2_ros.TransformListener(buffer, node)
        odom = node.create_publisher(Odometry, 'odom', 10)
        running.spin(node)
        message = Odometry(
            header=conversions.header(5 * 10**9, conversions.ODOM), child_frame_id=conversions.BASE
        )
        message.pose.pose.position = conversions.point((10.0, 20.0, 2.0))
        message.pose.pose.orientation = conversions.quaternion(QUARTER)

        def arrived() -> bool:
            odom.publish(message)
            return buffer.can_transform(conversions.ODOM, conversions.CAMERA_OPTICAL, Time())

        wait_until(arrived)
        base = place(buffer.lookup_transform(conversions.ODOM, conversions.BASE, Time()))
        np.testing.assert_allclose(base[0], (10.0, 20.0, 2.0))
        np.testing.assert_allclose(base[1], QUARTER)
        # 0.3 m ahead, 0.1 m to the right, 0.2 m up, turned to the left with the drone
        camera = place(buffer.lookup_transform(conversions.ODOM, conversions.CAMERA, Time()))
        np.testing.assert_allclose(camera[0], (10.1, 20.3, 2.2), atol=1e-6)
        optical = place(
            buffer.lookup_transform(conversions.ODOM, conversions.CAMERA_OPTICAL, Time())
        )
        # The optical axis, z, looks where the drone does: along y.
        w_x_y_z = np.roll(optical[1], 1)
        np.testing.assert_allclose(
            geometry.rotate(w_x_y_z, np.array([0.0, 0.0, 1.0])), (0.0, 1.0, 0.0), atol=1e-6
        )
        assert listener
