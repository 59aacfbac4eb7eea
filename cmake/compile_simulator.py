"""Have numba compile the simulator now, so that no flight has to wait for it."""

import sys


def main() -> None:
    """Start a simulator, which compiles it, and stop it again."""
    from rapid_nav.sim.server import Server
    from rapid_nav.sim.worlds.world import make_world

    Server(make_world('corridor', 0), port=0).start().stop()


if __name__ == '__main__':
    sys.path.pop(0)  # this folder, which the installed package does not lie in
    main()
