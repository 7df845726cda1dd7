import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import PAIRS, Children, children, training
from judge import Judge

from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.writing import write_record
from tests.runs import TINY


@pytest.fixture(scope="session")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "train.mindrecord"
    write_record(facade_pairs(PAIRS, TINY["size"]), path)
    return path


@pytest.fixture(scope="session")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Children]:
    with children(tmp_path_factory.mktemp("children")) as started:
        yield started


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge() as started:
        yield started


@pytest.fixture(scope="session")
def undisturbed(forked: Children, records: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    child = forked.command(*training(folder, records))
    assert child.status() == 0, child.said()
    return folder


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of the undisturbed run, to be damaged."""
    return Path(shutil.copytree(undisturbed, tmp_path / "run"))
