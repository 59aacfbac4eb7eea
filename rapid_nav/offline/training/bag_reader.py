"""Flights from bags (MCAP), without ROS: assembled to trajectories as in flight."""

from collections.abc import Callable, Iterable, Iterator
import contextlib
import io
import logging
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from mcap.exceptions import EndOfFile
from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader
from mcap_ros2.decoder import DecoderFactory
import numpy as np

from rapid_nav.drone.observation import BadDepth, frame_of
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import StepOutcome, Trajectory, TransitionAssembler

log = logging.getLogger(__name__)
DEPTH, DECISION, OUTCOME = TOPICS = 'camera/depth', 'exit_level', 'outcome'


class ImagePart(NamedTuple):
    """What one message says of an image; at most one of the last three is set."""

    drone: str
    stamp: int  # [ns]
    frame: np.ndarray | None = None  # (1, h, w) uint8
    action: int | None = None
    outcome: StepOutcome | None = None


def trajectories(
    paths: Iterable[Path], task: FlightTask, assembler: TransitionAssembler
) -> Iterator[Trajectory]:
    """Yield the flights of a task in the bags; ValueError names one that cannot be read."""
    for path in paths:
        for part in image_parts(path, task):
            drone = assembler.drone(part.drone)
            yield from drone.add(part.stamp, part.frame, part.action, part.outcome)
        yield from assembler.flush()


def image_parts(path: Path, task: FlightTask) -> Iterator[ImagePart]:
    """
    Yield what a bag's messages say, in the order they were written.

    A bag whose end is missing, as after a kill or on a full disk, is read as far as it is whole.
    """
    count = 0
    try:
        for channel, decode, message in _messages(path):
            part = _image_part(channel.topic, decode(message.data), task)
            count += 1
            if part is not None:
                yield part
    except EndOfFile:
        if not count:
            raise ValueError(
                f'{path}: no bag to learn from (it ends before its first message)'
            ) from None
        log.warning('%s has no end: read as far as it is whole, %d messages', path, count)
    except Exception as error:  # its libraries raise all kinds on damaged content
        reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:200]
        raise ValueError(f'{path}: no bag to learn from ({reason})') from error


class _WholeReads:
    """A file whose reads return all the bytes asked for, or raise EndOfFile."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.left = file, os.fstat(file.fileno()).st_size

    def read(self, size: int) -> bytes:
        """Return this number of bytes."""
        self.left -= size
        if self.left < 0:
            raise EndOfFile
        return self.file.read(size)


def _messages(path: Path) -> Iterator[tuple[Channel, Callable[[bytes], Any], Message]]:
    """Yield the messages of our topics, each with its channel and what decodes it."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, Channel] = {}
    decoders = DecoderFactory()
    with path.open('rb') as file:
        # Not by its index, which a file without an end does not have.
        whole: Any = _WholeReads(file)
        for record in StreamReader(whole, validate_crcs=True).records:
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                channels[record.id] = record
            elif isinstance(record, Message):
                channel = channels[record.channel_id]
                if not f'/{channel.topic}'.endswith(tuple(f'/{topic}' for topic in TOPICS)):
                    continue
                with contextlib.redirect_stdout(io.StringIO()):  # it prints what it raises
                    decode = decoders.decoder_for(
                        channel.message_encoding, schemas.get(channel.schema_id)
                    )
                if decode is None:
                    raise ValueError(f'{channel.topic} is not a ROS 2 topic')
                yield channel, decode, record


def _image_part(topic: str, message: Any, task: FlightTask) -> ImagePart | None:
    """Return what a decoded message says of an image; None for an image that is no depth."""
    kind = next(one for one in TOPICS if f'/{topic}'.endswith(f'/{one}'))
    drone = topic.removesuffix(f'/{kind}')
    stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
    if kind == DECISION:
        return ImagePart(drone, stamp, action=message.action)
    if kind == OUTCOME:
        outcome = StepOutcome(
            message.reward, message.terminal, message.collision, message.flight, message.image
        )
        return ImagePart(drone, stamp, outcome=outcome)
    try:
        return ImagePart(drone, stamp, frame=frame(message, task))
    except BadDepth:
        return None


def frame(image: Any, task: FlightTask) -> np.ndarray:
    """Return a depth image as a policy of the task sees it (1, h, w) uint8."""
    if image.encoding != '32FC1' or len(image.data) != 4 * image.height * image.width:
        raise BadDepth(f'{image.width} x {image.height} {image.encoding}')
    order = '>' if image.is_bigendian else '<'
    depth = np.frombuffer(image.data, f'{order}f4').reshape(image.height, image.width)
    return frame_of(depth, task.observation)
