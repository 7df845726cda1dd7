import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

import gc
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mindspore as ms
import pytest
from filelock import FileLock

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.pair_batches import TrainingData, training_data
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import first_line
from pix2pix_ms.machine.process import give_back
from pix2pix_ms.training import page
from tests.runs import blank

assert pix2pix_ms.__version__

# Files whose tests nearly all compile, train or start processes; elsewhere single ones are marked.
SLOW = {
    *("check", "cli", "convert", "cyclegan", "every_model", "family", "gan", "old_runs"),
    *("onnx", "page", "parity", "peer", "pipeline", "platforms", "prepare", "process", "quality"),
    *("records", "report", "resnet", "segmenter", "stargan", "start_from", "step", "training"),
    *("translate", "wgan"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW or item.path.parent.name == "faults":
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Spare the collector what is imported: going through it takes longer than most trainings."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny() -> Config:
    """The smallest network with a dropout block: 64x64, six levels; the rest as in the paper."""
    paper = Config(size=64, ngf=4, ndf=4, n_layers=2)
    return replace(paper, epochs=4, facades=12, save_every=2, samples=2)


@pytest.fixture(scope="session")
def eager(tiny: Config) -> Config:
    """The same, not compiled, which takes longer than a few steps."""
    return replace(tiny, jit=False)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    path = tmp_path_factory.mktemp("records") / "train.mindrecord"
    write_record(facade_pairs(tiny.facades, tiny.size), path)
    return path


@pytest.fixture(scope="session")
def data(record: Path, tiny: Config) -> TrainingData:
    return training_data(record, tiny.seed)


@pytest.fixture(scope="module", autouse=True)
def forget_graphs() -> Iterator[None]:
    """Drop what MindSpore has compiled for a file when it is done, some hundred MB."""
    yield
    gc.collect()
    ms.ms_memory_recycle()
    give_back()


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: pictures take longer than the training."""
    for task in {model.task_class() for model in MODELS.values()}:
        for name in ("sample_grid", "loss_curves"):
            monkeypatch.setattr(task, name, blank)
    monkeypatch.setattr(page, "plot", lambda *_: "")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright, whose event loop would disturb the tests of other files."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("there is no browser: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"{found} does not start: {first_line(error)}")
        yield started
        started.close()


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train every model, compiled, in a process of its own: once for all workers.

    Returns:
        A folder: losses and parameters in `steps.npz`, MindSpore's graphs in `graphs`.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder = place / "compiled"
    saving = {
        "MS_DEV_SAVE_GRAPHS": "1", "MS_DEV_DUMP_IR_PASSES": "validate",
        "MS_DEV_SAVE_GRAPHS_PATH": str(folder / "graphs"),
    }  # fmt: skip
    with FileLock(f"{folder}.lock"):
        if not (folder / "steps.npz").exists():
            program = [sys.executable, "-m", "tests.every_model", str(folder / "steps.npz")]
            (folder / "graphs").mkdir(parents=True, exist_ok=True)
            subprocess.run(
                program, cwd=Path(__file__).parents[1], env=os.environ | saving, check=True
            )
    return folder
