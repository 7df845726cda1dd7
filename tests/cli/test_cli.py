"""The command's words, its one-line errors and its exit statuses."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.cli.commands import command
from pix2pix_ms.config.family import GANConfig
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.exchange.export import export
from pix2pix_ms.family.gan.task import model_of
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.run import Run
from tests.runs import REPOSITORY, TINY, call, options, output, refusal, save_pairs

SMALL = options(TINY | {"epochs": 2})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("cli") / "run"
    said = output("train", *SMALL, "--facades", 6, "--out", folder)
    assert said.splitlines()[-1].startswith(f"open {folder}/report.html: every epoch's")
    return Run(folder)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return save_pairs(tmp_path / "images", 4, 64)


def test_help_names_every_command_and_setting() -> None:
    words = output("--help")
    names = (
        "prepare train report translate generate draw evaluate segmenter convert export download "
    )
    names += "info"
    assert sorted(command.commands) == sorted(names.split())
    assert all(name in words for name in names.split())
    settings = output("train", "--help")
    offered = {entry.name for entry in fields(Config)} - {"ranks", "start_from"}
    assert all(f"--{name.replace('_', '-')}" in settings for name in offered)
    assert "--ranks" not in settings  # which msrun decides
    assert "--from" in settings and "--start-from" not in settings


def test_help_loads_no_mindspore() -> None:
    code = (
        "import sys; from pix2pix_ms.cli.commands import command\n"
        "command(['train', '--help'], standalone_mode=False)\n"
        "sys.exit('mindspore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_run_is_logged_and_continued_with_its_settings(run: Run) -> None:
    assert [row["epoch"] for row in run.log()] == [0, 1, 2]
    assert run.config().ngf == 4
    assert "epoch 1" not in output("train", "--resume", "--out", run.folder)
    line = refusal("train", *SMALL, "--out", run.folder, about=run.folder)
    assert "expected a new folder" in line


def test_prepare_and_train_and_translate(images: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    said = output("prepare", images, records, "--val-ratio", "0.25").splitlines()
    pairs = [f"{records}/train.mindrecord: 3 pairs", f"{records}/val.mindrecord: 1 pairs"]
    assert said[-2:] == pairs
    words = ["--epochs", 1, "--direction", "BtoA", "--data", records, "--out", tmp_path / "run"]
    output("train", *SMALL, *words)
    for mode in ("paper", "eval"):
        said = output("translate", images, "--out", tmp_path / mode, "--mode", mode,
                      "--checkpoint", tmp_path / "run", "--side-by-side", "--pairs")  # fmt: skip
        enlarged, count = said.splitlines()
        assert "--fit whole" in enlarged
        assert count == f"4 images in {tmp_path / mode}"
        shown = np.asarray(Image.open(tmp_path / mode / "facade_0.png"))
        np.testing.assert_array_equal(shown[:, :64], facade(0, 64).photo)


def test_translate_takes_the_generator_that_ships(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(facade(1, 64).label_map).save(tmp_path / "one.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoints, "SHIPPED_GENERATOR", tmp_path / "shipped")
    words = ("translate", "one.png", "--out")
    assert refusal(*words, "a", about=tmp_path / "shipped").endswith("with --checkpoint")
    export(run.last, tmp_path / "shipped" / "generator.safetensors")
    enlarged, count = output(*words, "a").splitlines()
    assert enlarged.startswith("one.png: larger than the 32x32 that the network sees")
    assert count == "1 images in a"
    output(*words, "b", "--checkpoint", tmp_path / "shipped")
    assert (tmp_path / "a/one.png").read_bytes() == (tmp_path / "b/one.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --data none", "none: expected a folder of images"),
        ("train --batch-size 50 --facades 6", "batch_size: expected at most the 5 training pairs"),
        ("train --n-layers 4 --facades 6", "n_layers: expected at most 3"),
        ("train --size 2048 --jitter-size 2048", "size: expected at most 1024"),
        ("train --levels 1000000000000", "levels: expected at most 14"),
        ("train --data {images} --input-channels 1", "runs/quick/data/train.mindrecord: expected"),
        ("train --device Ascend", "device: expected Ascend, found only"),
        ("train --out {images}/facade_0.png", "{images}/facade_0.png"),
        ("prepare nowhere out", "nowhere: expected a folder of images"),
        ("report {images}", "{images}: expected the folder of a run, found no config.json"),
        ("translate x.png --out out --checkpoint x.ckpt", "x.ckpt: expected a checkpoint, found"),
        ("segmenter --data {records} --out x.png", "x.png: expected a name ending in .ckpt"),
        ("convert {run} x.pth --discriminator ./x.pth", "x.pth: expected a file for the generator"),
        ("download nothing", "data set: expected one of"),
        ("info --device CPU", "--device CPU: expected --check"),
    ],
)
def test_mistakes_are_refused_in_one_line_and_leave_no_run(
    words: str,
    message: str,
    sources: dict[str, Path],
    images: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that the same words work once the mistake is mended."""
    monkeypatch.chdir(tmp_path)
    name, *more = words.format(**sources, images=images).split()
    refusal(name, *(SMALL if name == "train" else []), *more, about=message.format(images=images))
    assert not Run(tmp_path / "runs/quick").exists()
    assert {place.name for place in tmp_path.iterdir()} <= {"images", "runs"}


# What each command writes, where `out` is a folder in which something is, and what it must name.
OUTPUTS = {
    "prepare": ("prepare {images} {out}", "train.mindrecord"),
    "prepare, held out": ("prepare {images} {out}", "val.mindrecord"),
    "translate": ("translate {images} --checkpoint {run} --out {out}", "facade_2.png"),
    "generate": ("generate {gan} --count 2 --out {out}", "0001.png"),
    "evaluate": ("evaluate {run} --data {records} --json {out}/x.json", "x.json"),
    "evaluate, images": ("evaluate {run} --data {records} --save-images {out}",
                         "target/facade_1.png"),
    "segmenter": ("segmenter --data {records} --out {out}/s.ckpt --size 32 --ngf 4 --epochs 1 "
                  "--device CPU", "s.ckpt"),
    "convert": ("convert {run} {out}/g.pth", "g.pth"),
    "convert, both": ("convert {run} {out}/g.pth --discriminator {out}/d.pth", "d.pth"),
    "convert, back": ("convert {pth} {out}/g.ckpt", "g.ckpt"),
    "report": ("report {run} --out {out}/x.html", "x.html"),
    "export": ("export {run} --out {out}/g.safetensors", "g.safetensors"),
    "export, config": ("export {run} --out {out}/g.safetensors", "config.json"),
    "export, graph": ("export {run} --out {out}/g.onnx", "g.onnx"),
}  # fmt: skip


@pytest.fixture(scope="module")
def sources(run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What the commands read."""
    folder = tmp_path_factory.mktemp("sources")
    gan = GANConfig(ngf=4, ndf=4)
    checkpoints.save(model_of(gan).inference_parameters().values(), folder / "gan.ckpt", gan)
    write_record(facade_pairs(6, 32), folder / "pairs.mindrecord")
    output("convert", run.folder, folder / "g.pth")
    names = {"gan": "gan.ckpt", "records": "pairs.mindrecord", "pth": "g.pth"}
    return {"run": run.folder} | {name: folder / file for name, file in names.items()}


@pytest.mark.parametrize("case", OUTPUTS)
def test_no_output_replaces_what_is_there_without_force(
    case: str, sources: dict[str, Path], images: Path, tmp_path: Path
) -> None:
    words, file = OUTPUTS[case]
    out = tmp_path / "out"
    there, other = out / file, out / "other"
    there.parent.mkdir(parents=True)
    for place in (there, other):
        place.write_text("mine")
    parts = words.format(**sources, images=images, out=out).split()
    line = refusal(*parts, about=out if "--save-images" in words else there)
    assert line.endswith(" exists; give another name, or --force to replace it")
    assert sorted(path for path in out.rglob("*") if path.is_file()) == sorted([there, other])
    assert there.read_text() == "mine"
    output(*parts, "--force")
    assert other.read_text() == "mine"
    assert there.exists() == (case != "prepare, held out"), "which would be of other pairs"
    assert not there.exists() or there.read_bytes() != b"mine"


def test_an_empty_output_may_be_filled_and_a_folder_or_pipe_is_no_file(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.json").touch()  # as mktemp makes it
    words = ("evaluate", sources["run"], "--data", sources["records"], "--json")
    output(*words, tmp_path / "x.json", "--save-images", tmp_path / "folder")
    line = refusal(*words, tmp_path / "folder", "--force", about=tmp_path / "folder")
    assert line.endswith("is a folder; give the name of a file")
    os.mkfifo(tmp_path / "pipe")
    refusal(*words, tmp_path / "pipe", about=f"{tmp_path / 'pipe'} exists; ")


def test_the_installed_command_translates(tmp_path: Path) -> None:
    """In a process of its own, where nothing has been imported before."""
    Image.fromarray(facade(1, 64).label_map).save(tmp_path / "one.png")
    checkpoint = REPOSITORY / "checkpoints" / "facades_64.ckpt"
    words = ["translate", tmp_path / "one.png", "--out", tmp_path / "out"]
    program = [sys.executable, "-m", "pix2pix_ms", *words, "--checkpoint", checkpoint]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stdout == f"1 images in {tmp_path / 'out'}\n"


def test_info_says_what_is_installed() -> None:
    words = output("info")
    assert "mindspore 2." in words
    assert "devices: CPU" in words


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = call("--debug", "prepare", tmp_path / "nowhere", tmp_path / "out")
    assert result.exit_code == 1
    assert "nowhere" in str(result.exception)


@pytest.mark.parametrize("words", ["train --norm layer", "train --device TPU", "paint", "prepare",
                                   "evaluate x", "generate x --out y --count 0"])  # fmt: skip
def test_wrong_words_are_usage_errors(words: str) -> None:
    assert call(*words.split()).exit_code == 2


@pytest.mark.parametrize(("make", "sides"), [("lab", (1, 2)), ("edges", (1, 3))])
def test_the_three_commands_for_pictures_of_your_own(
    tmp_path: Path, make: str, sides: tuple[int, int]
) -> None:
    photos, records, run = tmp_path / "my photos", tmp_path / "records", tmp_path / "run"
    photos.mkdir()
    for seed in range(5):
        photo = Image.fromarray(facade(seed, 128).photo[:80])
        photo.save(photos / f"房子 {seed}.jpg", quality=90)
    assert "4 pairs" in output("prepare", photos, records, "--make", make, "--val-ratio", 0.2)
    words = ["train", *SMALL, "--width", 64, "--fit", "crop", "--data", records, "--out", run]
    assert "64x32" in output(*words)
    config = Run(run).config()
    assert (config.input_channels, config.target_channels) == sides
    assert config.colours == ("lab" if make == "lab" else "rgb")
    output(*words, "--resume")
    output("translate", photos, "--checkpoint", run, "--out", tmp_path / "out")
    with Image.open(tmp_path / "out/房子 1.png") as image:
        assert (image.size, image.mode) == ((128, 80), "RGB")
