"""What a flight is worth: free space ahead, new ground covered, and no crash."""

from dataclasses import dataclass

import numpy as np

from rapid_nav.options import check, setting


@dataclass(frozen=True)
class RewardConfig:
    """The reward's weights; ``pedra()`` has those of PEDRA."""

    clearance: float = setting(0.1, 'Weight of the clearance ahead.', low=0.0)
    new_ground: float = setting(0.1, 'Reward of each new 1 m cell of the floor.', low=0.0)
    crash: float = setting(-1.0, 'Reward of a collision.', high=0.0)
    depth_clip: float = setting(
        19.6, 'Depth from which on the way counts as free.', unit='m', low=0.1
    )
    near: float = setting(
        0.0, 'Share of depth_clip below which a clearance counts as a crash.', low=0.0, high=1.0
    )

    def __post_init__(self) -> None:
        check(self)


def pedra() -> RewardConfig:
    """Return PEDRA's own reward: the clearance, or -1 and the end when it is below 1.37 m."""
    return RewardConfig(clearance=1.0, new_ground=0.0, near=0.07)


def clearance(depth: np.ndarray, depth_clip: float) -> np.ndarray:
    """
    Return PEDRA's clearance in [0, 1] of each depth image (..., H, W) [m].

    The mean of the nearest 5 % of a central window that narrows as the view opens: its side is
    the image's divided by n = max(50 * mean scaled depth / 3, 1), and it stands a little above
    the middle.
    """
    scaled = np.minimum(depth, depth_clip) / depth_clip
    height, width = depth.shape[-2:]
    images = scaled.reshape(-1, height, width)
    result = np.empty(len(images))
    for index, image in enumerate(images):
        n = max(50.0 * float(image.mean()) / 3.0, 1.0)
        rows, columns = max(int(height / n), 1), max(int(width / n), 1)
        top = max((height - rows) // 2 - rows // 8, 0)
        left = (width - columns) // 2
        window = image[top : top + rows, left : left + columns].ravel()
        count = max(round(0.05 * window.size), 1)
        result[index] = np.partition(window, count - 1)[:count].mean()
    return result.reshape(depth.shape[:-2])


def reward(
    config: RewardConfig, depth: np.ndarray, collided: np.ndarray, new_cells: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """
    Return the rewards (B,) and whether each flight is over (B,).

    ``depth`` (B, H, W) [m] is what is seen after the action, ``new_cells`` (B,) how many 1 m
    cells of the floor were entered for the first time in this flight.
    """
    free = clearance(depth, config.depth_clip)
    terminal = collided | (free < config.near)
    value = config.clearance * free + config.new_ground * new_cells
    return np.where(terminal, config.crash, value).astype(np.float32), terminal
