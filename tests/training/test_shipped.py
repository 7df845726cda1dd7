"""The networks that ship: small enough, whole, and still what they were when they were measured."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import SEGMENTER
from pix2pix_ms.data.facades import PALETTE, classes_of, facade
from pix2pix_ms.family.stargan.translate import SHIPPED as SHIPPED_AVERAGES
from pix2pix_ms.family.stargan.translate import load_averages
from pix2pix_ms.pix2pix.measures.segmenter import load_segmenter
from pix2pix_ms.pix2pix.task import PairsTask
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.checkpoints import SHIPPED, SHIPPED_GENERATOR, SHIPPED_SEGMENTER


def test_they_are_small() -> None:
    files = [*SHIPPED_GENERATOR.iterdir(), *SHIPPED_SEGMENTER.iterdir()]
    assert sum(path.stat().st_size for path in files) <= 30e6
    averages = load_averages(SHIPPED_AVERAGES)
    assert sum(path.stat().st_size for path in SHIPPED_AVERAGES.iterdir()) <= 0.7e6
    assert round(sum(int(p.size) for p in averages.parameters().values()), -4) == 330_000


def test_the_generator_has_the_log_of_its_training() -> None:
    with (SHIPPED_GENERATOR / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    _, config, _ = checkpoints.load(checkpoints.file_of(SHIPPED_GENERATOR))
    assert tuple(rows[0]) == PairsTask.columns()
    assert int(rows[-1]["epoch"]) == config.epochs >= 60
    assert all(np.isfinite(float(value)) for value in rows[-1].values())
    same = {"size", "ngf", "ndf", "n_layers", "norm", "lambda_l1", "batch_size", "learning_rate"}
    assert all(getattr(config, name) == getattr(preset("cpu"), name) for name in same)


def test_the_model_card_has_the_measured_scores() -> None:
    """Likewise what else is said of it; all is what `evaluate` wrote into scores.json."""
    scores = json.loads((SHIPPED_GENERATOR / "scores.json").read_text())
    generated, target = (
        " / ".join(f"{each[side]:.3f}" for each in scores["segmentation"].values())
        for side in ("generated", "target")
    )
    colours = [each["generated"] for each in scores["histogram_intersection"].values()]
    l1, psnr, ssim = (scores[name]["generated"] for name in ("l1", "psnr", "ssim"))
    row = f"| {l1:.3f} | {psnr:.2f} | {ssim:.3f} | {' / '.join(f'{c:.3f}' for c in colours)} |"
    card = (SHIPPED / "README.md").read_text()
    assert f"| mode `paper` {row} {generated} |" in card
    assert f"| real photos | 0 | | 1 | 1 | {target} |" in card
    elsewhere = [
        " ".join((SHIPPED.parent / place / "README.md").read_text().split())
        for place in ("benchmarks", "pix2pix_ms")
    ]
    assert all(f"reaches {generated}" in text for text in elsewhere)
    assert f"where their real photos reach {target}" in elsewhere[1]
    assert (scores["images"], scores["mode"]) == (100, "paper")


def test_the_generator_makes_doors_darker_than_walls() -> None:
    """Of a procedural label map, the like of which it has not seen."""
    translator = Translator(*checkpoints.load_generator(SHIPPED_GENERATOR))
    label_map = facade(100_001, 128).label_map
    image, classes = translator.image(label_map), classes_of(label_map)
    wall, door = (image[classes == list(PALETTE).index(kind)].mean() for kind in ("facade", "door"))
    assert wall > door + 40
    assert image.std(axis=(0, 1)).min() > 20, "a grey image"


def test_the_segmenter_reads_what_the_generator_makes() -> None:
    """Far better than by chance, though it was trained on photos and this is none."""
    translator = Translator(*checkpoints.load_generator(SHIPPED_GENERATOR))
    read = load_segmenter(SHIPPED_SEGMENTER)
    label_map = facade(100_001, 128).label_map
    right = read(translator.image(label_map)) == classes_of(label_map)
    assert right.mean() > 0.45
    assert checkpoints.load(checkpoints.file_of(SHIPPED_SEGMENTER))[1].levels == SEGMENTER.levels


@pytest.mark.parametrize("folder", [SHIPPED_GENERATOR, SHIPPED_SEGMENTER], ids=lambda p: p.name)
def test_no_path_of_one_machine_is_in_them(folder: Path) -> None:
    for path in folder.iterdir():
        assert b"/tmp/" not in path.read_bytes() and b"/work/" not in path.read_bytes()
