"""Which images are flown by, by their stamps and their pixels."""

import numpy as np
import pytest

from rapid_nav.nodes.deciding.decision_maker import PolicyConfig
from rapid_nav.nodes.deciding.image_check import ImageCheck, Refusal

SCENE = np.linspace(1.0, 9.0, 64, dtype=np.float32).reshape(8, 8)
S = 10**9  # [ns]


def frozen_from(pixels: np.ndarray, period: float, frozen_after: float = 1.0) -> float | None:
    """Show one picture for 10 s under fresh stamps; return when it is first refused, for good."""
    check = ImageCheck(PolicyConfig(frozen_after=frozen_after, max_age=0.5))
    refused = []
    for stamp in np.arange(0.0, 10.0, period):
        try:
            check.pixels(pixels.copy(), round(stamp * S))
            check.newest = round(stamp * S)
            assert not refused, 'a camera that is frozen stays so'
        except Refusal as refusal:
            assert refusal.kind == 'frozen_images'
            refused.append(float(stamp))
    return refused[0] if refused else None


def test_the_same_pixels_are_a_frozen_camera_after_a_time_and_for_good() -> None:
    assert frozen_from(SCENE, 0.1) == pytest.approx(1.1)
    assert frozen_from(SCENE, 0.1, frozen_after=3.0) == pytest.approx(3.1)


def test_a_picture_of_one_value_and_a_disabled_check_never_are() -> None:
    assert frozen_from(np.full((8, 8), np.inf, np.float32), 0.1) is None
    assert frozen_from(SCENE, 0.1, frozen_after=0.0) is None


def test_a_camera_that_pauses_begins_anew() -> None:
    assert frozen_from(SCENE, 0.6) is None


@pytest.mark.parametrize(
    'stamp, now, kind',
    [
        (9.0, 10.0, 'stale_images'),
        (11.0, 10.0, 'future_images'),
        (10.0 + 3600.0, 10.0, 'future_images'),
        (9.9, 10.2, 'backward_images'),
    ],
)
def test_a_stamp_that_does_not_go_on_is_refused(stamp: float, now: float, kind: str) -> None:
    check = ImageCheck(PolicyConfig())
    check.newest = 10 * S
    with pytest.raises(Refusal) as refusal:
        check.stamp(round(stamp * S), round(now * S), simulated=False)
    assert refusal.value.kind == kind


@pytest.mark.parametrize('stamp, now', [(10.0, 10.3), (10.1, 10.0), (2.0, 2.1)])
def test_fresh_repeated_and_restarted_stamps_are_taken(stamp: float, now: float) -> None:
    check = ImageCheck(PolicyConfig())
    check.newest = 10 * S
    check.stamp(round(stamp * S), round(now * S), simulated=True)
