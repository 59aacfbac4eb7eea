"""Where a flight begins: at the start of the next world, or where the first one began."""

from rapid_nav.airsim.drone import AirSimDrone
from rapid_nav.airsim.readings import Pose
from rapid_nav.drone.seeds import seed_of_flight
from rapid_nav.nodes.bridge.config import BridgeConfig
from rapid_nav.world_names import split_names


class Spawner:
    """Puts a drone at the start of each flight, across reconnections."""

    def __init__(self, config: BridgeConfig) -> None:
        self.config = config
        self.home: Pose | None = None  # where the first flight began, in the air

    def begin(self, drone: AirSimDrone, flight: int) -> None:
        """Have the drone hover at the start of a flight, counted from 0."""
        if len(drone.vehicles()) > 1:
            self._go_home(drone)  # the others fly on
        else:
            worlds = split_names(self.config.world)
            seed = seed_of_flight(self.config.seed, flight)
            if not worlds or not drone.new_world(worlds[flight % len(worlds)], seed):
                drone.reset()
        if self.config.lockstep:
            drone.pause(True)
        if drone.sense(depth=False).landed:
            drone.take_off()
        drone.hover()
        if not self.home:
            here = drone.sense(depth=False)
            self.home = Pose(here.position, here.orientation)

    def _go_home(self, drone: AirSimDrone) -> None:
        drone.arm()
        if self.home:
            drone.hover()
            drone.set_pose(self.home)
