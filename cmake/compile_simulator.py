"""Have numba compile the simulator now, so that no flight has to wait for it."""

import sys

sys.path.remove(sys.path[0])  # this folder
from rapid_nav.sim.server import Server
from rapid_nav.sim.world import make_world

Server(make_world('corridor', 0), port=0).start().stop()
