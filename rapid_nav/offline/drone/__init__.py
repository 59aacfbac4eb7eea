"""The drone as a training environment, with its presets."""
