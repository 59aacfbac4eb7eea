"""MinAtar games as a training environment."""
