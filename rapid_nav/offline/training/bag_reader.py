"""Flights from bags (MCAP), without ROS: what was seen, done and earned, joined as in flight."""

from collections.abc import Iterable, Iterator
import contextlib
from pathlib import Path
import struct
from typing import Any

from mcap.exceptions import McapError
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
import numpy as np

from rapid_nav.drone.observation import BadDepth, frame_of
from rapid_nav.drone.task import FlightTask
from rapid_nav.drone.transition_assembler import DroneJoin, Join, Judged, Stretch

DEPTH, DECISION, OUTCOME = HEARD = 'camera/depth', 'exit_level', 'outcome'


def stretches(paths: Iterable[Path], task: FlightTask, join: Join) -> Iterator[Stretch]:
    """Yield what the bags hold of flights of a task; ValueError if one cannot be read."""
    for path in paths:
        try:
            with path.open('rb') as file:
                reader = make_reader(file, decoder_factories=[DecoderFactory()])
                # In the order of their writing: that is how they were heard.
                for _, channel, _, message in reader.iter_decoded_messages(log_time_order=False):
                    for topic in HEARD:
                        if f'/{channel.topic}'.endswith(f'/{topic}'):
                            drone = join.drone(channel.topic.removesuffix(f'/{topic}'))
                            yield from _hear(drone, topic, message, task)
        except (OSError, McapError, ValueError, struct.error) as error:
            raise ValueError(f'{path}: no bag to learn from ({error})') from error
        yield from join.flush()


def _hear(drone: DroneJoin, topic: str, message: Any, task: FlightTask) -> Iterator[Stretch]:
    """Hand one message to the join."""
    stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
    if topic == DEPTH:
        with contextlib.suppress(BadDepth):
            yield from drone.hear(stamp, frame=frame(message, task))
    elif topic == DECISION:
        yield from drone.hear(stamp, action=message.action)
    else:
        yield from drone.hear(
            stamp,
            judged=Judged(
                message.reward, message.terminal, message.collision, message.flight, message.image
            ),
        )


def frame(image: Any, task: FlightTask) -> np.ndarray:
    """Return a depth image as a policy of the task sees it (1, h, w) uint8."""
    if image.encoding != '32FC1' or len(image.data) != 4 * image.height * image.width:
        raise BadDepth(f'{image.width} x {image.height} {image.encoding}')
    order = '>' if image.is_bigendian else '<'
    depth = np.frombuffer(image.data, f'{order}f4').reshape(image.height, image.width)
    return frame_of(depth, task.observation)
