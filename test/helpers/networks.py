"""A network of three exits, so that tests see branches hand over to each other."""

from rapid_nav.inference.network_config import Conv, Stage

THREE_EXITS = (
    Stage((Conv(8, 4, 4),), hidden=32, source='input', doubt=16),
    Stage((Conv(24, 3, 2, 1),), hidden=48),
    Stage((Conv(16, 5, 2, 2), Conv(32, 3, 2, 1), Conv(64, 3, 2, 1)), 128, source='input'),
)
