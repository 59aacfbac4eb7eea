"""Rigid-body dynamics, the flight controller and contacts."""
