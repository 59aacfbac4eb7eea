"""The clock of AirSim's physics; decisions and commands last a whole number of its steps."""

PHYSICS_STEP = 0.003
"""[s]"""
PHYSICS_STEP_NS = 3_000_000
"""[ns]"""
