"""What the viewer and the markers are made of."""
