"""The algorithm: networks with exits and how they learn; it knows no drone and no game."""
