"""Processes that train beside each other, and end with whoever asked for them."""

from concurrent.futures import ProcessPoolExecutor
import multiprocessing
import os
import threading


def workers(jobs: int) -> ProcessPoolExecutor:
    """Return so many processes, which share nothing with this one."""
    return ProcessPoolExecutor(
        jobs, mp_context=multiprocessing.get_context('spawn'), initializer=_end_with_parent
    )


def _end_with_parent() -> None:
    """End this process when its parent does, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
