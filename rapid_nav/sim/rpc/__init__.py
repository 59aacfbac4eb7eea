"""The server's side of AirSim's RPC."""
