"""The assembler: in whatever order messages come, no transition mixes flights or drones."""

from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np

from rapid_nav.drone.transition_assembler import (
    AssemblerConfig,
    StepOutcome,
    Trajectory,
    TransitionAssembler,
)

PERIOD = 102_000_000  # [ns]
HISTORY = 3
NUM_ACTIONS = 200
CONFIG = AssemblerConfig(max_pending=6, max_transitions=8)


class Truth(NamedTuple):
    """An image as it was."""

    drone: str
    stamp: int
    frame: np.ndarray  # (1, 4) uint8, no two alike
    action: int
    outcome: StepOutcome
    run: int  # of the simulator


@st.composite
def fleets(draw, apart: bool = False) -> dict[str, list[Truth]]:
    """Draw what some drones did: flights of any length, and simulators that began anew."""
    fleet, count = {}, 0
    for drone in ('red', 'blue')[: draw(st.integers(1, 2))]:
        fleet[drone] = []
        # Later runs may begin earlier: the clock of a simulator begins where it likes.
        starts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3, unique=apart))
        starts = sorted(starts, reverse=draw(st.booleans())) if apart else starts
        for run, start in enumerate(starts):
            stamp = start * 10**12 + run
            number = 10**9 * run  # of a bridge, which counts on from a number of its own
            for flight in range(draw(st.integers(1, 3))):
                length = draw(st.integers(1, 25))
                crash = draw(st.booleans())
                for k in range(length):
                    last = k == length - 1
                    frame = np.array([[count % 256, count // 256, len(drone), run]], np.uint8)
                    fleet[drone].append(
                        Truth(
                            drone,
                            stamp,
                            frame,
                            count % 25,
                            StepOutcome(float(count), last, last and crash, flight, number),
                            run,
                        )
                    )
                    stamp, number, count = stamp + PERIOD, number + 1, count + 1
    return fleet


def told(fleet: dict[str, list[Truth]]) -> list[tuple[Truth, str]]:
    """Return the three messages of every image, drone by drone turn about."""
    longest = max(map(len, fleet.values()))
    return [
        (images[k], part)
        for k in range(longest)
        for images in fleet.values()
        if k < len(images)
        for part in ('frame', 'action', 'outcome')
    ]


def unknown(images: list[Truth]) -> set[int]:
    """Return those in whose stack may lie what nobody received of: the first ones of every run."""
    firsts = [k for k, image in enumerate(images) if k == 0 or image.run != images[k - 1].run]
    return {
        k
        for first in firsts
        for k in range(first, first + HISTORY - 1)
        if k < len(images) and images[k].outcome.flight == images[first].outcome.flight
    }


def assemble(messages: list[tuple[Truth, str]]) -> tuple[TransitionAssembler, list[Trajectory]]:
    """Join them in this order."""
    assembler, trajectories = TransitionAssembler(HISTORY, NUM_ACTIONS, CONFIG), []
    for image, part in messages:
        drone = assembler.drone(image.drone)
        trajectories += drone.add(image.stamp, **{part: getattr(image, part)})
        assert len(drone.pending) <= CONFIG.max_pending
        assert len(drone.chain) <= CONFIG.max_transitions + HISTORY
    return assembler, trajectories + list(assembler.flush())


def check(fleet: dict[str, list[Truth]], trajectories: list[Trajectory]) -> set[tuple[str, int]]:
    """Hold every trajectory against the truth; return the images learned from."""
    learned = set()
    for trajectory in trajectories:
        images = fleet[trajectory.drone]
        at = {image.frame.tobytes(): k for k, image in enumerate(images)}
        first = at[trajectory.frames[0].tobytes()]
        seen = images[first : first + len(trajectory.frames)]
        assert [image.frame.tobytes() for image in seen] == [
            frame.tobytes() for frame in trajectory.frames
        ]
        assert len({(image.run, image.outcome.flight) for image in seen}) == 1
        assert trajectory.actions.tolist() == [image.action for image in seen[:-1]]
        assert trajectory.rewards.tolist() == [image.outcome.reward for image in seen[1:]]
        assert trajectory.terminated == seen[-1].outcome.collision
        assert trajectory.transitions > 0
        begins = first > 0 and images[first - 1].outcome.terminal
        assert trajectory.context in (0, HISTORY - 1) and (begins or trajectory.context)
        for k in range(trajectory.context, len(seen) - 1):
            assert (trajectory.drone, first + k) not in learned
            learned.add((trajectory.drone, first + k))
    return learned


@settings(max_examples=50, deadline=None)
@given(fleets(apart=True))
def test_every_message_in_order_is_learned_from_once(fleet) -> None:
    assembler, trajectories = assemble(told(fleet))
    learned = check(fleet, trajectories)
    assert learned == {
        (drone, k)
        for drone, images in fleet.items()
        for k, image in enumerate(images)
        if not image.outcome.terminal and k not in unknown(images)
    }
    assert assembler.lost_share() == 0.0


@settings(max_examples=150, deadline=None)
@given(fleets(), st.data())
def test_nothing_mixes_when_messages_are_shuffled_dropped_repeated_and_late(fleet, data) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    messages = told(fleet)
    spread = data.draw(st.sampled_from([0, 3, 12, 60]))
    drop, repeat = data.draw(st.sampled_from([(0.0, 0.0), (0.1, 0.1), (0.4, 0.3)]))
    order = np.arange(len(messages)) + rng.uniform(0, spread + 1e-9, len(messages))
    received = [messages[k] for k in np.argsort(order, kind='stable') if rng.random() >= drop]
    for _ in range(int(repeat * len(received))):
        k = int(rng.integers(len(received)))
        received.insert(min(k + int(rng.integers(40)), len(received)), received[k])
    check(fleet, assemble(received)[1])


def test_a_flight_in_little_disorder_loses_nothing() -> None:
    images = [
        Truth(
            'red',
            k * PERIOD,
            np.array([[k, 0, 0, 0]], np.uint8),
            k,
            StepOutcome(k, k == 99, k == 99, 0, k),
            0,
        )
        for k in range(100)
    ]
    messages = told({'red': images})
    rng = np.random.default_rng(0)
    shuffled = [messages[k] for k in np.argsort(np.arange(300) + rng.uniform(0, 9, 300))]
    assembler, trajectories = assemble(shuffled)
    assert len(check({'red': images}, trajectories)) == 97  # all but the first two and the last
    assert assembler.counts()['joined'] == 100 and assembler.lost_share() == 0.0


def test_a_lost_image_is_counted_and_no_trajectory_spans_it() -> None:
    images = [
        Truth(
            'red',
            k * PERIOD,
            np.array([[k, 0, 0, 0]], np.uint8),
            k,
            StepOutcome(k, k == 19, False, 0, k),
            0,
        )
        for k in range(20)
    ]
    assembler, trajectories = assemble([m for m in told({'red': images}) if m[0].action != 7])
    learned = {k for _, k in check({'red': images}, trajectories)}
    # 6 has no next image; 8 and 9 only say what was seen before 10, as 0 and 1 before 2.
    assert learned == set(range(2, 19)) - {6, 7, 8, 9}
    assert assembler.counts()['lost'] == 1 and assembler.counts()['joined'] == 19
