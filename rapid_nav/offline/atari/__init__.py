"""Atari games as a training environment, with their presets."""
