"""Which processes make a flight or a fleet."""
