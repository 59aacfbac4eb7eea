"""The simulation's clock: steps the physics, free or on demand, and runs the motions on it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
import contextlib
from dataclasses import replace
import logging
import math
import threading
import time
from typing import Any

import numpy as np

from rapid_nav.sim import spawn
from rapid_nav.sim.airsim_settings import Settings
from rapid_nav.sim.physics import dynamics
from rapid_nav.sim.realtime_clock import RealtimeClock
from rapid_nav.sim.render.camera import depth_and_color, render_depth
from rapid_nav.sim.render.views import make_views
from rapid_nav.sim.rpc.arguments import Pose
from rapid_nav.sim.vehicle import GRACE, Motion, Task, Vehicle
from rapid_nav.sim.worlds.primitives import Primitive
from rapid_nav.sim.worlds.world import pack, World
from rapid_nav.simulated_time import PHYSICS_STEP, PHYSICS_STEP_NS

FRAME_STEPS = 6  # of simContinueForFrames: at 60 frames a second
LONGEST_RUN = 1000.0  # [s] that one simContinueForTime may ask for
_STRIDE = 7  # steps between two updates of contacts and sensors' histories: 21 ms

log = logging.getLogger(__name__)
Edit = Callable[[tuple[Primitive, ...], np.ndarray], tuple[Sequence[Primitive], np.ndarray] | None]


class Engine:
    """
    A world with vehicles in it, and the thread that lets time pass.

    `lock` guards everything: hold it to read or write vehicles, state or world.
    """

    def __init__(self, world: World, settings: Settings, seed: int, start_ns: int) -> None:
        self.settings, self.seed, self.start_ns = settings, seed, start_ns
        self.lock = threading.RLock()
        self._changed = threading.Condition(self.lock)
        self._editing = threading.Lock()  # of the world; never taken while `lock` is held
        self.steps = 0  # since start_ns
        self.paused = False
        self._runs: list[tuple[int, Future[None]]] = []  # steps to go, and their end
        self._stopping = False
        self.fault: Exception | None = None  # that ended the thread
        self.on_fault: Callable[[], object] = lambda: None  # called by the thread as it ends
        self._thread = threading.Thread(target=self._live, name='physics', daemon=True)
        self._realtime = RealtimeClock(settings.clock_speed / PHYSICS_STEP)
        self.vehicles: dict[str, Vehicle] = {}
        self.load(world)

    def load(self, world: World) -> None:
        """Put every vehicle at a start of another world."""
        scenes, ids = pack([world]), world.segmentation_ids
        with self._editing, self.lock:
            for vehicle in self.vehicles.values():
                self._drop(vehicle)
            self.world, self.scenes, self.ids = world, scenes, ids  # ids (P,) of each primitive
            self._starts = np.array(
                [
                    spawn.start(self.scenes, world.start_poses, number, about.start)
                    for number, about in enumerate(self.settings.vehicles.values())
                ]
            )  # (V, 4)
            self.state = dynamics.make_state(self._starts)
            self.goal = dynamics.make_goal(len(self._starts))
            self._scene_index = np.zeros(len(self._starts), np.int64)
            self.vehicles = {
                name: Vehicle(name, row, about, self.state, self.goal, self.steps)
                for row, (name, about) in enumerate(self.settings.vehicles.items())
            }
            for vehicle in self.vehicles.values():
                self._settle(vehicle)

    def reset(self) -> None:
        """Put every vehicle back to its start; control and contacts are forgotten."""
        with self.lock:
            for vehicle in self.vehicles.values():
                self._restart(vehicle, False)

    def _restart(self, vehicle: Vehicle, outcome: bool | Exception) -> None:
        """Put a vehicle back to its start; its motion ends with an outcome."""
        self._drop(vehicle, outcome)
        vehicle.reset(self.steps)
        row = slice(vehicle.row, vehicle.row + 1)
        dynamics.reset_rows(self.state, [vehicle.row], self._starts[row])
        self._settle(vehicle)

    def _settle(self, vehicle: Vehicle) -> None:
        """Leave a vehicle that starts on the ground there, motors at rest; others hold."""
        row = vehicle.row
        self.state.grounded[row] = spawn.stands(self.scenes, self._starts[row, :3])
        if vehicle.landed:
            self.state.rotors[row] = 0.0
        else:
            vehicle.hold()

    def edit(self, change: Edit) -> bool:
        """
        Replace what the world is made of, while vehicles stay where they are.

        `change` is given the primitives and their ids (P,) and returns new ones, or None to leave
        them. It runs without `lock`, so that a large world delays no other method.
        """
        with self._editing:
            changed = change(self.world.primitives, self.ids)
            if changed is None:
                return False
            world = replace(self.world, primitives=tuple(changed[0]))
            scenes, ids = pack([world]), changed[1].astype(np.uint8)
            with self.lock:
                self.world, self.scenes, self.ids = world, scenes, ids
        return True

    @property
    def now_ns(self) -> int:
        """The simulated time [ns]."""
        return self.start_ns + self.steps * PHYSICS_STEP_NS

    def vehicle(self, name: str) -> Vehicle:
        """Return a vehicle, the first one for '', or raise LookupError."""
        if not name:
            return next(iter(self.vehicles.values()))
        found = self.vehicles.get(name)
        if found is None:
            raise LookupError(f'Vehicle API for {name!r:.100} is not available')
        return found

    @contextlib.contextmanager
    def locked(self, name: str) -> Iterator[Vehicle]:
        """Hold the lock and give a vehicle, the first one for ''; LookupError if none is."""
        with self.lock:
            yield self.vehicle(name)

    def warm_up(self) -> None:
        """Have the physics and the camera compiled (or read from numba's cache) by now."""
        eye = self._starts[:1, :3], np.array([[1.0, 0.0, 0.0, 0.0]])
        depth_and_color(make_views(self.scenes, 0, *eye, 8, 4, math.pi / 2))
        render_depth(self.scenes, 0, *eye, 8, 4, math.pi / 2)
        state = dynamics.make_state(self._starts[:1])
        dynamics.step(state, dynamics.make_goal(1), self.scenes, np.zeros(1, np.int64), 1)

    def place(self, vehicle: Vehicle, there: Pose, through: bool = True) -> None:
        """Teleport a vehicle, through what is in the way or only up to it."""
        if not through:
            there = spawn.reachable(self.scenes, vehicle.position, there, vehicle.origin)
        target = np.where(np.isnan(there.position), vehicle.position, there.position)
        vehicle.place(there, spawn.stands(self.scenes, target + vehicle.origin))

    def start(self) -> None:
        """Let time pass."""
        self._thread.start()

    def stop(self) -> None:
        """Stop time for good; every motion and run ends."""
        with self.lock:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        with self.lock:
            self._abandon_runs()
            for vehicle in self.vehicles.values():
                self._drop(vehicle)

    def pause(self, paused: bool) -> None:
        """Stop the free clock, or let it go on; a run under way ends now."""
        with self.lock:
            self.paused = paused
            self._realtime.restart()
            self._abandon_runs()
            self._changed.notify_all()

    def run(self, steps: int) -> Future[None]:
        """Pause after exactly `steps` steps; the Future ends with them."""
        ended: Future[None] = Future()
        with self.lock:
            self.paused = True
            if steps <= 0:
                ended.set_result(None)
            else:
                self._runs.append((steps, ended))
                self._changed.notify_all()
        return ended

    def begin(self, vehicle: Vehicle, motion: Motion) -> Future[bool]:
        """Start a motion, ending the vehicle's last one; the Future tells whether it arrived."""
        with self.lock:
            self._drop(vehicle)
            task = vehicle.task = Task(motion, Future(), self.steps)
            self._continue(vehicle, task)
            return task.ended

    def cancel(self, vehicle: Vehicle) -> None:
        """End a vehicle's motion with the outcome False."""
        with self.lock:
            if vehicle.task:
                self._drop(vehicle)
                vehicle.end(self.steps, round(GRACE / PHYSICS_STEP))

    def _drop(self, vehicle: Vehicle, outcome: bool | Exception = False) -> None:
        task, vehicle.task = vehicle.task, None
        if task:
            task.motion.close()
            _resolve(task.ended, outcome)

    def _continue(self, vehicle: Vehicle, task: Task) -> None:
        """Continue a motion until it next waits or ends."""
        try:
            task.due += next(task.motion)
            return
        except StopIteration as stop:
            outcome: bool | Exception = bool(stop.value)
        except Exception as error:
            outcome = error
        vehicle.task = None
        vehicle.end(self.steps, round(GRACE / PHYSICS_STEP))
        _resolve(task.ended, outcome)

    def _abandon_runs(self) -> None:
        for _, ended in self._runs:
            _resolve(ended, None)
        self._runs.clear()

    def _live(self) -> None:
        try:
            while not self._stopping:
                with self.lock:
                    steps, wait = self._wanted()
                    if steps:
                        self._advance(steps)
                    else:
                        self._changed.wait(wait)
                if steps:
                    time.sleep(0)  # else this thread would have the lock again before any other
        except Exception as error:
            log.exception('the physics cannot go on')
            self.fault = error
            self.on_fault()

    def _wanted(self) -> tuple[int, float | None]:
        """Return how many steps to make now, or else how long to wait [s]."""
        if self._runs:
            return min(self._runs[0][0], _STRIDE), None
        if self.paused:
            return 0, None
        steps, wait = self._realtime.due(self.steps)
        return min(steps, _STRIDE), wait

    def _advance(self, steps: int) -> None:
        if self._runs:
            left, ended = self._runs[0]
            self._runs[0] = left - steps, ended
        end = self.steps + steps
        while self.steps < end:
            to = max(min(end, self._next_event()), self.steps + 1)
            dynamics.step(self.state, self.goal, self.scenes, self._scene_index, to - self.steps)
            self.steps = to
            for vehicle in self.vehicles.values():
                self._attend(vehicle)
        if self._runs and self._runs[0][0] <= 0:
            _resolve(self._runs.pop(0)[1], None)

    def _next_event(self) -> int:
        """Return the step at which a motion is due, or an order expires."""
        wanted = [(self.steps // _STRIDE + 1) * _STRIDE]
        wanted += [vehicle.hold_at for vehicle in self.vehicles.values()]
        wanted += [_due(v.task) for v in self.vehicles.values() if v.task]
        return min(wanted)

    def _attend(self, vehicle: Vehicle) -> None:
        if vehicle.lost:
            log.error('the state of vehicle %s is no longer finite; it is reset', vehicle.name)
            what = f'the state of vehicle {vehicle.name} was no longer finite; it was reset'
            self._restart(vehicle, RuntimeError(what))
        vehicle.note_contact(self.now_ns)
        if self.steps % _STRIDE == 0:
            vehicle.remember(self.steps)
        while vehicle.task and _due(vehicle.task) <= self.steps:
            self._continue(vehicle, vehicle.task)
        if vehicle.hold_at <= self.steps:
            vehicle.hold()


def _due(task: Task) -> int:
    return task.began + round(task.due / PHYSICS_STEP)


def _resolve(future: Future[Any], outcome: object) -> None:
    """Set a result or an exception, unless the client that waited for it has gone."""
    with contextlib.suppress(InvalidStateError):
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
