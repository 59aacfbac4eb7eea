"""A client for one drone: its messages go to the learner, checkpoints go to its policy."""

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
from rapid_nav.drone.transition_assembler import DroneAssembler, StepOutcome, Trajectory
from rapid_nav.msg import ExitLevel, Outcome
from rapid_nav.nodes.learning.learner import Offer
from rapid_nav.nodes.lib import conversions

# Volatile: what a bridge keeps for late subscribers has no images to go with it.
_QOS = QoSProfile(depth=100)
_RETRY_S = 5.0  # until a checkpoint that was not taken is offered again
_REFRESH_S = 10.0  # between two settings of epsilon, for a policy that was started anew
_GONE_S = 5.0  # without a message


class DroneClient:
    """Subscribes to a drone's images, decisions and outcomes, and sets its policy's parameters."""

    def __init__(
        self,
        node: Node,
        assembler: DroneAssembler,
        task: FlightTask,
        learn: Callable[[Trajectory], None],
        group: CallbackGroup | None = None,
    ) -> None:
        self.assembler, self.task, self.learn = assembler, task, learn
        self.node, name = node, assembler.drone
        self.checkpoint_id: int | None = None  # of the newest decision
        self.refused = ''  # why it did not take the newest offer
        self.request: Future | None = None
        self.requested_at = -_REFRESH_S
        self.offered: int | None = None  # checkpoint_id of the newest offer
        self.last_message_at = time.monotonic()
        self.rgb = task.observation.kind == 'rgb'
        for kind, topic, callback in (
            (Image, 'camera/image' if self.rgb else 'camera/depth', self.on_image),
            (ExitLevel, 'exit_level', self.on_exit),
            (Outcome, 'outcome', self.on_outcome),
        ):
            node.create_subscription(kind, f'{name}/{topic}', callback, _QOS, callback_group=group)
        self.client = node.create_client(
            SetParameters, f'{name}/policy/set_parameters', callback_group=group
        )

    @property
    def gone(self) -> bool:
        """Whether no message has come for a while."""
        return time.monotonic() - self.last_message_at > _GONE_S

    def on_image(self, message: Image) -> None:
        """Take an image, as the policy sees it."""
        read = conversions.color_image if self.rgb else conversions.depth_image
        try:
            frame = frame_of(read(message), self.task.observation)
        except ValueError:
            self.assembler.counts['bad_images'] += 1
            return
        self._hand_on(
            self.assembler.add(conversions.nanoseconds(message.header.stamp), frame=frame)
        )

    def on_exit(self, message: ExitLevel) -> None:
        """Take a decision."""
        self.checkpoint_id = message.weights
        self._hand_on(
            self.assembler.add(
                conversions.nanoseconds(message.header.stamp), action=message.action
            )
        )

    def on_outcome(self, message: Outcome) -> None:
        """Take the outcome of a decision."""
        conversions.checked_outcome(message)  # a NaN would be learned from
        outcome = StepOutcome(
            message.reward, message.terminal, message.collision, message.flight, message.image
        )
        self._hand_on(
            self.assembler.add(conversions.nanoseconds(message.header.stamp), outcome=outcome)
        )

    def _hand_on(self, trajectories: Iterable[Trajectory]) -> None:
        self.last_message_at = time.monotonic()
        for trajectory in trajectories:
            self.learn(trajectory)

    def offer(self, offer: Offer, epsilon: float) -> None:
        """Send a checkpoint and an epsilon to the policy unless it has them, without waiting."""
        now = time.monotonic()
        if self.request and not self.request.done() and now - self.requested_at < _REFRESH_S:
            return
        refused = self.offered if self.refused else None
        flown = offer.checkpoint_id in (self.checkpoint_id, refused)
        new = self.offered != offer.checkpoint_id and not flown
        if not self.client.service_is_ready() or now - self.requested_at < (
            0.0 if new else _REFRESH_S if flown else _RETRY_S
        ):
            return
        parameters = [Parameter('epsilon', value=float(epsilon))]
        if not flown:
            parameters.append(Parameter('checkpoint', value=str(offer.path)))
        self.requested_at, self.offered = now, offer.checkpoint_id
        self.request = self.client.call_async(
            SetParameters.Request(parameters=[one.to_parameter_msg() for one in parameters])
        )
        self.request.add_done_callback(self.answered)

    def answered(self, request: Future) -> None:
        """Note why a checkpoint was refused, if it was."""
        answer = request.result()
        reasons = [one.reason for one in answer.results if not one.successful] if answer else []
        self.refused = '; '.join(reasons)
        if self.refused:
            self.node.get_logger().warning(f'{self.assembler.drone} refuses: {self.refused}')
