"""Which images are flown by: fresh ones, in the order of their stamps, of a camera that lives."""

import numpy as np

from rapid_nav.nodes.deciding.decision_maker import PolicyConfig


class Refusal(ValueError):
    """An image that must not be flown by; `kind` is the name of its count."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class ImageCheck:
    """Remembers the images of a flight, and refuses those that do not go on from them."""

    def __init__(self, config: PolicyConfig) -> None:
        self.config = config
        self.newest: int | None = None  # stamp of the newest image that was decided on [ns]
        self._pixels: np.ndarray | None = None  # that were seen last
        self._seen = 0  # their stamp [ns]
        self._changed = 0  # stamp of the first image with these pixels [ns]

    def stamp(self, stamp: int, now: int, simulated: bool) -> None:
        """Raise Refusal for an image whose stamp [ns] is too old, too new, or before the last."""
        age = (now - stamp) / 1e9
        hint = '' if simulated else '; if a simulator tells the time, set use_sim_time'
        if age > self.config.max_age:
            raise Refusal('stale_images', f'the image is {age:.1f} s old{hint}')
        if -age > self.config.max_ahead:
            raise Refusal('future_images', f'the image is stamped {-age:.1f} s ahead{hint}')
        back = 0.0 if self.newest is None else (self.newest - stamp) / 1e9
        if 0.0 < back <= self.config.max_age:  # by more: the clock itself was set back
            raise Refusal('backward_images', f'the image is {back:.3f} s before the last one')

    def pixels(self, pixels: np.ndarray, stamp: int) -> None:
        """
        Raise Refusal if nothing has changed in a picture for longer than a camera's may.

        A picture of one value, as open sky in a depth image, may stay.
        """
        paused = abs(stamp - self._seen) > self.config.max_age * 1e9
        self._seen = stamp
        if self._pixels is None or paused or not np.array_equal(pixels, self._pixels):
            self._pixels, self._changed = pixels, stamp
            return
        still = (stamp - self._changed) / 1e9
        if 0.0 < self.config.frozen_after < still and pixels.min() != pixels.max():
            raise Refusal(
                'frozen_images', f'frozen camera, the same {pixels.size} values for {still:.1f} s'
            )

    def begins(self, stamp: int) -> bool:
        """Return whether an image is the first of a flight: long after the last, or before it."""
        return self.newest is None or abs(stamp - self.newest) > self.config.max_age * 1e9
