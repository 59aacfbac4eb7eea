"""A depth camera that shows images to the policy node and listens to what it answers."""

from collections.abc import Callable
from pathlib import Path
import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from listener import Listener, wait_until
import numpy as np
from rcl_interfaces.srv import SetParameters
import rclpy
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image

from rapid_nav.msg import ExitLevel
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.policy import Policy

SOUND = np.full((144, 256), 5.0, np.float32)
STALE = 60.0  # [s]
COLOURS = np.random.default_rng(0).integers(1, 256, (180, 320, 3), np.uint8)


class Camera:
    """Shows images to a policy and hears what it makes of them."""

    def __init__(
        self,
        ros: Callable[..., Any],
        checkpoint: Path,
        topic: str = 'camera/depth',
        sound: np.ndarray | None = None,
        **parameters: Any,
    ) -> None:
        # Images of a busy machine arrive late.
        self.running = running = ros(**{'checkpoint': checkpoint, 'max_age': 10.0} | parameters)
        self.policy = Policy()
        self.node = rclpy.create_node('camera')
        ear = Listener(self.node)
        self.commands = ear.listen(TwistStamped, 'cmd_vel')
        self.levels = ear.listen(ExitLevel, 'exit_level')
        self.diagnostics = ear.listen(DiagnosticArray, '/diagnostics')
        self.images = self.node.create_publisher(Image, topic, 1)
        sound = SOUND if sound is None else sound
        self.parameters = self.node.create_client(SetParameters, 'policy/set_parameters')
        running.spin(self.policy)
        running.spin(self.node)
        # Nobody can see when a best-effort match is complete: show stale images until one counts,
        # then one of another kind, which counts after all of them.
        counts = self.policy.counts
        wait_until(lambda: self.show(sound, age=STALE) and counts['stale_images'])
        wait_until(self.policy.commands.get_subscription_count)
        wait_until(self.policy.levels.get_subscription_count)
        self.show(sound, encoding='none')
        wait_until(lambda: counts['bad_images'])
        counts.clear()

    def show(self, depth: np.ndarray, age: float = 0.0, **changes: Any) -> int:
        """Publish an image that is so old [s]; return its stamp."""
        return self.publish(depth, time.time_ns() - round(age * 1e9), **changes)

    def publish(self, depth: np.ndarray, stamp: int, **changes: Any) -> int:
        """Publish an image of this stamp [ns]; return the stamp."""
        message = conversions.image(depth, stamp)
        for name, value in changes.items():
            setattr(message, name, value)
        self.images.publish(message)
        return stamp

    def answer(self, depth: np.ndarray) -> ExitLevel:
        """Show an image and return how it was decided on."""
        stamp = self.show(depth)
        level: ExitLevel = wait_until(
            lambda: next(
                (m for m in self.levels if conversions.nanoseconds(m.header.stamp) == stamp), None
            )
        )
        return level

    def set(self, **values: Any) -> str:
        """Set parameters as `ros2 param set` does; return why it was refused, or ''."""
        assert self.parameters.wait_for_service(10)
        answer = self.parameters.call_async(
            SetParameters.Request(
                parameters=[
                    Parameter(name, value=value).to_parameter_msg()
                    for name, value in values.items()
                ]
            )
        )
        wait_until(answer.done)
        reason: str = answer.result().results[0].reason
        return reason

    def told(self, key: str) -> str:
        """Return what /diagnostics said last of something, or ''."""
        status = self.status()
        return {item.key: item.value for item in status.values}.get(key, '') if status else ''

    def status(self) -> DiagnosticStatus | None:
        """Return what the policy said last of its state on /diagnostics."""
        for message in reversed(self.diagnostics):
            if message.status[0].name == '/rapid/policy':
                return message.status[0]
        return None

    def wait_for(self, level: bytes, why: str) -> None:
        """Wait until the policy's state has this level and says why."""
        wait_until(lambda: (s := self.status()) and s.level == level and why in s.message)

    def counted(self, kind: str) -> int:
        """Return what /diagnostics said last of a count."""
        return int(self.told(kind) or 0)
