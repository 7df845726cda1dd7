"""Three training steps of a small pix2pix on this machine, and facts for a report of a problem."""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import mindspore as ms
import numpy as np

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError, first_line
from pix2pix_ms.machine import process
from pix2pix_ms.machine.device import choose_device, computes_on_cpu
from pix2pix_ms.pix2pix.step import Pix2Pix

STEPS = 3
PATIENCE = 60.0  # seconds of graph mode after which the other mode is left out
VARIABLES = re.compile(
    "MS_|GLOG_|DNNL_|ONEDNN_|OMP_|ASCEND_|HCCL_|NCCL_|CUDA_|RANK_|DEVICE_ID|LD_LIBRARY_PATH|"
    "LD_PRELOAD|KMP_|TE_PARALLEL"
)
ASCEND_HOMES = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")
NO_VERSION = "not found"


def check_device(name: str = "auto", report: Callable[[str], None] = print) -> None:
    """Train three steps in graph mode and three operation by operation, and report on them.

    Args:
        name: the device: auto, CPU, GPU or Ascend.
        report: called with every line.

    Raises:
        Pix2PixError: if the device is not there, a step failed, or a loss is not finite; the
            report is complete by then.
    """
    for line in surroundings(os.environ, process.ours):
        report(line)
    report(f"computing on: {choose_device(name)}")
    began, failures = time.perf_counter(), []
    for mode, jit in (("graph mode", True), ("PyNative mode", False)):
        if time.perf_counter() - began > PATIENCE:
            report(f"{mode}: left out, because graph mode took over {PATIENCE:.0f} s")
            continue
        try:
            report(f"{mode}: {trial(small(jit))}")
        except Exception as error:  # whatever a device does belongs in the report
            report(f"{mode}: FAILED, {type(error).__name__}: {first_line(error)}")
            failures.append(mode)
    report(f"memory: {memory()}")
    if failures:
        raise Pix2PixError(
            f"check: expected {STEPS} steps with finite losses, found a failure in "
            f"{' and '.join(failures)}; report the lines above"
        )


def small(jit: bool) -> Config:
    config: Config = preset("quick", size=32, jitter_size=32, n_layers=1, jit=jit)
    return config


def trial(config: Config) -> str:
    """Train a new model on one batch, the same on every machine; return losses and seconds."""
    rows, columns = np.mgrid[-1:1:32j, -1:1:32j]
    x = np.stack([rows, columns, rows * columns])[None].astype(np.float32)
    model, losses, times = Pix2Pix(config), [], [time.perf_counter()]
    for _ in range(STEPS):
        losses.append(model.train_step(x, -x))
        times.append(time.perf_counter())
    l1, last = [step.g_l1 for step in losses], losses[-1]
    found = (
        f"L1 {', '.join(f'{value:.4f}' for value in l1)}, "
        f"{'falling' if l1[-1] < l1[0] else 'NOT falling'}; "
        f"last D {last.d_real:.4f} and {last.d_fake:.4f}, G {last.g_gan:.4f}"
    )
    if not np.isfinite(losses).all():
        raise ArithmeticError(f"expected finite losses, found {found}")
    return f"{times[-1] - times[-2]:.3f} s/step, the first {times[1] - times[0]:.1f} s; {found}"


def surroundings(environment: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    """Yield lines on drivers, processors, and the variables set here (`ours`) and by the user."""
    yield f"CANN: {cann_version(environment)}; CUDA: {cuda_version()}"
    granted = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield f"processors: {granted} of {os.cpu_count()}"
    order = "AFTER mindspore" if process.late else "before mindspore"
    guard = ", ".join(f"{name}={value}" for name, value in ours.items()) or "nothing"
    yield f"pix2pix_ms was imported {order} and set: {guard}"
    theirs = {n: v for n, v in environment.items() if VARIABLES.match(n) and n not in ours}
    yield f"set by others: {' '.join(f'{n}={v}' for n, v in sorted(theirs.items())) or 'nothing'}"


def cann_version(environment: Mapping[str, str], root: Path = Path("/usr/local/Ascend")) -> str:
    """Return the version of Ascend's toolkit, from its files."""
    homes = [Path(environment[name]) for name in ASCEND_HOMES if name in environment]
    with suppress(OSError):
        for folder in (*homes, root / "ascend-toolkit/latest", root / "cann"):
            for file in (*folder.glob("version.cfg"), *folder.glob("*/ascend_toolkit*.info")):
                if found := re.search(r"\d+\.\d+\.[\w.]+", file.read_text(errors="replace")):
                    return found[0]
    return NO_VERSION


def cuda_version(root: Path = Path("/usr/local/cuda")) -> str:
    """Return the version of CUDA, from its file."""
    with suppress(OSError, ValueError, KeyError):
        return str(json.loads((root / "version.json").read_text())["cuda"]["version"])
    return NO_VERSION


def memory() -> str:
    """Report the peak memory of this process, and on an accelerator of the device."""
    peaks = []
    with suppress(ImportError):  # Windows has none
        import resource

        unit = 1 if sys.platform == "darwin" else 2**10  # bytes there, else KiB
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        peaks.append(f"at most {peak / 2**30:.2f} GiB of the host")
    if not computes_on_cpu():
        peaks.append(f"{ms.runtime.max_memory_allocated() / 2**30:.2f} GiB of the device")
    return ", ".join(peaks)
