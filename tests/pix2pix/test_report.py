"""The command `evaluate`, from a checkpoint and pairs to numbers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import SEGMENTER, Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import classes_of, facade
from pix2pix_ms.data.images import Pair, read_image, to_pixels
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.exchange.export import export
from pix2pix_ms.pix2pix.measures import report
from pix2pix_ms.pix2pix.measures.evaluate import evaluate_checkpoint
from pix2pix_ms.pix2pix.measures.scores import confusion, score, segmentation_scores
from pix2pix_ms.pix2pix.measures.segmenter import Segmenter, load_segmenter
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.translate import Translator, to_network
from pix2pix_ms.training import checkpoints
from tests.runs import call, output, refusal, saved

SEEDS = range(50, 53)
FACADES = [facade(seed, 64) for seed in SEEDS]
SEGMENTATION = {"pixel_accuracy", "class_accuracy", "class_iou"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, eager: Config) -> Path:
    """Untrained checkpoints, in both directions, a segmenter, and held-out records."""
    folder = tmp_path_factory.mktemp("report")
    saved(UNet(eager), eager, folder / "photos" / "checkpoints" / "last.ckpt")
    back = replace(eager, direction="BtoA")
    saved(UNet(back), back, folder / "labels.ckpt")
    config = replace(SEGMENTER, size=64, ngf=4, jit=False)
    saved(Segmenter(config), config, folder / "segmenter.ckpt")
    for name, first in (("train", 0), ("val", SEEDS[0])):
        write_record(facade_pairs(len(SEEDS), 64, first), folder / "records" / f"{name}.mindrecord")
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """The held-out pairs as pictures side by side, twice as large."""
    for split, first in (("train", 0), ("test", SEEDS[0])):
        (tmp_path / "images" / split).mkdir(parents=True)
        for pair in facade_pairs(len(SEEDS), 128, first):
            picture = Image.fromarray(np.hstack(pair[:2]))
            picture.save(tmp_path / "images" / split / f"{pair.name}.png")
    return tmp_path / "images"


def evaluated(checkpoint: Path, *words: str | Path) -> tuple[dict[str, Any], str]:
    """Return the JSON of `evaluate`, by default of the held-out records, and what it printed."""
    data = () if "--data" in words else ("--data", checkpoint.parent / "records")
    file = checkpoint.parent / "report.json"
    printed = output("evaluate", checkpoint, *data, *words, "--json", file, "--force")
    return json.loads(file.read_text()), printed


def test_photos_without_a_segmenter(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHIPPED_SEGMENTER", tmp_path / "not there")
    found, printed = evaluated(folder / "photos")
    assert found["images"] == 3
    assert (found["mode"], found["target"], found["direction"]) == ("paper", "photos", "AtoB")
    assert found["data"] == f"the split val of {folder / 'records'}"
    assert found["segmentation"] is None and found["segmenter"] is None
    histograms = found["histogram_intersection"]
    assert histograms.keys() == {"L", "a", "b"}
    assert all(0 < both["generated"] < 1 == both["target"] for both in histograms.values())

    generate = Translator(*checkpoints.load_generator(folder / "photos"))
    pairs = [[to_network(image, (64, 64)) for image in pair] for pair in FACADES]
    each = [score(generate(x[None])[0], y) for x, y in pairs]
    for name, perfect in (("l1", 0.0), ("psnr", None), ("ssim", 1.0)):
        mean = np.mean([getattr(scores, name) for scores in each])
        assert found[name]["generated"] == pytest.approx(mean, rel=1e-5)
        assert found[name]["target"] == perfect

    lines = printed.splitlines()
    assert lines[0].startswith(f"3 images, the split val of {folder / 'records'}; AtoB at 64x64")
    assert lines[1].split() == ["generated", "target"]
    assert lines[3].split() == ["PSNR,", "dB", f"{found['psnr']['generated']:.3f}", "-"]
    assert any("train one with `pix2pix-ms segmenter" in line for line in lines)


def test_without_one_named_the_segmenter_that_ships_reads(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHIPPED_SEGMENTER", tmp_path / "shipped")
    export(folder / "segmenter.ckpt", tmp_path / "shipped" / "segmenter.safetensors")
    found, printed = evaluated(folder / "photos")
    assert found["segmenter"] == str(tmp_path / "shipped")
    assert found["segmentation"].keys() == SEGMENTATION
    assert f"photos read by {tmp_path / 'shipped'}" in printed
    assert "photos read by" not in evaluated(folder / "photos", "--target", "other")[1]
    assert evaluated(folder / "labels.ckpt")[0]["segmenter"] is None


@pytest.mark.parametrize("target", ["photos", "labels"])
def test_segmentation_scores_are_those_of_the_pictures(folder: Path, target: str) -> None:
    """Photos are read by a segmenter, label maps need none."""
    if target == "photos":
        reader = folder / "segmenter.ckpt"
        found, _ = evaluated(folder / "photos", "--segmenter", reader)
        side, read = "target", load_segmenter(reader)
        pictures = [read(pair.photo) for pair in FACADES]
    else:
        found, _ = evaluated(folder / "labels.ckpt")
        side = "generated"
        generate = Translator(*checkpoints.load_generator(folder / "labels.ckpt"))
        painted = [generate(to_network(pair.photo, (64, 64))[None])[0] for pair in FACADES]
        pictures = [classes_of(to_pixels(image)) for image in painted]
        assert all(both["target"] == 1 for both in found["segmentation"].values())
    assert found["target"] == target
    truths = [classes_of(pair.label_map) for pair in FACADES]
    expected = segmentation_scores(sum(map(confusion, truths, pictures)))._asdict()
    scores = {name: both[side] for name, both in found["segmentation"].items()}
    assert scores == pytest.approx(expected)


def test_a_perfect_generator_scores_as_the_targets_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both images of each pair are the same, and the generator returns its input."""
    monkeypatch.setattr(Translator, "__call__", lambda _, x, _index: x)
    pairs = (Pair(pair.a, pair.a, pair.name) for pair in facade_pairs(2, 64))
    write_record(pairs, tmp_path / "same.mindrecord")
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        found = evaluate_checkpoint(folder / "photos", tmp_path / "same.mindrecord")
    assert found.psnr == (None, None)
    assert found.segmentation is not None
    measures = [*found.histogram_intersection.values(), *found.segmentation.values()]
    assert all(one == other for one, other in (found.l1, found.ssim, *measures))
    json.loads(found.to_json())


def test_images_are_saved_under_equal_names(folder: Path, images: Path, tmp_path: Path) -> None:
    """From pictures of another size than the network's; of the splits, test is measured."""
    out = tmp_path / "out" / "pngs"
    words = ("evaluate", folder / "photos", "--data", images, "--save-images", out)
    assert f"3 images, the split test of {images}" in output(*words)
    names = [f"facade_{seed}.png" for seed in SEEDS]
    for place in ("input", "generated", "target"):
        assert sorted(file.name for file in (out / place).iterdir()) == names
        assert read_image(out / place / names[0]).shape == (64, 64, 3)
    assert list(out.parent.iterdir()) == [out]
    (out / "generated" / "facade_older.png").touch()
    refusal(*words, about=out)
    output(*words, "--force")
    assert sorted(file.name for file in (out / "generated").iterdir()) == names, "of this run alone"
    file = out / "input" / names[0]
    refusal(*words[:-1], file, "--force", about=file)
    shown = read_image(out / "target" / names[0]).astype(float)
    exact = np.asarray(Image.fromarray(facade(SEEDS[0], 128).photo).resize((64, 64), 3))
    assert np.abs(shown - exact).max() <= 1
    assert sorted(tmp_path.iterdir()) == [images, out.parent]


def test_images_without_splits_and_files_are_taken_whole(folder: Path, images: Path) -> None:
    for place in (images / "test", folder / "records" / "train.mindrecord"):
        said = output("evaluate", folder / "photos", "--data", place)
        assert f"3 images, all pairs of {place}" in said


def test_what_is_neither_photo_nor_label_map_still_has_colours(
    folder: Path, tmp_path: Path
) -> None:
    pairs = (Pair(pair.b, pair.b, pair.name) for pair in facade_pairs(2, 64))
    write_record(pairs, tmp_path / "x.mindrecord")
    words = ["evaluate", folder / "photos", "--data", tmp_path / "x.mindrecord"]
    lines = output(*words).splitlines()
    assert lines[-1].startswith("segmentation: needs label maps in the colours of CMP Facade")
    reader = folder / "segmenter.ckpt"
    assert "no label maps" in refusal(*words, "--segmenter", reader, about=reader)
    output(*words, "--segmenter", reader, "--target", "photos")
    # The segmenter that ships is used only where the colours show photos and label maps.
    assert "photos read by" not in output(*words, "--target", "photos")


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("{good} --data {tmp}/none", "{tmp}/none"),
        ("{good} --data {tmp}/none.mindrecord", "{tmp}/none.mindrecord"),
        ("{good} --data {tmp}/empty", "{tmp}/empty"),
        ("{good} --data {tmp}/trained", "{tmp}/trained"),
        ("{good} --data {images}", "{images}"),
        ("{good} --data {tmp}/twice.mindrecord", "{tmp}/twice.mindrecord"),
        ("{tmp}/x.ckpt --data {data}", "{tmp}/x.ckpt"),
        ("{reader} --data {data}", "{reader}"),
        ("{good} --data {data} --segmenter {last}", "{last}"),
        ("{good} --data {data} --segmenter {tmp}/x", "{tmp}/x"),
        ("{labels} --data {data} --segmenter {reader}", "{reader}"),
        ("{good} --data {data} --device Ascend", "device"),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_writes_nothing(
    folder: Path, images: Path, tmp_path: Path, words: str, about: str
) -> None:
    (tmp_path / "empty").mkdir()
    twice = (Pair(pair.a, pair.b, "same") for pair in facade_pairs(2, 64))
    write_record(twice, tmp_path / "twice.mindrecord")
    write_record(facade_pairs(2, 64), tmp_path / "trained" / "train.mindrecord")
    (images / "test").rename(tmp_path / "elsewhere")
    places = {
        "good": folder / "photos", "data": folder / "records", "labels": folder / "labels.ckpt",
        "reader": folder / "segmenter.ckpt", "last": folder / "photos/checkpoints/last.ckpt",
        "tmp": tmp_path, "images": images,
    }  # fmt: skip
    before = sorted(tmp_path.rglob("*"))
    given = words.format(**places).split()
    out = ("--json", tmp_path / "x.json", "--save-images", tmp_path / "pngs")
    refusal("evaluate", *given, *out, about=f"{about.format(**places)}: expected ")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_interruption_leaves_no_images(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "mean_scores", interrupt)  # after the images
    words = ["evaluate", folder / "photos", "--data", folder / "records"]
    outputs = ["--json", tmp_path / "x.json", "--save-images", tmp_path / "pngs"]
    assert call(*words, *outputs).exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_photos_measures_a_network_that_colours(tmp_path: Path) -> None:
    colours: dict[str, Any] = {"input_channels": 1, "target_channels": 2, "colours": "lab"}
    config = preset("quick", ngf=4, ndf=4, jit=False, **colours)
    checkpoints.save(UNet(config).get_parameters(), tmp_path / "x.ckpt", config)
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        Image.fromarray(facade(seed, 64).photo).save(tmp_path / f"photos/{seed}.png")
    report = evaluate_checkpoint(tmp_path / "x.ckpt", tmp_path / "photos")
    assert (report.images, report.target) == (2, "other")
    assert report.histogram_intersection["L"].generated > 0.3
