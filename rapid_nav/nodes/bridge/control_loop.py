"""The loop that flies the drone: observe, hand out the frame, fly its command, observe again."""

from collections.abc import Callable, Generator, Iterator
import contextlib
import threading
import time
from typing import NamedTuple

from rapid_nav.airsim.drone import AirSimDrone, BadImage, RPCError, WrongSimulator
from rapid_nav.airsim.readings import CameraInfo, Sense
from rapid_nav.drone.actions import BodyVelocity
from rapid_nav.drone.episode import Flights, StepResult
from rapid_nav.drone.task import TASKS
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.nodes.bridge.handoff import Handoff, ServiceRequest
from rapid_nav.nodes.bridge.spawn import Spawner
from rapid_nav.nodes.lib.diagnostics import Faults

_RETRY_S = 0.5  # between attempts to reach a lost simulator, or until the policy subscribes
_POLL_S = 0.02
_HOVER = BodyVelocity()
_FAILED = {
    'takeoff': 'it flies already, or did not reach its height',
    'land': 'the ground did not stop it in time',
}


class Frame(NamedTuple):
    """What is to be published of one image."""

    sense: Sense
    camera: CameraInfo
    result: StepResult
    flight: int  # counted from 0
    sequence: int  # image sequence number
    repeated: bool = False  # no command came: only the image that is decided on goes out again


class ControlLoop:
    """
    Flies one drone, flight after flight, and outlives its simulator.

    `frames` runs in the thread that flies; `command` and the attributes may be used from any.
    `running` says whether to go on, `read_sensors` publishes what is due at a time [s] and
    returns when the next is.
    """

    def __init__(
        self,
        config: BridgeConfig,
        handoff: Handoff,
        faults: Faults,
        read_sensors: Callable[[AirSimDrone, float], float],
        running: Callable[[], bool],
    ) -> None:
        self.config, self.handoff, self.faults = config, handoff, faults
        self.read_sensors, self.running = read_sensors, running
        task = TASKS[config.task]
        self.by_pose = task.actions.motion == 'pose'
        self.flights = Flights(
            task.reward, config.cap, config.duration, config.flights, slack=config.period / 2
        )
        self.spawner = Spawner(config)
        self.drone: AirSimDrone | None = None
        self.trouble = ''  # why there is no simulator
        self.sequence = time.time_ns()  # counted on by one; no other bridge counts here
        self.asking_since: float | None = None  # of the simulator, monotonic [s]
        self.waits_for_recorder = False
        self.commanded_at = time.monotonic()  # or when it was not to be commanded, last [s]
        self._flying = threading.Lock()  # between a command and what begins or ends a flight
        self.flying = False  # while it is not, commands are ignored
        self.opened_ns: int | None = None  # stamp of the first image that may be answered
        self.commanded_ns: int | None = None  # the stamp seen last when the last command came
        self.next_frame = 0.0  # [s] of the monotonic clock

    def frames(
        self, recorded: Callable[[], bool], wants_rgb: Callable[[], bool]
    ) -> Generator[Frame, None, None]:
        """
        Yield what is to be published, until the flights are over or `running` says no.

        Nothing is observed before `recorded`. However it ends, the drone hovers then and the
        simulator's clock runs. Raises WrongSimulator if another dialect than AirSim's is spoken.
        """
        over = False
        try:
            while self.running() and not over:
                try:
                    if self.drone is None:
                        self._connect()
                        self._wait_for_recorder(recorded)
                    over = yield from self._turn(wants_rgb)
                except WrongSimulator:
                    raise
                except (RPCError, OSError) as error:
                    time.sleep(_POLL_S)  # all may be told to end, the simulator a moment sooner
                    if self.running():
                        self._lose(error)
        finally:
            self._leave()

    def command(self, stamp_ns: int, velocity: BodyVelocity) -> None:
        """Fly what was decided on the image of this stamp, or in lockstep leave it for frames."""
        with self._flying:
            if not self.flying or self.opened_ns is None or stamp_ns < self.opened_ns:
                self.faults.counts['commands_between_flights'] += 1
                return
            self.commanded_at = time.monotonic()
            if self.config.lockstep:
                self.handoff.put_command(stamp_ns, velocity)
            elif drone := self.drone:
                # The loop meets the same trouble, and reports it.
                with contextlib.suppress(RPCError, OSError):
                    self._fly(drone, velocity, self.config.command_timeout)
                    self.commanded_ns = self.flights.now_ns

    def _connect(self) -> None:
        self.drone = self.config.connect()
        self.drone.pause(self.config.lockstep)
        self._begin()
        self.camera = self.drone.camera_info()
        self.trouble = ''

    def _wait_for_recorder(self, recorded: Callable[[], bool]) -> None:
        self.waits_for_recorder = True
        while self.running() and not recorded():
            time.sleep(_POLL_S)
        self.waits_for_recorder = False
        self.commanded_at = time.monotonic()

    def _ground(self) -> None:
        """Take no commands any more."""
        with self._flying:
            self.flying, self.opened_ns, self.commanded_ns = False, None, None

    def _launch(self) -> None:
        """Take commands, but only those that answer images yet to come."""
        with self._flying:
            self.flying, self.opened_ns, self.commanded_ns = True, None, None
        self.commanded_at = time.monotonic()

    def _begin(self) -> None:
        """Start the next flight, in the air."""
        self._ground()
        self.flights.begin()
        self.spawner.begin(self._drone(), self.flights.number)
        self._launch()

    def _turn(self, wants_rgb: Callable[[], bool]) -> Generator[Frame, None, bool]:
        """Yield one image and fly on; return whether all is over."""
        self.sequence += 1
        if request := self.handoff.begin_request():
            self._serve(request)
            self.sequence += 1  # no action led here
        try:
            with self._asking():
                sense = self._drone().sense(rgb=wants_rgb())
        except BadImage as error:
            self.faults.add('bad_images', f'Bad image: {error}')
            self._pass_time(_HOVER)
            return False
        assert sense.depth is not None, 'it was asked for'
        result, over = self.flights.step(
            sense.stamp_ns, sense.depth, sense.position, sense.collided and self.flying
        )
        with self._flying:
            if self.flying and self.opened_ns is None:
                self.opened_ns = sense.stamp_ns
        frame = Frame(sense, self.camera, result, self.flights.number, self.sequence)
        yield frame
        velocity = (yield from self._wait_for_command(frame)) if self.config.lockstep else _HOVER
        if not result.terminal:
            self._pass_time(velocity)
        elif not over:
            self._begin()
        return over

    def _wait_for_command(self, frame: Frame) -> Generator[Frame, None, BodyVelocity]:
        """Return the command for a frame, yielding it again as long as there is none."""
        deadline = time.monotonic() + self.config.answer_timeout
        while self.running() and self.flying and not self.handoff.has_request():
            if command := self.handoff.wait_for_command(frame.sense.stamp_ns, _RETRY_S):
                return command
            if time.monotonic() > deadline:
                self.faults.add('unanswered_images', 'No command for an image: hovering')
                break
            yield frame._replace(repeated=True)
        return _HOVER

    def _pass_time(self, velocity: BodyVelocity) -> None:
        """Let one decision's time go by, in lockstep at this velocity, else as last commanded."""
        drone, period = self._drone(), self.config.period
        if self.config.lockstep:
            if self.flying:
                self._fly(drone, velocity, period)
            with self._asking():
                drone.step(period)
            self.read_sensors(drone, (self.flights.now_ns or 0) / 1e9)
            return
        self._stop_if_silent()
        self.next_frame = max(self.next_frame + period, time.monotonic())
        while (left := self.next_frame - time.monotonic()) > 0 and self.running():
            due = self.read_sensors(drone, time.monotonic()) - time.monotonic()
            self.handoff.sleep(min(left, due))
            if self.handoff.has_request():
                return

    def _fly(self, drone: AirSimDrone, velocity: BodyVelocity, duration_s: float) -> None:
        """Fly at a velocity, or go at once where it would lead until the next image."""
        if self.by_pose:
            drone.move(velocity, self.config.period)
            velocity = _HOVER  # there; AirSim's own hovering might draw it back
        drone.fly(velocity, duration_s)

    def _stop_if_silent(self) -> None:
        """Hover once the last command is too old."""
        with self._flying:
            now_ns, last_ns = self.flights.now_ns, self.commanded_ns
            if now_ns is None or last_ns is None:
                return
            if (now_ns - last_ns) / 1e9 > self.config.command_timeout:
                self.commanded_ns = None
                self._drone().hover()
                self.faults.counts['silences'] += 1

    def _serve(self, request: ServiceRequest) -> None:
        """Do what a service asked for, and answer it."""
        drone, done = self._drone(), True
        try:
            if request.name == 'reset':
                self._begin()
            elif request.name == 'land':
                self._ground()
                done = drone.land()
            else:
                done = drone.sense(depth=False).landed and drone.take_off()
                self._launch()
        except (RPCError, OSError) as error:
            self.handoff.finish(request, str(error))
            raise
        self.handoff.finish(request, '' if done else _FAILED[request.name])

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        self.asking_since = time.monotonic()
        try:
            yield
        finally:
            self.asking_since = None

    def _lose(self, error: Exception) -> None:
        """Note that the simulator is gone, and wait a little."""
        self._ground()
        kind = 'No simulator' if isinstance(error, OSError) else 'The simulator refuses'
        self.trouble = f'{kind}: {error}'
        if self.drone:
            self.faults.counts['lost_simulators'] += 1
            self.drone.close()
            self.drone = None
        self.handoff.fail('the simulator is gone')
        time.sleep(_RETRY_S)

    def _leave(self) -> None:
        """Stop the drone, and let the simulator's clock run for the next client."""
        self._ground()
        self.handoff.close()
        if self.drone:
            with contextlib.suppress(RPCError, OSError):
                self.drone.hover()
                self.drone.pause(False)
            self.drone.close()

    def _drone(self) -> AirSimDrone:
        assert self.drone is not None, 'only a connected loop flies'
        return self.drone
