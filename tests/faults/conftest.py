from collections.abc import Iterator
from pathlib import Path

import pytest
from children import blank
from harness import PAIRS, TINY, Children, children

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.writing import write_record


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "train.mindrecord"
    write_record(facade_pairs(PAIRS, TINY["size"]), path)
    return path


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    with children(tmp_path_factory.mktemp("children")) as started:
        yield started


@pytest.fixture(scope="session")
def undisturbed(forked: Children, records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    child = forked.train(folder, records)
    assert child.status() == 0, child.said()
    return folder


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: pictures take longer than the training."""
    for task in {model.task_class() for model in MODELS.values()}:
        for name in ("sample_grid", "loss_curves"):
            monkeypatch.setattr(task, name, blank)
