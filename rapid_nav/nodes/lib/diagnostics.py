"""A node's state on /diagnostics once a second, and in the log when a part of it changes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
import threading
import time
from typing import NamedTuple

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Header

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)
_PERIOD_S = 1.0
_UNDISCOVERED = '_NODE_NAME_UNKNOWN_'  # of a node whose publishers were discovered first
_FAULT_HOLDS_S = 5.0  # after the last one of its kind


class Condition(NamedTuple):
    """Something that is wrong for now."""

    level: bytes  # WARN, ERROR or STALE
    kind: str  # the same kind is the same condition, whatever its message
    message: str  # the same in a sentence, perhaps with figures that change


class Diagnostics:
    """
    Publishes the conditions that hold, and logs each when it begins and when it ends.

    `conditions` is asked once a second, and whenever `update` is called, from any thread. The
    status has the highest level of its conditions, and OK if there are none. `values` are the
    counts and settings that go with it.
    """

    def __init__(
        self,
        node: Node,
        conditions: Callable[[], Iterable[Condition]],
        values: Callable[[], Mapping[str, object]],
    ) -> None:
        self._node, self._conditions, self._values = node, conditions, values
        self._lock = threading.Lock()
        self._holding: dict[str, Condition] = {}  # by kind
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # Simulated time stops with its simulator, just when there is something to report.
        clock = Clock(clock_type=ClockType.STEADY_TIME)
        node.create_timer(_PERIOD_S, self.update, clock=clock)

    def update(self) -> None:
        """Publish the state of now, and log what has changed."""
        with self._lock:
            holding = {condition.kind: condition for condition in self._conditions()}
            self._log_changes(holding)
            self._holding = holding
            status = DiagnosticStatus(
                level=max((one.level for one in holding.values()), default=OK),
                name=self._node.get_fully_qualified_name(),
                hardware_id='rapid_nav',
                message='; '.join(one.message for one in holding.values()) or 'ok',
                values=[KeyValue(key=k, value=str(v)) for k, v in self._values().items()],
            )
            header = Header(stamp=self._node.get_clock().now().to_msg())
            self._publisher.publish(DiagnosticArray(header=header, status=[status]))

    def _log_changes(self, holding: Mapping[str, Condition]) -> None:
        logger = self._node.get_logger()
        for kind, condition in holding.items():
            if kind in self._holding:
                continue
            if condition.level == WARN:  # rclpy wants one call site for each severity
                logger.warning(condition.message)
            else:
                logger.error(condition.message)
        for kind in self._holding.keys() - holding.keys():
            logger.info(f'Over: {self._holding[kind].message}')


def publishers_of(node: Node, topic: str) -> list[str]:
    """Return the full names of the nodes that publish a topic, once for each publisher."""
    return sorted(
        f'{end.node_namespace.rstrip("/")}/{end.node_name}'
        for end in node.get_publishers_info_by_topic(topic)
        if end.node_name != _UNDISCOVERED
    )


def foreign_publishers(node: Node, publishers: Iterable[Publisher]) -> Iterator[Condition]:
    """Yield an error for each topic of this node's own that another node publishes too."""
    for topic in (publisher.topic_name for publisher in publishers):
        others = publishers_of(node, topic)
        if node.get_fully_qualified_name() in others:
            others.remove(node.get_fully_qualified_name())
        if others:
            names = ', '.join(others)
            yield Condition(
                ERROR,
                f'{topic} of {names}',
                f'{topic} is published by {names} too; give each drone a namespace or a '
                'ROS_DOMAIN_ID of its own',
            )


class Faults:
    """Counts what went wrong; what did so within the last seconds is a condition."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._latest: dict[str, tuple[float, str]] = {}  # by kind: monotonic time [s], message

    def add(self, kind: str, message: str) -> None:
        """Count one fault; its message stands for the others of its kind."""
        self.counts[kind] += 1
        self._latest[kind] = (time.monotonic(), message)

    def conditions(self) -> Iterator[Condition]:
        """Yield a warning for each kind that was met lately."""
        now = time.monotonic()
        for kind, (when, message) in list(self._latest.items()):
            if now - when < _FAULT_HOLDS_S:
                yield Condition(WARN, kind, message)
