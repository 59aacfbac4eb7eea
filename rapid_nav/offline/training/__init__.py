"""Training loops, run directories and bags."""
