"""What the AirSim bridge is made of."""
