"""What keeps a long training's memory from growing, where memory is glibc's."""

import ctypes
import gc
import os
import platform

HEAPS, M_ARENA_MAX = "MALLOC_ARENA_MAX", -8  # the variable and the option of glibc's malloc
GLIBC = platform.libc_ver()[0] == "glibc"


def share_heaps() -> None:
    """Give all threads together a heap for each core, before there are many.

    By itself glibc makes eight for each core, and every epoch reads with new threads: each heap
    keeps free memory of its own (`tests/faults/test_long.py`). What the user has set stands.
    """
    if GLIBC and HEAPS not in os.environ:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, len(os.sched_getaffinity(0)))


def give_back() -> None:
    """Give memory back that nobody uses any more, so that it does not pile up between epochs.

    A figure is a ring of references, some MB that wait for Python's collector; and glibc keeps
    pages that have become free in the middle of a heap.
    """
    gc.collect()
    if GLIBC:
        ctypes.CDLL(None).malloc_trim(0)
