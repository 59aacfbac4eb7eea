"""What pyproject.toml says, for tools that ask setup.py."""

from setuptools import setup

setup()
