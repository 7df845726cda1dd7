"""Environment variables set before MindSpore is loaded, and memory returned to the system."""

import ctypes
import gc
import os
import platform
import sys
import warnings
from importlib import metadata
from pathlib import Path

HEAPS, M_ARENA_MAX = "MALLOC_ARENA_MAX", -8  # the variable and the option of glibc's malloc
GLIBC = platform.libc_ver()[0] == "glibc"
ISA, WAITING, LOGGED = "ONEDNN_MAX_CPU_ISA", "MS_DEV_HOST_BLOCKING_RUN", "GLOG_v"
ours: dict[str, str] = {}
"""The variables set here, so that a report can tell them from the user's."""
late: list[str] = []
"""What was imported before this package and should be imported after it."""


def prefer(name: str, value: str) -> None:
    """Set a variable, unless the user has."""
    if name not in os.environ:
        os.environ[name] = ours[name] = value


def prepare_process() -> None:
    """Set what MindSpore reads from the environment: oneDNN's kernels, waiting, logging.

    MindSpore 2.9 and 2.10 carry oneDNN 3.10.1, whose convolutions fall back to its reference
    kernel on AVX-512 processors (a 256x256 training step takes minutes); capping the instruction
    set at AVX2 restores the fast kernel. `tests/test_environment.py` fails when another release is
    admitted, so that this is measured for it. The user's value wins.
    """
    needs_cap = mindspore_release() in ((2, 9), (2, 10))
    late.extend({"mindspore"} & set(sys.modules))
    if needs_cap and late and ISA not in os.environ:
        warnings.warn(
            "mindspore was imported before pix2pix_ms, so its convolutions may be 100 times "
            "slower on this release: import pix2pix_ms first, or set ONEDNN_MAX_CPU_ISA=AVX2",
            stacklevel=3,
        )
    elif needs_cap:
        prefer(ISA, "AVX2")
    if not accelerators():
        wait_asleep()
    # Logged warnings carry pid and time and cannot be compared; logged errors repeat at length the
    # exception that follows them, also where Ctrl-C ended a compilation.
    prefer(LOGGED, "4")
    # Where MindSpore (2.8) writes a graph that failed to compile, also at Ctrl-C: nowhere. Its
    # default is a new folder rank_0 in the current one.
    prefer("MS_OM_PATH", os.devnull)
    # MindSpore (2.8) sets this too. But if onnx is imported before, protobuf's other implementation
    # is loaded, and MindSpore can no longer be imported.
    prefer("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python")
    share_heaps()


def wait_asleep() -> None:
    """Let the thread that calls MindSpore sleep until the result is there; for a CPU.

    By default MindSpore (2.7 to 2.10) hands work to another thread and waits for it in a busy loop,
    which takes a core from the kernels: on 2 cores a 256x256 training step takes twice as long (the
    rows `ours` and `ours_spinning` of benchmarks/RESULTS.md). With this variable the calling thread
    runs the graph itself and sleeps while its kernels compute. It is not for an accelerator: there
    the other thread prepares kernels while the device computes. It must be set before MindSpore
    first computes. The user's value wins.
    """
    prefer(WAITING, "1")


def accelerators(devices: Path = Path("/dev")) -> list[Path]:
    """Return the device files of Ascend and GPU drivers, without importing MindSpore."""
    kinds = ("davinci[0-9]*", "nvidia[0-9]*", "dxg")  # dxg: a GPU in the Windows subsystem
    return [file for kind in kinds for file in devices.glob(kind)]


def mindspore_release() -> tuple[int, ...]:
    """Return (major, minor) of the installed MindSpore without importing it; () if absent."""
    try:
        return tuple(int(part) for part in metadata.version("mindspore").split(".")[:2])
    except metadata.PackageNotFoundError:
        return ()


def share_heaps() -> None:
    """Limit malloc to one heap per core.

    By default glibc makes eight per core, each of which retains free memory, and every epoch reads
    with new threads (`tests/faults/test_long.py`). The user's value wins.
    """
    if GLIBC and HEAPS not in os.environ:
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, len(os.sched_getaffinity(0)))


def give_back() -> None:
    """Return unused memory to the system, so that it does not pile up over the epochs.

    A figure is a cycle of references, some MB that wait for Python's collector; and glibc retains
    free pages in the middle of a heap.
    """
    gc.collect()
    if GLIBC:
        ctypes.CDLL(None).malloc_trim(0)
