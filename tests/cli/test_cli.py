"""The command's words, its one-line errors and its exit statuses."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
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
from tests.runs import TINY, call, options, output, refusal

SMALL = [*options(TINY), "--epochs", "2"]
COMPILED = ["--ngf", "4", "--ndf", "4", "--epochs", "2", "--device", "CPU"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("cli") / "run"
    said = output("train", *SMALL, "--facades", 6, "--out", folder)
    assert said.splitlines()[-1].startswith(f"open {folder}/samples/epoch_002.png")
    return Run(folder)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(np.hstack(facade(seed, 64))).save(folder / f"{seed}.png")
    return folder


def test_help_names_every_command_and_setting() -> None:
    words = output("--help")
    names = "prepare train translate generate evaluate segmenter convert export download info"
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
        assert said == f"4 images in {tmp_path / mode}\n"
        shown = np.asarray(Image.open(tmp_path / mode / "0.png"))
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
    assert output(*words, "a") == "1 images in a\n"
    output(*words, "b", "--checkpoint", tmp_path / "shipped")
    assert (tmp_path / "a/one.png").read_bytes() == (tmp_path / "b/one.png").read_bytes()


def test_train_takes_a_folder_of_images(images: Path, tmp_path: Path) -> None:
    output("train", *SMALL, "--epochs", 1, "--data", images, "--out", tmp_path / "run")
    assert (tmp_path / "run" / "data" / "train.mindrecord").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --data none", "none: expected a folder of images"),
        ("train --batch-size 50 --facades 6", "batch_size: expected at most the 5 training pairs"),
        ("train --size 32 --n-layers 4", "n_layers: expected at most 3"),
        ("train --size 2048 --jitter-size 2048", "size: expected at most 1024"),
        ("train --size 50 --jitter-size 50", "size: expected a multiple of 32 (32 or 64)"),
        ("train --size 100 --jitter-size 100", "size: expected a multiple of 64 (64 or 128)"),
        ("train --data {images} --input-channels 1", "runs/quick/data/train.mindrecord: expected"),
        ("train --device Ascend", "device: expected Ascend, found only"),
        ("prepare nowhere out", "nowhere: expected a folder of images"),
        ("translate x.png --out out --checkpoint x.ckpt", "x.ckpt: expected a checkpoint, found"),
        ("download nothing", "data set: expected one of"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_no_run(
    words: str, message: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the same words work once the mistake is mended."""
    monkeypatch.chdir(tmp_path)
    name, *more = words.format(images=images).split()
    line = refusal(name, *(SMALL if name == "train" else []), *more)
    assert line.startswith(f"error: {message}")
    assert not Run(tmp_path / "runs/quick").exists()


# What each command writes, where `out` is a folder in which something is, and what it must name.
OUTPUTS = {
    "prepare": ("prepare {images} {out}", "train.mindrecord"),
    "prepare, held out": ("prepare {images} {out}", "val.mindrecord"),
    "translate": ("translate {images} --checkpoint {run} --out {out}", "2.png"),
    "generate": ("generate {gan} --count 2 --out {out}", "0001.png"),
    "evaluate": ("evaluate {run} --data {records} --json {out}/x.json", "x.json"),
    "evaluate, images": ("evaluate {run} --data {records} --save-images {out}",
                         "target/facade_1.png"),
    "segmenter": ("segmenter --data {records} --out {out}/s.ckpt --size 32 --ngf 4 --epochs 1 "
                  "--device CPU", "s.ckpt"),
    "convert": ("convert {run} {out}/g.pth", "g.pth"),
    "convert, both": ("convert {run} {out}/g.pth --discriminator {out}/d.pth", "d.pth"),
    "convert, back": ("convert {pth} {out}/g.ckpt", "g.ckpt"),
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


def test_what_is_empty_may_be_filled_and_a_folder_is_no_file(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.json").touch()  # as mktemp makes it
    words = ("evaluate", sources["run"], "--data", sources["records"], "--json")
    output(*words, tmp_path / "x.json", "--save-images", tmp_path / "folder")
    line = refusal(*words, tmp_path / "folder", "--force", about=tmp_path / "folder")
    assert line.endswith("is a folder; give the name of a file")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refusal("train", *SMALL, "--out", tmp_path / "file", about=tmp_path / "file")


def test_a_run_is_not_continued_on_other_data(images: Path, run: Run, tmp_path: Path) -> None:
    output("prepare", images, tmp_path / "records")
    words = ("train", "--resume", "--data", tmp_path / "records", "--out", run.folder)
    refusal(*words, about=run.data_file)


def test_a_run_finds_its_data_again(images: Path, tmp_path: Path) -> None:
    """Without --data it goes on with the records it began with, not with procedural facades."""
    record = tmp_path / "records" / "mine.mindrecord"
    output("prepare", images, record.parent, "--split", "mine")
    words = ["train", *SMALL, "--out", tmp_path / "run", "--resume", "--epochs"]
    output(*words, 1, "--data", record)
    assert f"3 pairs from {record}" in output(*words, 2)
    assert not (tmp_path / "run" / "data").exists()


def test_the_installed_command_translates(tmp_path: Path) -> None:
    """In a process of its own, where nothing has been imported before."""
    Image.fromarray(facade(1, 64).label_map).save(tmp_path / "one.png")
    checkpoint = Path(__file__).parents[2] / "checkpoints" / "facades_64.ckpt"
    words = ["translate", tmp_path / "one.png", "--out", tmp_path / "out", "--checkpoint"]
    program = [sys.executable, "-m", "pix2pix_ms", *words]
    done = subprocess.run([*program, checkpoint], capture_output=True, text=True, check=True)
    assert done.stdout == f"1 images in {tmp_path / 'out'}\n"

    half = tmp_path / "half.ckpt"
    half.write_bytes(checkpoint.read_bytes()[:1_000_000])
    failed = subprocess.run([*program, half], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert f"error: {half}: " in failed.stderr
    assert "Traceback" not in failed.stderr


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


def interrupted(words: list[str], moment: Callable[[], bool]) -> tuple[int, str]:
    """Press Ctrl-C on a command shortly after a moment; return its exit status and only line.

    At a terminal, where it is what people press: MindSpore makes SIGTERM of it while a graph runs,
    and only there is it told from one that was meant.
    """
    program = [sys.executable, "-m", "pix2pix_ms", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    ours, theirs = os.openpty()
    with tempfile.TemporaryDirectory() as place:
        process = subprocess.Popen(program, text=True, stdin=theirs, cwd=place, **pipes)
        try:
            until = time.monotonic() + 120
            while not moment() and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(0.4)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:  # so that a failure is not the next test's too
            process.kill()
            process.communicate()
            os.close(theirs)
            os.close(ours)
        assert not list(Path(place).iterdir())
    (line,) = errors.splitlines()
    return process.returncode, line


def test_ctrl_c_keeps_the_last_checkpoint_and_says_how_to_go_on(tmp_path: Path) -> None:
    """In the middle of an epoch, as a person would press it; then go on with what it printed."""
    run = Run(tmp_path / "a run")
    begun = ["train", *COMPILED, "--epochs", "60", "--facades", "60"]
    words = [*begun, "--out", str(run.folder)]

    def saved_epoch_2() -> bool:
        """The checkpoint is written after the log, and only then does epoch 2 count."""
        if len(run.log()) != 3:
            return False
        with suppress(FileNotFoundError):  # where the last is the previous one already
            return run.last.stat().st_mtime_ns > run.log_file.stat().st_mtime_ns
        return False

    status, line = interrupted(words, saved_epoch_2)
    assert status == 130
    assert re.search(r"last.ckpt holds epoch \d+( and \d+ steps? more)?; go on with: pix2pix", line)
    assert line.endswith(f"{' '.join(begun)} --out '{run.folder}' --resume")
    epochs = len(run.log())
    output(*words, "--resume", "--epochs", epochs)
    assert len(run.log()) == epochs + 1


def test_ctrl_c_while_a_graph_compiles_is_answered(tmp_path: Path) -> None:
    """The step's, which compiles right after the untrained network is saved."""
    run = Run(tmp_path / "run")
    words = ["train", *COMPILED, "--facades", "20", "--out", str(run.folder)]
    status, line = interrupted(words, run.last.is_file)
    assert status == 130
    assert "last.ckpt holds epoch 0; go on with:" in line


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
