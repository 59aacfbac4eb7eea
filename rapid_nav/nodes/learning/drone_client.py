"""One drone as its trainer knows it: what is heard of it, and what it is offered."""

from collections.abc import Callable, Iterable
import time

from rcl_interfaces.srv import SetParameters
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import Image

from rapid_nav.drone.observation import frame_of
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import DroneJoin, Judged, Stretch
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.learning.learner import Offer
from rapid_nav.nodes.lib import conversions
from rapid_nav.nodes.lib.subscribe import subscribe

# Nothing old is asked for: what a bridge keeps for late listeners has no images to go with it.
_HEARING = QoSProfile(depth=100)
_AGAIN_S = 5.0  # until a drone is asked again that did not take a checkpoint
_REFRESH_S = 10.0  # between two words on exploration: it may have been started anew
_GONE_S = 5.0  # of silence


class Pilot:
    """Hears one drone's images, decisions and outcomes, and sets its policy's parameters."""

    def __init__(
        self,
        node: Node,
        join: DroneJoin,
        task: FlightTask,
        learn: Callable[[Stretch], None],
        group: CallbackGroup | None = None,
    ) -> None:
        self.join, self.task, self.learn = join, task, learn
        self.node, name = node, join.drone
        self.checkpoint_id: int | None = None  # of the network that decided last
        self.refused = ''  # why it did not take what it was offered
        self.asked: Future | None = None
        self.asked_at = -_REFRESH_S
        self.offered: int | None = None  # the checkpoint it was asked to take last
        self.heard_at = time.monotonic()
        self.sees_rgb = task.observation.kind == 'rgb'
        seen = 'camera/image' if self.sees_rgb else 'camera/depth'
        for kind, topic, heard in (
            (Image, seen, self.on_image),
            (ExitLevel, 'exit_level', self.on_exit),
            (Outcome, 'outcome', self.on_outcome),
        ):
            subscribe(node, kind, f'{name}/{topic}', heard, _HEARING, self.join.counts, group)
        self.client = node.create_client(
            SetParameters, f'{name}/policy/set_parameters', callback_group=group
        )

    @property
    def gone(self) -> bool:
        """Whether nothing has been heard for a while."""
        return time.monotonic() - self.heard_at > _GONE_S

    def on_image(self, message: Image) -> None:
        """Take what it saw, as its policy sees it."""
        read = conversions.color_image if self.sees_rgb else conversions.depth_image
        try:
            frame = frame_of(read(message), self.task.observation)
        except ValueError:
            self.join.counts['bad_images'] += 1
            return
        self._hand_on(self.join.hear(conversions.nanoseconds(message.header.stamp), frame=frame))

    def on_exit(self, message: ExitLevel) -> None:
        """Take what it did."""
        self.checkpoint_id = message.weights
        self._hand_on(
            self.join.hear(conversions.nanoseconds(message.header.stamp), action=message.action)
        )

    def on_outcome(self, message: Outcome) -> None:
        """Take what that led to."""
        conversions.checked_outcome(message)  # a NaN would be learned from
        judged = Judged(
            message.reward, message.terminal, message.collision, message.flight, message.image
        )
        self._hand_on(self.join.hear(conversions.nanoseconds(message.header.stamp), judged=judged))

    def _hand_on(self, stretches: Iterable[Stretch]) -> None:
        self.heard_at = time.monotonic()
        for stretch in stretches:
            self.learn(stretch)

    def tell(self, offer: Offer, epsilon: float) -> None:
        """Offer a checkpoint and how much to explore, unless it knows; nobody waits for it."""
        now = time.monotonic()
        if self.asked and not self.asked.done() and now - self.asked_at < _REFRESH_S:
            return
        flown = offer.checkpoint_id in (self.checkpoint_id, self.offered if self.refused else None)
        new = self.offered != offer.checkpoint_id and not flown
        if not self.client.service_is_ready() or now - self.asked_at < (
            0.0 if new else _REFRESH_S if flown else _AGAIN_S
        ):
            return
        wanted = [Parameter('epsilon', value=float(epsilon))]
        if not flown:
            wanted.append(Parameter('checkpoint', value=str(offer.path)))
        self.asked_at, self.offered = now, offer.checkpoint_id
        self.asked = self.client.call_async(
            SetParameters.Request(
                parameters=[parameter.to_parameter_msg() for parameter in wanted]
            )
        )
        self.asked.add_done_callback(self.answered)

    def answered(self, asked: Future) -> None:
        """Note why a checkpoint was refused, if it was."""
        answer = asked.result()
        reasons = [one.reason for one in answer.results if not one.successful] if answer else []
        self.refused = '; '.join(reasons)
        if self.refused:
            self.node.get_logger().warning(f'{self.join.drone} refuses: {self.refused}')
