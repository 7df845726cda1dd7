"""The command `evaluate`, from a checkpoint and pairs to numbers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config, segmenter_config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import classes_of, facade
from pix2pix_ms.data.images import Pair, read_image, to_pixels
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.exchange.export import export
from pix2pix_ms.pix2pix.measures import report
from pix2pix_ms.pix2pix.measures.report import evaluate_checkpoint
from pix2pix_ms.pix2pix.measures.scores import score
from pix2pix_ms.pix2pix.measures.segmentation import confusion, segmentation_scores
from pix2pix_ms.pix2pix.measures.segmenter import Segmenter, load_segmenter
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.translate import Translator, to_network
from pix2pix_ms.training import checkpoints
from tests.runs import call, output, refusal, saved

SEEDS = range(50, 53)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny: Config) -> Path:
    """Untrained checkpoints, in both directions, a segmenter, and held-out records."""
    folder = tmp_path_factory.mktemp("report")
    saved(UNet(tiny), tiny, folder / "photos" / "checkpoints" / "last.ckpt")
    back = replace(tiny, direction="BtoA")
    saved(UNet(back), back, folder / "labels.ckpt")
    config = segmenter_config(size=64, ngf=4)
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


def numbers(*words: str | Path, json_file: Path) -> dict[str, Any]:
    output(*words, "--json", json_file)
    found: dict[str, Any] = json.loads(json_file.read_text())
    return found


def test_photos_without_a_segmenter(
    folder: Path, tmp_path: Path, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHIPPED_SEGMENTER", tmp_path / "not there")
    words = ["evaluate", folder / "photos", "--data", folder / "records"]
    found = numbers(*words, json_file=tmp_path / "new" / "x.json")
    assert {"l1", "psnr", "ssim", "histogram_intersection", "segmentation"} < found.keys()
    assert found["images"] == 3
    assert (found["mode"], found["target"], found["direction"]) == ("paper", "photos", "AtoB")
    assert found["data"] == f"the split val of {folder / 'records'}"
    assert found["segmentation"] is None and found["segmenter"] is None
    assert found["histogram_intersection"].keys() == {"L", "a", "b"}
    assert all(
        0 < m["generated"] < 1 == m["target"] for m in found["histogram_intersection"].values()
    )

    generate = Translator(checkpoints.load_generator(folder / "photos")[0], tiny)
    pairs = [[to_network(image, (64, 64)) for image in facade(seed, 64)] for seed in SEEDS]
    each = [score(generate(x[None])[0], y) for x, y in pairs]
    for name, perfect in (("l1", 0.0), ("psnr", None), ("ssim", 1.0)):
        mean = np.mean([getattr(scores, name) for scores in each])
        assert found[name]["generated"] == pytest.approx(mean, rel=1e-5)
        assert found[name]["target"] == perfect

    lines = output(*words).splitlines()
    assert lines[0].startswith(f"3 images, the split val of {folder / 'records'}; AtoB at 64x64")
    assert lines[1].split() == ["generated", "target"]
    assert lines[3].split() == ["PSNR,", "dB", f"{found['psnr']['generated']:.3f}", "-"]
    assert "train one with `pix2pix-ms segmenter" in lines[-1]


def test_without_one_named_the_segmenter_that_ships_reads(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHIPPED_SEGMENTER", tmp_path / "shipped")
    export(folder / "segmenter.ckpt", tmp_path / "shipped" / "segmenter.safetensors")
    words = ["evaluate", folder / "photos", "--data", folder / "records"]
    found = numbers(*words, json_file=tmp_path / "x.json")
    assert found["segmenter"] == str(tmp_path / "shipped")
    assert found["segmentation"].keys() == {"pixel_accuracy", "class_accuracy", "class_iou"}
    assert f"photos read by {tmp_path / 'shipped'}" in output(*words)
    assert "photos read by" not in output(*words, "--target", "other")
    words = ["evaluate", folder / "labels.ckpt", "--data", folder / "records"]
    assert numbers(*words, json_file=tmp_path / "y.json")["segmenter"] is None


def test_photos_are_read_by_the_segmenter(folder: Path, tmp_path: Path) -> None:
    words = ["evaluate", folder / "photos", "--data", folder / "records", "--segmenter"]
    found = numbers(*words, folder / "segmenter.ckpt", json_file=tmp_path / "x.json")
    scores = found["segmentation"]
    assert scores.keys() == {"pixel_accuracy", "class_accuracy", "class_iou"}
    read = load_segmenter(folder / "segmenter.ckpt")
    facades = [facade(seed, 64) for seed in SEEDS]
    counts = sum(confusion(classes_of(pair.label_map), read(pair.photo)) for pair in facades)
    expected = segmentation_scores(counts)._asdict()
    assert {name: both["target"] for name, both in scores.items()} == pytest.approx(expected)


def test_label_maps_need_no_segmenter(folder: Path, tmp_path: Path, tiny: Config) -> None:
    words = ["evaluate", folder / "labels.ckpt", "--data", folder / "records"]
    found = numbers(*words, json_file=tmp_path / "x.json")
    assert found["target"] == "labels"
    generate = Translator(checkpoints.load_generator(folder / "labels.ckpt")[0], tiny)
    facades = [facade(seed, 64) for seed in SEEDS]
    painted = [to_pixels(generate(to_network(pair.photo, (64, 64))[None])[0]) for pair in facades]
    counts = sum(
        confusion(classes_of(pair.label_map), classes_of(picture))
        for pair, picture in zip(facades, painted, strict=True)
    )
    expected = segmentation_scores(counts)._asdict()
    scores = found["segmentation"]
    assert {name: both["generated"] for name, both in scores.items()} == pytest.approx(expected)
    assert all(both["target"] == 1 for both in scores.values())


def test_a_perfect_generator_scores_as_the_targets_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both images of each pair are the same, and the generator gives its input back."""
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


def test_runs_and_modes_repeat_and_modes_differ(folder: Path, tmp_path: Path) -> None:
    words = ["evaluate", folder / "photos", "--data", folder / "records", "--segmenter"]
    words = [*words, folder / "segmenter.ckpt", "--mode"]
    for name, mode in (("1", "paper"), ("2", "paper"), ("3", "eval"), ("4", "eval")):
        numbers(*words, mode, json_file=tmp_path / name)
    first, again, still, still_again = ((tmp_path / name).read_text() for name in "1234")
    assert first == again
    assert still == still_again
    assert first.replace("paper", "eval") != still


def test_images_are_saved_under_equal_names(folder: Path, images: Path, tmp_path: Path) -> None:
    """From pictures of another size than the network's; of the splits, test is taken."""
    out = tmp_path / "out" / "pngs"
    said = output("evaluate", folder / "photos", "--data", images, "--save-images", out)
    assert f"3 images, the split test of {images}" in said
    names = [f"facade_{seed}.png" for seed in SEEDS]
    for place in ("input", "generated", "target"):
        assert sorted(file.name for file in (out / place).iterdir()) == names
        assert read_image(out / place / names[0]).shape == (64, 64, 3)
    assert list(out.parent.iterdir()) == [out]
    (out / "generated" / "facade_older.png").touch()
    again = ("evaluate", folder / "photos", "--data", images, "--save-images", out)
    refusal(*again, about=out)
    output(*again, "--force")
    assert sorted(file.name for file in (out / "generated").iterdir()) == names, "of this run alone"
    file = out / "input" / names[0]
    refusal(*again[:-1], file, "--force", about=file)
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
    # Where the colours show no label map, the segmenter that ships is not asked of its own accord.
    assert "photos read by" not in output(*words, "--target", "photos")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{good} --data {tmp}/none", "{tmp}/none: expected a folder of images"),
        ("{good} --data {tmp}/none.mindrecord", "{tmp}/none.mindrecord: expected"),
        ("{good} --data {tmp}/empty", "{tmp}/empty: expected images"),
        ("{good} --data {tmp}/trained", "{tmp}/trained: expected a held-out split"),
        ("{good} --data {images}", "{images}: expected a held-out split"),
        ("{good} --data {tmp}/twice.mindrecord", "{tmp}/twice.mindrecord: expected plain names"),
        ("{tmp}/x.ckpt --data {data}", "{tmp}/x.ckpt: expected a checkpoint, found none"),
        ("{reader} --data {data}", "{reader}: expected a checkpoint with a generator"),
        ("{good} --data {data} --segmenter {last}", "{last}: expected a checkpoint with a segm"),
        ("{good} --data {data} --segmenter {tmp}/x", "{tmp}/x: expected a checkpoint"),
        ("{labels} --data {data} --segmenter {reader}", "{reader}: expected photos as targets"),
        ("{good} --data {data} --device Ascend", "device: expected Ascend"),
    ],
)
def test_what_cannot_be_measured_is_one_line_and_writes_nothing(
    folder: Path, images: Path, tmp_path: Path, words: str, message: str
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
    out = ("--json", tmp_path / "x.json", "--save-images", tmp_path / "pngs")
    refusal("evaluate", *words.format(**places).split(), *out, about=message.format(**places))
    assert sorted(tmp_path.rglob("*")) == before


def test_an_interruption_leaves_no_images(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(report.Tally, "add", interrupt)
    words = ["evaluate", folder / "photos", "--data", folder / "records"]
    outputs = ["--json", tmp_path / "x.json", "--save-images", tmp_path / "pngs"]
    assert call(*words, *outputs).exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_photos_measures_a_network_that_colours(tmp_path: Path) -> None:
    config = preset("quick", ngf=4, ndf=4, input_channels=1, target_channels=2, colours="lab")
    checkpoints.save(UNet(config).get_parameters(), tmp_path / "x.ckpt", config)
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        Image.fromarray(facade(seed, 64).photo).save(tmp_path / f"photos/{seed}.png")
    report = evaluate_checkpoint(tmp_path / "x.ckpt", tmp_path / "photos")
    assert (report.images, report.target) == (2, "other")
    assert report.histogram_intersection["L"].generated > 0.3
