"""The networks that ship: small enough, whole, and still what they were when they were measured."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import SEGMENTER
from pix2pix_ms.data.facades import PALETTE, classes_of, facade, styled
from pix2pix_ms.data.lab import lightness
from pix2pix_ms.family.stargan.translate import SHIPPED as SHIPPED_AVERAGES
from pix2pix_ms.family.stargan.translate import load_averages
from pix2pix_ms.pix2pix.measures.segmenter import load_segmenter
from pix2pix_ms.pix2pix.task import PairsTask
from pix2pix_ms.pix2pix.translate import Translator
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.checkpoints import SHIPPED, SHIPPED_GENERATOR, SHIPPED_SEGMENTER
from tests.runs import columns

GENERATORS = (SHIPPED_GENERATOR, SHIPPED / "facades-128")
COLOURS = SHIPPED / "colour-128"
DAY_NIGHT = SHIPPED / "cyclegan-64"
of_facades = pytest.mark.parametrize("folder", GENERATORS, ids=lambda folder: folder.name)


def test_they_are_small() -> None:
    everything = [path for path in SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in everything) <= 100e6
    for folder in (*GENERATORS, COLOURS, SHIPPED_SEGMENTER):
        assert sum(path.stat().st_size for path in folder.iterdir()) <= 27e6
    assert sum(path.stat().st_size for path in DAY_NIGHT.iterdir()) <= 4.6e6
    averages = load_averages(SHIPPED_AVERAGES)
    assert sum(path.stat().st_size for path in SHIPPED_AVERAGES.iterdir()) <= 1.1e6
    assert round(sum(int(p.size) for p in averages.parameters().values()), -4) == 400_000


@of_facades
def test_a_generator_has_the_log_of_its_training(folder: Path) -> None:
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    _, config, _ = checkpoints.load(checkpoints.file_of(folder))
    assert list(rows[0]) == columns(PairsTask)
    with (folder / "kid.csv").open() as file:
        *_, end = csv.DictReader(file)  # of all parts of the training; config has the last alone
    assert [int(row["epoch"]) for row in rows] == list(range(int(end["epoch"]) + 1))
    assert all(int(row["step"]) == 360 * int(row["epoch"]) for row in rows)
    assert len(rows) > config.epochs >= 14
    assert config.shape == (int(folder.name[-3:]),) * 2
    assert all(np.isfinite(float(value)) for value in rows[-1].values())
    same = {"ngf", "ndf", "norm", "batch_size"}
    assert all(getattr(config, name) == getattr(preset("cpu"), name) for name in same)
    assert (config.gan_mode, config.learning_rate, config.lambda_l1) == ("vanilla", 2e-4, 10)


@of_facades
def test_the_model_card_has_the_measured_scores(folder: Path) -> None:
    """Likewise what else is said of it; all is what `evaluate` wrote into scores.json."""
    scores = json.loads((folder / "scores.json").read_text())
    generated, target = (
        " / ".join(f"{each[side]:.3f}" for each in scores["segmentation"].values())
        for side in ("generated", "target")
    )
    colours = [each["generated"] for each in scores["histogram_intersection"].values()]
    l1, psnr, ssim = (scores[name]["generated"] for name in ("l1", "psnr", "ssim"))
    row = f"| {l1:.3f} | {psnr:.2f} | {ssim:.3f} | {' / '.join(f'{c:.3f}' for c in colours)} |"
    card = (SHIPPED / "README.md").read_text().split(f"## {folder.name}:")[1].split("\n## ")[0]
    assert scores["checkpoint"] == f"checkpoints/{folder.name}"
    kid, spread = (scores[name]["generated"] for name in ("kid", "kid_spread"))
    assert f"KID x 1000 is **{kid:.0f} ± {spread:.0f}**" in card
    assert f"| mode `paper` {row} {generated} |" in card
    assert f"| real photos | 0 | | 1 | 1 | {target} |" in card
    elsewhere = "benchmarks" if folder != SHIPPED_GENERATOR else "pix2pix_ms"
    text = " ".join((SHIPPED.parent / elsewhere / "README.md").read_text().split())
    assert f"reaches {generated}" in text
    assert folder != SHIPPED_GENERATOR or f"where their real photos reach {target}" in text
    assert (scores["images"], scores["mode"]) == (100, "paper")


@of_facades
def test_the_cards_curve_is_what_was_recorded(folder: Path) -> None:
    with (folder / "kid.csv").open() as file:
        rows = list(csv.DictReader(file))
    card = (SHIPPED / "README.md").read_text().split(f"## {folder.name}:")[1].split("\n## ")[0]
    heads = " | ".join(f"λ {row['lambda_l1']}: {row['epoch']}" for row in rows)
    assert f"| after | {heads} |" in card
    kids = " | ".join(f"{float(row['kid']):.0f}" for row in rows)
    assert f"| KID x 1000 | {kids} |" in card


@pytest.mark.slow
@of_facades
def test_a_generator_makes_doors_darker_than_walls_and_what_the_segmenter_reads(
    folder: Path,
) -> None:
    """Of a procedural label map, the like of which neither has seen; far better than by chance."""
    generator, config = checkpoints.load_generator(folder)
    label_map = facade(100_001, config.size).label_map
    image = Translator(generator, replace(config, jit=False)).image(label_map)
    classes = classes_of(label_map)
    wall, door = (image[classes == list(PALETTE).index(kind)].mean() for kind in ("facade", "door"))
    assert wall > door + 30
    assert image.std(axis=(0, 1)).min() > 20, "a grey image"
    read = load_segmenter(SHIPPED_SEGMENTER)
    assert (read(image) == classes).mean() > 0.45
    assert checkpoints.load(checkpoints.file_of(SHIPPED_SEGMENTER))[1].levels == SEGMENTER.levels


def edges(picture: np.ndarray) -> np.ndarray:
    """Where brightness changes: a unit vector without mean."""
    grey = picture.astype(float).mean(2)
    steps = np.concatenate([np.abs(np.diff(grey, axis=axis)).ravel() for axis in (0, 1)])
    steps -= steps.mean()
    return steps / np.linalg.norm(steps)


@pytest.mark.slow
def test_day_becomes_night_and_day_again() -> None:
    """Of a house no training has seen: edges are where its own night has them, not another's."""
    to_night, to_day = (
        Translator(*checkpoints.load_generator(DAY_NIGHT, direction))
        for direction in ("AtoB", "BtoA")
    )
    day = styled(6000, 64, "stucco")
    made = to_night.image(day)
    own, *others = (edges(made) @ edges(styled(seed, 64, "night")) for seed in range(6000, 6006))
    assert own > 1.5 * max(others)
    assert made.mean() < day.mean() / 2
    assert np.abs(to_day.image(made) - day.astype(float)).mean() < 25


def test_the_card_of_day_and_night_has_the_measured_scores() -> None:
    """Those of real pictures, how long it took and how large it is, too."""
    card = (SHIPPED / "README.md").read_text().split(f"## {DAY_NIGHT.name}:")[1].split("\n## ")[0]
    with (DAY_NIGHT / "log.csv").open() as file:
        log = list(csv.DictReader(file))
    seconds, steps = sum(float(row["seconds"]) for row in log), int(log[-1]["step"])
    assert f"{log[-1]['epoch']} epochs, {steps:,} steps of\nsome {seconds / steps:.2f} s" in card
    assert f" {seconds / 60:.0f} minutes of two cores" in card
    weights, _, _ = checkpoints.load(checkpoints.file_of(DAY_NIGHT))
    assert f"{sum(int(w.size) for w in weights.values()) / 2e6:.1f} million numbers each" in card
    reals = []
    for way, words in (("AtoB", "day to night"), ("BtoA", "night to day")):
        found = json.loads((DAY_NIGHT / f"scores_{way}.json").read_text())
        names = ("kid", "kid_spread", "l1", "ssim", "weave")
        kid, spread, l1, ssim, weave = (found[name]["generated"] for name in names)
        row = f"{kid:.0f} ± {spread:.0f} | {l1:.3f} | {ssim:.3f} | {weave:.1f}"
        assert f"| {words} | {row} |" in card
        reals.append(f"{abs(found['kid']['target']):.0f}")
    assert f"real ones is {reals[0]} (nights) and {reals[1]} (days)" in card


def test_the_card_of_the_colouriser_has_the_measured_scores() -> None:
    card = (SHIPPED / "README.md").read_text().split(f"## {COLOURS.name}:")[1].split("\n## ")[0]
    found = json.loads((COLOURS / "scores.json").read_text())
    l1, psnr, ssim, kid, spread = (
        found[name]["generated"] for name in ("l1", "psnr", "ssim", "kid", "kid_spread")
    )
    colours = [each["generated"] for each in found["histogram_intersection"].values()]
    row = f"{l1:.3f} | {psnr:.2f} | {ssim:.3f} | {' / '.join(f'{c:.3f}' for c in colours)}"
    assert f"| val | {row} | {kid:.0f} ± {spread:.0f} |" in card
    real = f"{abs(found['kid']['target']):.0f} ± {found['kid_spread']['target']:.0f}"
    assert f"real ones have {real} (val)" in card
    with (COLOURS / "log.csv").open() as file:
        log = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in log] == list(range(10 + 15 + 12 + 1))
    assert f"were {sum(float(row['seconds']) for row in log) / 60:.0f} minutes" in card


@pytest.mark.slow
def test_the_colouriser_keeps_the_lightness_and_paints_the_sky_bluer_than_the_wall() -> None:
    """Of a house in stucco by day, which is no photo."""
    photo = styled(6000, 256, "stucco")
    made = Translator(*checkpoints.load_generator(COLOURS)).image(photo)
    assert made.shape == photo.shape
    assert np.abs(lightness(made).astype(int) - lightness(photo)).mean() < 3
    wall = classes_of(facade(6000, 256).label_map) == list(PALETTE).index("facade")
    blue = made[..., 2].astype(int) - made[..., 0]
    assert blue[:20].mean() > blue[wall].mean() + 5


@pytest.mark.parametrize(
    "folder", [*GENERATORS, COLOURS, DAY_NIGHT, SHIPPED_SEGMENTER], ids=lambda p: p.name
)
def test_no_path_of_one_machine_is_in_them(folder: Path) -> None:
    for path in folder.iterdir():
        assert b"/tmp/" not in path.read_bytes() and b"/work/" not in path.read_bytes()
