"""The client's side of AirSim: its wire, its images and a drone that flies."""
