"""Bags that are whole, without an end, damaged, or of another task."""

from pathlib import Path

from bags import write_bag
from hypothesis import given, HealthCheck, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType
import pytest

from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import Trajectory, TransitionAssembler
from rapid_nav.offline.training.bag_reader import trajectories

IMAGES = 30
TASK = FlightTask()


def read(path: Path) -> tuple[TransitionAssembler, list[Trajectory]]:
    assembler = TransitionAssembler(TASK.observation.history, 25)
    return assembler, list(trajectories([path], TASK, assembler))


@pytest.fixture(scope='module')
def bags(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return bags as the recorder writes them, and without sums that tell of damage."""
    path = tmp_path_factory.mktemp('bags') / 'flight.mcap'
    found = []
    for compression, crcs in ((CompressionType.LZ4, True), (CompressionType.NONE, False)):
        write_bag(path, IMAGES, compression=compression, crcs=crcs)
        found.append(path.read_bytes())
    return found


def test_a_whole_bag_is_read_to_its_end_without_a_word(tmp_path: Path, caplog) -> None:
    write_bag(tmp_path / 'flight.mcap', IMAGES)
    assembler, found = read(tmp_path / 'flight.mcap')
    assert assembler.counts()['joined'] == IMAGES and not caplog.text
    # All but the last, and the first two, of which nobody knows what was before.
    assert sum(one.transitions for one in found) == IMAGES - 3
    assert found[-1].terminated


def test_a_bag_without_an_end_is_read_as_far_as_it_is_whole_and_says_so(
    bags: list[bytes], tmp_path: Path, caplog
) -> None:
    path = tmp_path / 'flight.mcap'
    joined = []
    for share in (0.25, 0.5, 0.75):
        path.write_bytes(bags[0][: int(len(bags[0]) * share)])
        joined.append(read(path)[0].counts()['joined'])
        assert f'{path} has no end: read as far as it is whole' in caplog.text
        caplog.clear()
    assert 0 < joined[0] < joined[1] < joined[2] < IMAGES
    write_bag(path, IMAGES, finish=False)  # its recorder was killed
    assert 20 < read(path)[0].counts()['joined'] < IMAGES
    assert 'has no end' in caplog.text


def test_nothing_whole_is_no_bag(bags: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / 'flight.mcap'
    for content in (b'', b'nothing', b'nothing that is long enough', bags[0][:100]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f'{path}: no bag to learn from'):
            read(path)


def test_damage_within_a_chunk_is_told_in_one_line(bags: list[bytes], tmp_path: Path) -> None:
    path, damaged = tmp_path / 'flight.mcap', bytearray(bags[0])
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match='no bag to learn from') as refusal:
        read(path)
    assert '\n' not in str(refusal.value) and len(str(refusal.value)) < 400


@pytest.mark.parametrize(
    'changes', [{'action': 25}, {'reward': float('nan')}, {'reward': float('inf')}]
)
def test_what_no_task_can_mean_is_counted_and_not_learned(tmp_path: Path, changes) -> None:
    write_bag(tmp_path / 'flight.mcap', IMAGES, **changes)
    assembler, found = read(tmp_path / 'flight.mcap')
    assert assembler.counts()['invalid'] == IMAGES and not found


def test_an_image_that_is_no_depth_is_left_out(tmp_path: Path) -> None:
    write_bag(tmp_path / 'flight.mcap', IMAGES, encoding='rgb8')
    assert not read(tmp_path / 'flight.mcap')[1]


@st.composite
def mutations(draw: st.DrawFn) -> list[tuple[str, float, int, bytes]]:
    """Draw what is done to a file: kind, place in [0, 1), length and new bytes."""
    return draw(
        st.lists(
            st.tuples(
                st.sampled_from(['overwrite', 'insert', 'delete', 'repeat', 'cut']),
                st.floats(0.0, 1.0, exclude_max=True),
                st.integers(1, 2000),
                st.binary(min_size=1, max_size=9),
            ),
            min_size=1,
            max_size=3,
        )
    )


def mutated(content: bytes, changes: list[tuple[str, float, int, bytes]]) -> bytes:
    for kind, place, length, new in changes:
        at = int(place * len(content))
        before, behind = content[:at], content[at:]
        content = {
            'overwrite': before + new + behind[len(new) :],
            'insert': before + new + behind,
            'delete': before + behind[length:],
            'repeat': before + behind[:length] + behind,
            'cut': before,
        }[kind]
    return content


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(which=st.integers(0, 1), changes=mutations())
def test_a_mutated_bag_is_read_or_refused_in_one_line(
    bags: list[bytes], tmp_path: Path, which: int, changes
) -> None:
    path = tmp_path / 'flight.mcap'
    path.write_bytes(mutated(bags[which], changes))
    try:
        _, found = read(path)
    except ValueError as refusal:
        assert str(refusal).startswith(f'{path}: no bag to learn from (')
        assert '\n' not in str(refusal) and len(str(refusal)) < 400
    else:
        for one in found:
            assert one.frames.shape[1:] == (1, 36, 64)
            assert ((one.actions >= 0) & (one.actions < 25)).all()
