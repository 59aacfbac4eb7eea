"""The loop that flies the drone: look, publish, command, look again; in lockstep or free."""

from collections import Counter
import time
from typing import Protocol

import rclpy
from rclpy.impl.rcutils_logger import RcutilsLogger

from rapid_nav.airsim.drone import AirSimDrone, BadImage, connect, RPCError
from rapid_nav.airsim.readings import CameraInfo, Sense
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.drone.episode import Flights, Verdict
from rapid_nav.drone.task import TASKS
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.bridge.handoff import Handoff
from rapid_nav.nodes.bridge.sensors import Sensors
from rapid_nav.nodes.bridge.spawn import Spawner

_RETRY_S = 0.5  # between attempts to reach a lost simulator, or to be heard by the policy
_GLANCE_S = 0.02  # between two looks at who listens
_STILL = BodyVelocity()
_UNDONE = {
    'takeoff': 'it flies already, or did not reach its height',
    'land': 'the ground did not stop it in time',
}


class Bridge(Protocol):
    """What the loop needs of the node that it flies for."""

    counts: Counter[str]
    handoff: Handoff
    sensors: Sensors

    def get_logger(self) -> RcutilsLogger: ...

    def is_recorded(self) -> bool: ...

    def wants_rgb(self) -> bool: ...

    def publish(self, sense: Sense, camera: CameraInfo, verdict: Verdict, flight: int) -> None: ...

    def publish_decided(self, sense: Sense) -> None: ...

    def report(self, trouble: str) -> None: ...


class ControlLoop:
    """Flies one drone, flight after flight, and outlives its simulator."""

    def __init__(self, config: BridgeConfig, bridge: Bridge) -> None:
        self.config, self.bridge = config, bridge
        self.drone: AirSimDrone | None = None
        self.spawner = Spawner(config)
        task = TASKS[config.task]
        self.by_pose = task.actions.motion == 'pose'
        self.flights = Flights(
            task.reward,
            config.cap,
            config.duration,
            config.flights,
            slack=config.decision_period / 2,
        )
        self.look = time.time_ns()  # counted on by one; no other bridge counts here
        self.flying = False  # while it is not, commands are ignored
        self.commanded_ns: int | None = None  # the stamp seen last when the last command came
        self.next_look = 0.0  # [s] of the monotonic clock

    def run(self) -> None:
        """Fly until the flights are over or ROS is shut down."""
        over = False
        while rclpy.ok() and not over:
            try:
                if self.drone is None:
                    self._connect()
                    self._await_recorder()
                over = self._turn()
            except (RPCError, OSError) as error:
                time.sleep(_GLANCE_S)  # all may be told to end, the simulator a moment sooner
                if rclpy.ok():
                    self._lose(error)
        self._leave()

    def command(self, stamp_ns: int, velocity: BodyVelocity) -> None:
        """Take a command (from the thread that hears ROS)."""
        if self.config.lockstep:
            self.bridge.handoff.answer(stamp_ns, velocity)
        elif self.flying and (drone := self.drone):
            try:
                self._obey_command(drone, velocity, self.config.command_timeout)
                self.commanded_ns = self.flights.now_ns
            except (RPCError, OSError):
                pass  # the loop meets the same trouble and says so

    def _connect(self) -> None:
        c = self.config
        drone = connect(c.host, c.port, c.vehicle, c.camera)
        drone.pause(c.lockstep)
        self.drone = drone
        self._begin()
        self.camera = drone.camera_info()
        self.bridge.report('')

    def _await_recorder(self) -> None:
        while rclpy.ok() and not self.bridge.is_recorded():
            time.sleep(_GLANCE_S)

    def _begin(self) -> None:
        """Start the next flight, in the air."""
        self.flights.begin()
        self.commanded_ns, self.flying = None, False
        self.spawner.begin(self._drone(), self.flights.number)
        self.flying = True
        self.bridge.get_logger().debug(f'Flight {self.flights.number} begins')

    def _turn(self) -> bool:
        """Look once and fly on; return whether all is over."""
        self.look += 1
        if errand := self.bridge.handoff.errand():
            self._obey(errand)
            self.look += 1  # nobody's action led here
        try:
            sense = self._drone().sense(rgb=self.bridge.wants_rgb())
        except BadImage as error:
            self.bridge.counts['bad_images'] += 1
            self.bridge.get_logger().warning(f'Bad image: {error}', throttle_duration_sec=5.0)
            self._pass_time(_STILL)
            return False
        assert sense.depth is not None, 'it was asked for'
        verdict, over = self.flights.judge(
            sense.stamp_ns, sense.depth, sense.position, sense.collided and self.flying
        )
        self.bridge.publish(sense, self.camera, verdict, self.flights.number)
        answer = self._wait_for_answer(sense) if self.config.lockstep else None
        if verdict.terminal:
            self.bridge.counts['flights'] += 1
            self.bridge.counts['collisions'] += verdict.collision
            touched = f': it touched {sense.collision_name}' if verdict.collision else ''
            self.bridge.get_logger().debug(f'Flight {self.flights.number} is over{touched}')
            if not over:
                self._begin()
        else:
            self._pass_time(answer or _STILL)
        return over

    def _wait_for_answer(self, sense: Sense) -> BodyVelocity | None:
        """Return the policy's command for this look, showing it again as long as none comes."""
        deadline = time.monotonic() + self.config.answer_timeout
        handoff = self.bridge.handoff
        while rclpy.ok() and self.flying and not handoff.errand():
            if answer := handoff.wait_for_answer(sense.stamp_ns, _RETRY_S):
                return answer
            if time.monotonic() > deadline:
                self.bridge.counts['unanswered_images'] += 1
                self.bridge.get_logger().warning(
                    'No command for an image: hovering', throttle_duration_sec=5.0
                )
                return None
            self.bridge.publish_decided(sense)
        return None

    def _pass_time(self, velocity: BodyVelocity) -> None:
        """Let one decision's time go by, in lockstep at this velocity, else as last commanded."""
        drone, period = self._drone(), self.config.decision_period
        sensors = self.bridge.sensors
        if self.config.lockstep:
            if self.flying:
                self._obey_command(drone, velocity, period)
            drone.step(period)
            sensors.publish_due(drone, (self.flights.now_ns or 0) / 1e9)
            return
        self._stop_if_silent()
        self.next_look = max(self.next_look + period, time.monotonic())
        while (left := self.next_look - time.monotonic()) > 0 and rclpy.ok():
            due = sensors.publish_due(drone, time.monotonic()) - time.monotonic()
            self.bridge.handoff.sleep(min(left, due))
            if self.bridge.handoff.errand():
                return

    def _obey_command(self, drone: AirSimDrone, velocity: BodyVelocity, duration_s: float) -> None:
        """Fly at a velocity for so long, or go at once where it would lead until the next look."""
        if self.by_pose:
            drone.move(velocity, self.config.decision_period)
            velocity = _STILL  # there; to hover might draw it back
        drone.fly(velocity, duration_s)

    def _stop_if_silent(self) -> None:
        """Hover once nobody has commanded anything for too long."""
        if self.commanded_ns is None or self.flights.now_ns is None:
            return
        if (self.flights.now_ns - self.commanded_ns) / 1e9 > self.config.command_timeout:
            self.commanded_ns = None
            self._drone().hover()
            self.bridge.counts['silences'] += 1
            self.bridge.get_logger().warning('No commands any more: hovering')

    def _obey(self, errand: str) -> None:
        """Do what a service asked for and report how it went."""
        drone, done = self._drone(), True
        try:
            if errand == 'reset':
                self._begin()
            elif errand == 'land':
                self.flying = False
                done = drone.land()
            else:
                done = drone.sense(depth=False).landed and drone.take_off()
                self.flying = True
        except (RPCError, OSError) as error:
            self.bridge.handoff.report(str(error))
            raise
        self.bridge.handoff.report('' if done else _UNDONE[errand])

    def _lose(self, error: Exception) -> None:
        """Say that the simulator is gone, and wait a little."""
        kind = 'No simulator' if isinstance(error, OSError) else 'The simulator refuses'
        if self.drone:
            self.bridge.counts['lost_simulators'] += 1  # told along with the reason
            self.drone.close()
            self.drone = None
        self.bridge.report(f'{kind}: {error}')
        self.bridge.handoff.report('the simulator is gone')
        time.sleep(_RETRY_S)

    def _leave(self) -> None:
        """Stop the drone, and let the simulator's clock run for whoever comes next."""
        self.bridge.handoff.close()
        try:
            if self.drone:
                self.drone.hover()
                self.drone.pause(False)
                self.drone.close()
        except (RPCError, OSError):
            pass

    def _drone(self) -> AirSimDrone:
        assert self.drone is not None, 'only _turn and what it calls fly'
        return self.drone
