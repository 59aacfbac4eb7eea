"""AirSim's RPCs for the connection and the clock."""

from concurrent.futures import Future

from rapid_nav.sim.airsim_settings import Settings
from rapid_nav.sim.engine import Engine, FRAME_STEPS, LONGEST_RUN
from rapid_nav.sim.rpc.arguments import boolean, integer, number, rpc
from rapid_nav.simulated_time import PHYSICS_STEP


class TimeMethods:
    """The connection and the clock."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings

    @rpc()
    def ping(self) -> bool:
        return True

    @rpc()
    def getServerVersion(self) -> int:
        return 1

    @rpc()
    def getMinRequiredClientVersion(self) -> int:
        return 1

    @rpc()
    def getSettingsString(self) -> str:
        return self._settings.text

    @rpc()
    def listVehicles(self) -> list[str]:
        with self._engine.lock:
            return list(self._engine.vehicles)

    @rpc(boolean)
    def simPause(self, paused: bool) -> None:
        self._engine.pause(paused)

    @rpc()
    def simIsPaused(self) -> bool:
        with self._engine.lock:
            return self._engine.paused

    @rpc(number)
    def simContinueForTime(self, seconds: float) -> Future[None]:
        return self._run(round(seconds / PHYSICS_STEP))

    @rpc(integer)
    def simContinueForFrames(self, frames: int) -> Future[None]:
        return self._run(frames * FRAME_STEPS)

    def _run(self, steps: int) -> Future[None]:
        if not 0 <= steps <= LONGEST_RUN / PHYSICS_STEP:
            raise ValueError(
                f'{steps * PHYSICS_STEP:g} s; one call may ask for 0 to {LONGEST_RUN:g} s'
            )
        return self._engine.run(steps)

    @rpc()
    def reset(self) -> None:
        self._engine.reset()
