"""Comparisons of training methods and settings."""
