"""The process is prepared before MindSpore loads, and the cap on oneDNN stays where needed."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import pix2pix_ms
from pix2pix_ms.machine import process
from tests.runs import REPOSITORY

BLOCKING = "MS_DEV_HOST_BLOCKING_RUN"


def pretend_mindspore(folder: Path, version: str) -> Path:
    """Make a package called mindspore that only says what the environment held when it loaded."""
    (folder / "mindspore").mkdir()
    (folder / "mindspore" / "__init__.py").write_text(
        "import os; print('at import:', os.environ.get('ONEDNN_MAX_CPU_ISA'))"
    )
    info = folder / f"mindspore-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mindspore\nVersion: {version}\n")
    return folder


def run(code: str, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    protobuf = "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
    prepared = ("ONEDNN_MAX_CPU_ISA", "GLOG_v", "MS_OM_PATH", BLOCKING, protobuf)
    clean = {name: value for name, value in os.environ.items() if name not in prepared}
    clean |= {"PYTHONPATH": f"{path}{os.pathsep}{REPOSITORY}", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )


def test_onnx_may_be_imported_before_mindspore() -> None:
    code = "import pix2pix_ms, onnx, mindspore; print(mindspore.Tensor(1) + 1)"
    assert run(code, REPOSITORY).stdout == "2\n"


@pytest.mark.parametrize(
    ("version", "cap"), [("2.8.0", None), ("2.9.0", "AVX2"), ("2.10.0", "AVX2"), ("2.11.0", None)]
)
def test_the_cap_is_set_where_needed_and_a_late_import_is_warned_of(
    tmp_path: Path, version: str, cap: str | None
) -> None:
    """Before MindSpore loads; the user's own value wins."""
    path = pretend_mindspore(tmp_path, version)
    assert run("import pix2pix_ms, mindspore", path).stdout == f"at import: {cap}\n"
    late = run("import mindspore, pix2pix_ms", path).stderr
    assert ("import pix2pix_ms first" in late and "ONEDNN_MAX_CPU_ISA=AVX2" in late) == bool(cap)
    assert cap or not late
    if version == "2.10.0":
        for order in ("pix2pix_ms, mindspore", "mindspore, pix2pix_ms"):
            found = run(f"import {order}", path, ONEDNN_MAX_CPU_ISA="SSE41")
            assert (found.stdout, found.stderr) == ("at import: SSE41\n", "")


@pytest.mark.parametrize("there", [[], [Path("/dev/davinci0")]], ids=["cpu", "accelerator"])
def test_results_are_awaited_asleep_unless_there_is_an_accelerator(
    monkeypatch: pytest.MonkeyPatch, there: list[Path]
) -> None:
    monkeypatch.setattr(process, "accelerators", lambda: there)
    monkeypatch.setenv(BLOCKING, "to be restored")
    monkeypatch.delenv(BLOCKING)
    process.prepare_process()
    assert os.environ.get(BLOCKING) == (None if there else "1")
    assert pix2pix_ms.choose_device("CPU") == "CPU"  # an accelerator that is not to be used
    assert os.environ[BLOCKING] == "1"
    monkeypatch.setenv(BLOCKING, "0")
    process.prepare_process()
    assert os.environ[BLOCKING] == "0", "the user's own value stands"


def test_accelerators_are_found_by_their_device_files(tmp_path: Path) -> None:
    for name in ("null", "nvidiactl", "davinci_manager"):
        (tmp_path / name).touch()
    assert process.accelerators(tmp_path) == []
    for name in ("davinci0", "nvidia0", "dxg"):
        (tmp_path / name).touch()
        assert tmp_path / name in process.accelerators(tmp_path)


STEPS = """
import time
import numpy as np
from pix2pix_ms import Pix2Pix, preset

config = preset("quick", size=32, jitter_size=32, ngf=8, ndf=8, n_layers=1)
model, image = Pix2Pix(config), np.zeros((1, 3, 32, 32), np.float32)
for _ in range(5):
    model.train_step(image, image)
busy = time.thread_time()
for _ in range(20):
    model.train_step(image, image)
print(time.thread_time() - busy)
"""


def test_mindspore_busy_waits_unless_told_to_block() -> None:
    """When this fails on a machine without accelerators, `wait_asleep` can go."""
    asleep = float(run(STEPS, REPOSITORY, **{BLOCKING: "1"}).stdout)
    spinning = float(run(STEPS, REPOSITORY, **{BLOCKING: "0"}).stdout)
    assert spinning > 2 * asleep, "seconds the thread that asks was busy itself: 0.26 and 0.05"


HEAPS = """
import ctypes, os, threading
import pix2pix_ms
together = threading.Barrier(40)
threads = [threading.Thread(target=lambda: (bytearray(5000), together.wait())) for _ in range(40)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps are glibc's")
def test_threads_share_a_heap_a_core_unless_the_user_says_otherwise() -> None:
    cores = len(os.sched_getaffinity(0))
    assert 1 <= run(HEAPS, REPOSITORY).stdout.count("<heap nr=") <= cores
    assert run(HEAPS, REPOSITORY, MALLOC_ARENA_MAX=f"{2 * cores}").stdout.count("<heap nr=") > cores
