"""The embedded simulator behind AirSim's RPC. Its world is in NED."""
