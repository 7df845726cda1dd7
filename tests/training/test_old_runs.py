"""What commit 7b67d09 left still loads and goes on: a run, its records, a network exported from it.

`run_7b67d09.tar.gz` was made there, with MindSpore 2.8 on a CPU with AVX-512, by

    pix2pix-ms train --size 64 --ngf 1 --ndf 1 --n-layers 1 --ema 0.9 --facades 4 --epochs 2 \
        --constant-epochs 2 --samples 1 --no-jit --device CPU --learning-rate 2e-3 --out run
    pix2pix-ms export run --out exported/generator.safetensors
    pix2pix-ms translate label_map.png --checkpoint exported --out .

and `log_of_3_epochs.csv` by `pix2pix-ms train --resume --epochs 3` on a copy.
"""

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs import log_of, output

ARCHIVE = Path(__file__).with_name("run_7b67d09.tar.gz")


@pytest.fixture
def then(tmp_path: Path) -> Path:
    """The folder of what was made then."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def test_an_old_run_goes_on_as_it_did_then(then: Path) -> None:
    """To a tolerance: other CPUs round otherwise."""
    assert "epoch 2/3" not in output("train", "--resume", "--epochs", 3, "--out", then / "run")
    with (then / "log_of_3_epochs.csv").open() as file:
        wanted = list(csv.DictReader(file))
    for ours, theirs in zip(log_of(then / "run"), wanted, strict=True):
        found, expected = ([float(row[name]) for name in ours] for row in (ours, theirs))
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("checkpoint", ["exported", "run", "run/checkpoints/epoch_002.ckpt"])
def test_old_networks_translate_as_they_did_then(then: Path, checkpoint: str) -> None:
    place = then / checkpoint
    output("translate", then / "label_map.png", "--checkpoint", place, "--out", then / "out")
    found, wanted = (
        np.asarray(Image.open(then / name)).astype(int)
        for name in ("out/label_map.png", "translated.png")
    )
    assert np.abs(found - wanted).max() <= 2
