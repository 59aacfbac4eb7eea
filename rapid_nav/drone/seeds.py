"""The split of seeds, of worlds and of games, between training, selection and evaluation."""

from typing import Final

SPLIT_SIZE: Final = 10_000
TRAINING: Final = range(SPLIT_SIZE)
"""Seeds that learning sees."""
TEST: Final = range(SPLIT_SIZE, 2 * SPLIT_SIZE)
"""Seeds that figures in reports come from."""
VALIDATION: Final = range(2 * SPLIT_SIZE, 3 * SPLIT_SIZE)
"""Seeds that choose thresholds and operating points."""
CALIBRATION: Final = range(3 * SPLIT_SIZE, 4 * SPLIT_SIZE)
"""Seeds whose flights bound a risk."""
CALIBRATION_CHECK: Final = range(4 * SPLIT_SIZE, 5 * SPLIT_SIZE)
"""Seeds that check whether a bound holds on flights that it was not made from."""

_SPLITS: Final = (TRAINING, TEST, VALIDATION, CALIBRATION, CALIBRATION_CHECK)


def check_training_seed(seed: int) -> int:
    """Return a seed to train with; ValueError if it is held out."""
    if seed not in TRAINING:
        raise ValueError(
            f'seed {seed} is held out: training uses seeds {TRAINING.start} to {TRAINING[-1]}, '
            'the others test, validate and calibrate'
        )
    return seed


def training_seed(first: int, index: int, count: int) -> int:
    """Return where learner `index` of `count` begins, so that their training seeds lie apart."""
    spread = index * (SPLIT_SIZE // count)
    return TRAINING[(check_training_seed(first) + spread) % SPLIT_SIZE]


def seed_of_flight(first: int, flight: int) -> int:
    """
    Return the seed of a flight, counted from 0: the next after `first` for each, in its split.

    After the last seed of a split its first one follows, so that a long run never flies in
    held-out worlds. Seeds beyond all splits just count on.
    """
    split = next((one for one in _SPLITS if first in one), None)
    if split is None:
        return first + flight
    return split[(first - split.start + flight) % len(split)]
