"""
The first stage as machine code for the processor it runs on, for the decisions that end there.

ONNX Runtime takes 2 us for a call and 0.6 us for each node, and its kernels, made for larger
networks, keep half of a processor's multipliers waiting: 13 us for 265,000 operations, where 6
are enough. LLVM, which Numba brings along, compiles the stage in a tenth of a second. Without
it, or for a stage that does not fit, ONNX Runtime does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import ctypes
import functools
import logging
from typing import NamedTuple

import numpy as np

from rapid_nav.agent.config import NetworkConfig
from rapid_nav.inference.stage_room import Room, WIDTH

log = logging.getLogger(__name__)


class Compiled(NamedTuple):
    """A stage that reads an observation where it lies and writes its answer where it stays."""

    run: Callable[[], None]
    answer: np.ndarray  # (A + 1,) as that of graphs.build
    kept: tuple[object, ...]  # the code and all that its addresses mean


class _Program(NamedTuple):
    """A stage's code, the same for all weights."""

    room: Room
    engine: object  # which keeps the code
    address: int


def fits(config: NetworkConfig) -> bool:
    """Return whether the first stage can be compiled: a branch that nothing but its exit reads."""
    if len(config.stages) < 2 or not config.reads_input(1):
        return False
    if config.cascade and len(config.stages) > 2:
        return False
    convs = config.stages[0].convs
    return (
        bool(convs)
        and convs[0].padding == 0
        and all(
            not conv.pool and conv.channels % WIDTH == 0 and conv.padding < conv.kernel
            for conv in convs
        )
    )


def compiled(
    config: NetworkConfig, layers: Mapping[str, np.ndarray], observation: np.ndarray
) -> Compiled | None:
    """
    Compile the first stage for an observation (1, C, H, W) float32 that stays where it is.

    ``layers`` are those of graphs.build. None if there are none, or no LLVM that compiles them.
    """
    if not layers or not fits(config):
        return None
    try:
        program = _program(config)
    except Exception as error:  # LLVM's errors, and those of a version that is another
        log.info('The first exit runs in ONNX Runtime: %s', error)
        return None
    try:
        room = program.room.filled(layers)
    except (KeyError, ValueError) as error:  # a file that was put together by others
        log.warning('The first exit runs in ONNX Runtime; its layers are not whole: %s', error)
        return None
    # It is over before another thread could do anything: not worth letting go of the GIL.
    run = functools.partial(
        ctypes.PYFUNCTYPE(None)(program.address),
        ctypes.c_void_p(observation.ctypes.data),
        ctypes.c_void_p(room.ctypes.data),
    )
    return Compiled(run, room[program.room.answer], (program, room, observation))


@functools.lru_cache(maxsize=8)
def _program(config: NetworkConfig) -> _Program:
    """Compile a network's first stage; a policy exchanged in flight finds it compiled."""
    from llvmlite import binding as llvm

    from rapid_nav.inference import stage_code  # which needs llvmlite as well

    room = Room(config)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(stage_code.write(room))
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=3, cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten()
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return _Program(room, engine, engine.get_function_address('run'))
