"""Processes that train beside each other, and end with the one that started them."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
import contextlib
import multiprocessing
import os
import signal
import threading


@contextlib.contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes, which share nothing with this one; an error here ends them."""
    spawn = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_end_with_parent) as pool:
        try:
            yield pool
        except BaseException:
            for process in multiprocessing.active_children():
                process.terminate()  # the pool itself would wait for what they are at
            raise


def _end_with_parent() -> None:
    """End this process when its parent does, however that ends; a Ctrl-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
