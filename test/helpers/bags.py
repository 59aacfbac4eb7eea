"""Bags of short flights, written without ROS."""

from pathlib import Path

from mcap.writer import CompressionType
from mcap_ros2.writer import Writer
import numpy as np

_RULE = '=' * 80
_HEADER = f"""
{_RULE}
MSG: std_msgs/Header
builtin_interfaces/Time stamp
string frame_id
"""
_IMAGE = f"""std_msgs/Header header
uint32 height
uint32 width
string encoding
uint8 is_bigendian
uint32 step
uint8[] data
{_HEADER}"""
_EXIT_LEVEL = f"""std_msgs/Header header
uint32 action
{_HEADER}"""
_OUTCOME = f"""std_msgs/Header header
float32 reward
bool terminal
bool collision
uint32 flight
uint32 image
{_HEADER}"""
PERIOD = 102_000_000  # [ns]


def write_bag(
    path: Path,
    images: int,
    finish: bool = True,
    compression: CompressionType = CompressionType.LZ4,
    crcs: bool = True,
    chunk_size: int = 40_000,
    **changes: object,
) -> None:
    """Write a flight of some images that ends in a crash; changes are of every message."""
    rng = np.random.default_rng(0)
    with path.open('wb') as file:
        writer = Writer(file, chunk_size, compression, crcs)
        kinds = {
            'camera/depth': writer.register_msgdef('sensor_msgs/msg/Image', _IMAGE),
            'exit_level': writer.register_msgdef('rapid_nav/msg/ExitLevel', _EXIT_LEVEL),
            'outcome': writer.register_msgdef('rapid_nav/msg/Outcome', _OUTCOME),
        }
        for k in range(images):
            stamp = (k + 1) * PERIOD
            last = k == images - 1
            depth = rng.uniform(0.5, 20.0, (36, 64)).astype(np.float32)
            said = {
                'camera/depth': {
                    'height': 36,
                    'width': 64,
                    'encoding': '32FC1',
                    'is_bigendian': 0,
                    'step': 256,
                    'data': depth.tobytes(),
                },
                'exit_level': {'action': k % 25},
                'outcome': {
                    'reward': float(k),
                    'terminal': last,
                    'collision': last,
                    'flight': 0,
                    'image': k,
                },
            }
            for topic, fields in said.items():
                time = {'sec': stamp // 10**9, 'nanosec': stamp % 10**9}
                known = {name: value for name, value in changes.items() if name in fields}
                writer.write_message(
                    f'/rapid/{topic}',
                    kinds[topic],
                    {'header': {'stamp': time, 'frame_id': ''}, **fields, **known},
                    stamp,
                )
        if finish:
            writer.finish()
