"""What the vehicles measure."""
