"""The loop that flies the drone: look, publish, command, look again; in lockstep or free."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import rclpy

from rapid_nav.airsim_drone import AirSimDrone, BadImage, connect, RPCError
from rapid_nav.airsim_readings import Pose, Sense
from rapid_nav.flight.actions import BodyVelocity
from rapid_nav.flight.episode import Episode, Verdict
from rapid_nav.flight.reward import RewardConfig

if TYPE_CHECKING:
    from rapid_nav.nodes.airsim_bridge import AirSimBridge, BridgeConfig
_RETRY_S = 0.5  # between attempts to reach a lost simulator, or to be heard by the policy
_GLANCE_S = 0.02  # between two looks at who listens
_STILL = BodyVelocity()


class FlightLoop:
    """Flies one drone, flight after flight, and outlives its simulator."""

    def __init__(self, config: BridgeConfig, bridge: AirSimBridge) -> None:
        self.config, self.bridge = config, bridge
        self.drone: AirSimDrone | None = None
        self.home: Pose | None = None  # where the first flight began, in the air
        self.flight = -1  # how many flights have begun, less one
        self.look = time.time_ns()  # counted on by one; no other bridge counts here
        self.flying = False  # while it is not, commands are ignored
        self.flown_ns = 0  # in all flights
        self.commanded_ns: int | None = None  # the stamp seen last when the last command came
        self.now_ns: int | None = None  # the stamp seen last in this flight
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
                self._lose(error)
        self._leave()

    def command(self, stamp_ns: int, velocity: BodyVelocity) -> None:
        """Take a command (from the thread that hears ROS)."""
        if self.config.lockstep:
            self.bridge.mailbox.answer(stamp_ns, velocity)
        elif self.flying and (drone := self.drone):
            try:
                drone.fly(velocity, self.config.command_timeout)
                self.commanded_ns = self.now_ns
            except (RPCError, OSError):
                pass  # the loop meets the same trouble and says so

    def _connect(self) -> None:
        c = self.config
        drone = connect(c.host, c.port, c.vehicle, c.camera)
        drone.pause(c.lockstep)
        self.alone = len(drone.vehicles()) <= 1
        self.drone = drone
        self._begin()
        self.camera = drone.camera_info()
        self.bridge.report('')

    def _await_recorder(self) -> None:
        while rclpy.ok() and not self.bridge.is_recorded():
            time.sleep(_GLANCE_S)

    def _begin(self) -> None:
        """Start the next flight, in the air."""
        drone = self._drone()
        self.flight += 1
        self.episode = Episode(RewardConfig(), self.config.cap)
        self.commanded_ns, self.now_ns, self.flying = None, None, False
        if not self.alone:
            drone.arm()
            if self.home:
                drone.hover()
                drone.set_pose(self.home)  # the others fly on
        else:
            worlds = self.config.world.split(',')  # turn about
            world = worlds[self.flight % len(worlds)]
            if not world or not drone.new_world(world, self.config.seed + self.flight):
                drone.reset()
        if self.config.lockstep:
            drone.pause(True)
        if drone.sense(depth=False).landed:
            drone.take_off()
        drone.hover()
        if not self.home:
            here = drone.sense(depth=False)
            self.home = Pose(here.position, here.orientation)
        self.flying = True
        self.bridge.get_logger().debug(f'Flight {self.flight} begins')

    def _turn(self) -> bool:
        """Look once and fly on; return whether all is over."""
        self.look += 1
        if errand := self.bridge.mailbox.errand():
            self._obey(errand)
            self.look += 1  # nobody's action led here
        try:
            sense = self._drone().sense(rgb=self.bridge.wants_rgb())
        except BadImage as error:
            self.bridge.counts['bad_images'] += 1
            self.bridge.get_logger().warning(f'Bad image: {error}', throttle_duration_sec=5.0)
            self._pass_time(_STILL)
            return False
        self.flown_ns += sense.stamp_ns - (self.now_ns or sense.stamp_ns)
        self.now_ns = sense.stamp_ns
        verdict, over = self._judge(sense)
        self.bridge.publish(sense, self.camera, verdict, self.flight)
        answer = self._wait_for_answer(sense) if self.config.lockstep else None
        if verdict.terminal:
            self.bridge.counts['flights'] += 1
            self.bridge.counts['collisions'] += verdict.collision
            touched = f': it touched {sense.collision_name}' if verdict.collision else ''
            self.bridge.get_logger().debug(f'Flight {self.flight} is over{touched}')
            if not over:
                self._begin()
        else:
            self._pass_time(answer or _STILL)
        return over

    def _judge(self, sense: Sense) -> tuple[Verdict, bool]:
        """Return what this look means for the flight, and whether it is the last look of all."""
        c = self.config
        assert sense.depth is not None, 'it was asked for'
        verdict = self.episode.judge(sense.depth, sense.position, sense.collided and self.flying)
        # Half a period of slack: stamps are whole physics steps, a duration is anything.
        elapsed = self.flown_ns / 1e9 + c.decision_period / 2
        late = bool(c.duration) and elapsed >= c.duration
        if late:
            verdict = Verdict(verdict.reward, True, verdict.collision, verdict.clearance)
        return verdict, late or (verdict.terminal and self.flight + 1 == c.flights)

    def _wait_for_answer(self, sense: Sense) -> BodyVelocity | None:
        """Return the policy's command for this look, showing it again as long as none comes."""
        deadline = time.monotonic() + self.config.answer_timeout
        mailbox = self.bridge.mailbox
        while rclpy.ok() and self.flying and not mailbox.errand():
            if answer := mailbox.wait_for_answer(sense.stamp_ns, _RETRY_S):
                return answer
            if time.monotonic() > deadline:
                self.bridge.counts['unanswered_images'] += 1
                self.bridge.get_logger().warning(
                    'No command for an image: hovering', throttle_duration_sec=5.0)
                return None
            self.bridge.publish_depth(sense)
        return None

    def _pass_time(self, velocity: BodyVelocity) -> None:
        """Let one decision's time go by, in lockstep at this velocity, else as last commanded."""
        drone, period = self._drone(), self.config.decision_period
        sensors = self.bridge.sensors
        if self.config.lockstep:
            if self.flying:
                drone.fly(velocity, period)
            drone.step(period)
            sensors.publish_due(drone, (self.now_ns or 0) / 1e9)
            return
        self._stop_if_silent()
        self.next_look = max(self.next_look + period, time.monotonic())
        while (left := self.next_look - time.monotonic()) > 0 and rclpy.ok():
            due = sensors.publish_due(drone, time.monotonic()) - time.monotonic()
            self.bridge.mailbox.sleep(min(left, due))
            if self.bridge.mailbox.errand():
                return

    def _stop_if_silent(self) -> None:
        """Hover once nobody has commanded anything for too long."""
        if self.commanded_ns is None or self.now_ns is None:
            return
        if (self.now_ns - self.commanded_ns) / 1e9 > self.config.command_timeout:
            self.commanded_ns = None
            self._drone().hover()
            self.bridge.counts['silences'] += 1
            self.bridge.get_logger().warning('No commands any more: hovering')

    def _obey(self, errand: str) -> None:
        """Do what a service asked for and report how it went."""
        drone, done = self._drone(), True
        try:
            if errand == 'takeoff':
                done = drone.take_off()
                self.flying = True
            elif errand == 'land':
                self.flying = False
                done = drone.land()
            else:
                self._begin()
        except (RPCError, OSError) as error:
            self.bridge.mailbox.report(str(error))
            raise
        self.bridge.mailbox.report('' if done else f'the simulator gave up the {errand}')

    def _lose(self, error: Exception) -> None:
        """Say that the simulator is gone, and wait a little."""
        kind = 'No simulator' if isinstance(error, OSError) else 'The simulator refuses'
        self.bridge.report(f'{kind}: {error}')
        if self.drone:
            self.bridge.counts['lost_simulators'] += 1
            self.drone.close()
            self.drone = None
        self.bridge.mailbox.report('the simulator is gone')
        time.sleep(_RETRY_S)

    def _leave(self) -> None:
        """Stop the drone, and let the simulator's clock run for whoever comes next."""
        self.bridge.mailbox.close()
        try:
            if self.drone:
                self.drone.hover()
                self.drone.pause(False)
        except (RPCError, OSError):
            pass

    def _drone(self) -> AirSimDrone:
        assert self.drone is not None, 'only _turn and what it calls fly'
        return self.drone
