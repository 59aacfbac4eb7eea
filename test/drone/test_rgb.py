"""Colour images are made small as everybody does it, and black ones are not flown by."""

import numpy as np
import pytest

from rapid_nav.drone.rgb import BadRgb, check_rgb, resize


@pytest.mark.parametrize('size', [(103, 103), (36, 64), (180, 320), (200, 400)])
def test_resizing_is_opencvs(size):
    cv2 = pytest.importorskip('cv2')
    picture = np.random.default_rng(0).integers(0, 256, (180, 320, 3), np.uint8)
    theirs = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(resize(picture, *size).astype(int) - theirs).max() <= 1


def test_a_plain_colour_stays_what_it_is():
    picture = np.full((180, 320, 3), (10, 200, 255), np.uint8)
    assert (resize(picture, 103, 103) == (10, 200, 255)).all()


@pytest.mark.parametrize(
    ('picture', 'why'),
    [
        (np.zeros((4, 4, 3), np.uint8), 'all black'),
        (np.zeros((0, 0, 3), np.uint8), 'empty'),
        (np.ones((4, 4), np.uint8), 'no colour image'),
        (np.ones((4, 4, 3), np.float32), 'no colour image: float32'),
    ],
)
def test_what_must_not_be_flown_by_is_refused(picture, why):
    with pytest.raises(BadRgb, match=why):
        check_rgb(picture)
