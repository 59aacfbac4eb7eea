"""The client's side of AirSim: its RPC, its images and a drone that flies."""
