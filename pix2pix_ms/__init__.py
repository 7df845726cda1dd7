"""pix2pix in MindSpore: image-to-image translation on Ascend, GPU and CPU.

Importing this package prepares the process before MindSpore is loaded (`prepare_process`) and
loads MindSpore itself only when a name that needs it is first used, so `pix2pix_ms` and the
command's `--help` stay instant. Import it before `mindspore`.
"""

import importlib
import os
import sys
import warnings
from importlib import metadata
from pathlib import Path

__version__ = "0.1.0"

_HOME_OF = {
    "Config": "config",
    "preset": "config",
    "Pix2PixError": "errors",
    "choose_device": "device",
    "facade": "data.facades",
    "write_record": "data.records",
    "read_record": "data.records",
    "training_data": "data.pipeline",
    "UNet": "nets.unet",
    "PatchGAN": "nets.patchgan",
    "Pix2Pix": "pix2pix",
    "train": "training",
    "Translator": "translate",
    "load_generator": "checkpoints",
}
__all__ = [  # noqa: PLE0604  (the names are those of the table above)
    "__version__",
    "prepare_process",
    *_HOME_OF,
]


def prepare_process() -> None:
    """Set what MindSpore's libraries read from the environment when they are loaded.

    MindSpore 2.9 and 2.10 carry oneDNN 3.10.1, whose convolutions fall back to its reference
    kernel on AVX-512 processors (a 256x256 training step takes minutes); capping the instruction
    set at AVX2 restores the fast kernel. A value the user has set stands. `tests/test_process.py`
    fails when another release is admitted, so that this is measured for it.
    """
    needs_cap = _mindspore_release() in ((2, 9), (2, 10))
    if needs_cap and "mindspore" in sys.modules and "ONEDNN_MAX_CPU_ISA" not in os.environ:
        warnings.warn(
            "mindspore was imported before pix2pix_ms, so its convolutions may be 100 times "
            "slower on this release: import pix2pix_ms first, or set ONEDNN_MAX_CPU_ISA=AVX2",
            stacklevel=3,
        )
    elif needs_cap:
        os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
    if not _accelerators():
        wait_asleep()
    # Errors only: MindSpore's deprecation warnings carry pid and time and cannot be compared.
    os.environ.setdefault("GLOG_v", "3")


def wait_asleep() -> None:
    """Let the thread that asks MindSpore for a result sleep until it is there; for a CPU.

    Otherwise (2.7 to 2.10) it spins, and takes a core from the kernels: on 2 cores a 256x256
    training step took 0.95 s instead of 0.49 s, one of the preset `quick` 0.06 s instead of 0.02 s
    (the row `ours_spinning` of benchmarks/RESULTS.md). An accelerator is left alone: there the
    worker this dispenses with prepares kernels while the device computes. It must be set before
    MindSpore first computes. A value the user has set stands.
    """
    os.environ.setdefault("MS_DEV_HOST_BLOCKING_RUN", "1")


def _accelerators() -> list[Path]:
    """Return the device files of Ascend and NVIDIA drivers, without importing MindSpore."""
    return [*Path("/dev").glob("davinci[0-9]*"), *Path("/dev").glob("nvidia[0-9]*")]


def _mindspore_release() -> tuple[int, ...]:
    """Return (major, minor) of the installed MindSpore without importing it; () if absent."""
    try:
        return tuple(int(part) for part in metadata.version("mindspore").split(".")[:2])
    except metadata.PackageNotFoundError:
        return ()


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


prepare_process()
