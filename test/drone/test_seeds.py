"""Seeds that train are never those that judge, choose or calibrate."""

from hypothesis import given
from hypothesis import strategies as st
import pytest

from rapid_nav.drone.seeds import (
    CALIBRATION,
    CALIBRATION_CHECK,
    check_training_seed,
    seed_of_flight,
    TEST,
    TRAINING,
    training_seed,
    VALIDATION,
)

SPLITS = (TRAINING, TEST, VALIDATION, CALIBRATION, CALIBRATION_CHECK)


def test_no_seed_lies_in_two_splits() -> None:
    assert sum(map(len, SPLITS)) == len({seed for split in SPLITS for seed in split})


@given(first=st.sampled_from(SPLITS).flatmap(st.sampled_from), flight=st.integers(0, 10**9))
def test_a_flight_stays_in_the_split_that_the_first_one_began_in(first: int, flight: int) -> None:
    (split,) = (split for split in SPLITS if first in split)
    assert seed_of_flight(first, flight) in split


def test_flights_take_one_seed_after_the_other() -> None:
    assert [seed_of_flight(9_998, flight) for flight in range(4)] == [9_998, 9_999, 0, 1]
    assert [seed_of_flight(70_000, flight) for flight in range(2)] == [70_000, 70_001]


@given(first=st.sampled_from(TRAINING), count=st.integers(1, 16))
def test_learners_begin_at_different_training_seeds(first: int, count: int) -> None:
    begun = {training_seed(first, index, count) for index in range(count)}
    assert len(begun) == count and begun <= set(TRAINING)


@pytest.mark.parametrize('seed', [-1, 10_000, 20_000])
def test_a_held_out_seed_is_refused_for_training(seed: int) -> None:
    with pytest.raises(
        ValueError, match=f'seed {seed} is held out: training uses seeds 0 to 9999'
    ):
        check_training_seed(seed)
