import pix2pix_ms  # noqa: I001  (before mindspore: it prepares the process)

from dataclasses import replace
from pathlib import Path

import pytest

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.pair_batches import TrainingData, training_data
from pix2pix_ms.data.writing import write_record

assert pix2pix_ms.__version__


@pytest.fixture(scope="session")
def tiny() -> Config:
    """The smallest network with a dropout block: 64x64, six levels; the rest as in the paper."""
    paper = Config(size=64, ngf=4, ndf=4, n_layers=2)
    return replace(paper, epochs=4, facades=12, save_every=2, samples=2)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    path = tmp_path_factory.mktemp("records") / "train.mindrecord"
    write_record(facade_pairs(tiny.facades, tiny.size), path)
    return path


@pytest.fixture(scope="session")
def data(record: Path, tiny: Config) -> TrainingData:
    return training_data(record, tiny.seed)
