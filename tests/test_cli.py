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
from click.testing import CliRunner, Result
from PIL import Image

from pix2pix_ms.cli.commands import command
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.exchange.export import export
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.run import Run

SMALL = ["--ngf", "4", "--ndf", "4", "--epochs", "2", "--device", "CPU"]
TINY = [*SMALL, "--facades", "6"]


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("cli") / "run"
    result = call("train", *TINY, "--out", folder)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].startswith(f"open {folder}/samples/epoch_002.png")
    return Run(folder)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(np.hstack(facade(seed, 64))).save(folder / f"{seed}.png")
    return folder


def test_help_names_every_command_and_setting() -> None:
    words = call("--help").output
    names = [
        "prepare",
        "train",
        "translate",
        "generate",
        "evaluate",
        "segmenter",
        "convert",
        "export",
        "download",
        "info",
    ]
    assert sorted(command.commands) == sorted(names)
    assert all(name in words for name in names)
    settings = call("train", "--help").output
    offered = {entry.name for entry in fields(Config)} - {"ranks", "start_from"}
    assert all(f"--{name.replace('_', '-')}" in settings for name in offered)
    assert "--ranks" not in settings  # which msrun decides
    assert "--from" in settings and "--start-from" not in settings


def test_train_prints_a_line_an_epoch(run: Run) -> None:
    assert [row["epoch"] for row in run.log()] == [0, 1, 2]
    assert run.config().ngf == 4


def test_a_run_is_continued_with_the_settings_it_had(run: Run) -> None:
    result = call("train", "--resume", "--out", run.folder)
    assert result.exit_code == 0, result.output
    assert "epoch 1" not in result.output


def test_a_run_is_not_overwritten(run: Run) -> None:
    result = call("train", *TINY, "--out", run.folder)
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(f"error: {run.folder}: expected a new folder")


def test_prepare_and_train_and_translate(images: Path, tmp_path: Path) -> None:
    result = call("prepare", images, tmp_path / "records", "--val-ratio", "0.25")
    assert result.output.splitlines()[-2:] == [
        f"{tmp_path}/records/train.mindrecord: 3 pairs",
        f"{tmp_path}/records/val.mindrecord: 1 pairs",
    ]
    trained = call("train", *SMALL, "--epochs", "1", "--direction", "BtoA",
                   "--data", tmp_path / "records", "--out", tmp_path / "run")  # fmt: skip
    assert trained.exit_code == 0, trained.output
    for mode in ("paper", "eval"):
        result = call("translate", images, "--out", tmp_path / mode, "--mode", mode,
                      "--checkpoint", tmp_path / "run", "--side-by-side", "--pairs")  # fmt: skip
        assert result.output == f"4 images in {tmp_path / mode}\n"
        shown = np.asarray(Image.open(tmp_path / mode / "0.png"))
        np.testing.assert_array_equal(shown[:, :64], facade(0, 64).photo)


def test_translate_takes_the_generator_that_ships(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(facade(1, 64).label_map).save(tmp_path / "one.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoints, "SHIPPED_GENERATOR", tmp_path / "shipped")
    words = ("translate", "one.png", "--out")
    said = call(*words, "a").output
    assert f"{tmp_path / 'shipped'}: expected the generator that comes with a clone" in said
    assert said.endswith("name one with --checkpoint\n")
    export(run.last, tmp_path / "shipped" / "generator.safetensors")
    assert call(*words, "a").output == "1 images in a\n"
    call(*words, "b", "--checkpoint", tmp_path / "shipped")
    assert (tmp_path / "a/one.png").read_bytes() == (tmp_path / "b/one.png").read_bytes()


def test_a_flat_folder_gets_the_name_given(images: Path, tmp_path: Path) -> None:
    assert call("prepare", images, tmp_path / "out", "--split", "mine").exit_code == 0
    assert (tmp_path / "out" / "mine.mindrecord").is_file()


def test_train_takes_a_folder_of_images(images: Path, tmp_path: Path) -> None:
    result = call("train", *SMALL, "--epochs", "1", "--data", images, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "data" / "train.mindrecord").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "none"], "none: expected a folder of images"),
        (
            ["--batch-size", "50", "--facades", "6"],
            "batch_size: expected at most the 5 training pairs, found 50",
        ),
        (["--size", "32", "--n-layers", "4"], "n_layers: expected at most 3"),
        (["--size", "2048", "--jitter-size", "2048"], "size: expected at most 1024"),
    ],
)
def test_what_does_not_fit_leaves_no_run_behind(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the same words work once the mistake is mended."""
    monkeypatch.chdir(tmp_path)
    result = call("train", *SMALL, *words, "--out", "run")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].startswith(f"error: {message}")
    assert not Run(tmp_path / "run").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = call("train", *TINY, "--out", tmp_path / "file")
    assert result.exit_code == 1
    assert f"error: {tmp_path / 'file'}" in result.output


def test_a_run_is_not_continued_on_other_data(images: Path, run: Run, tmp_path: Path) -> None:
    assert call("prepare", images, tmp_path / "records").exit_code == 0
    result = call("train", "--resume", "--data", tmp_path / "records", "--out", run.folder)
    assert result.exit_code == 1
    assert "data.json: expected the pairs the run began with" in result.output


def test_a_run_finds_its_data_again(images: Path, tmp_path: Path) -> None:
    """Without --data it goes on with the records it began with, not with procedural facades."""
    call("prepare", images, tmp_path / "records")
    words = ["train", "--out", tmp_path / "run", "--resume", "--epochs"]
    assert call(*words, 1, *TINY[:4], "--data", tmp_path / "records").exit_code == 0
    again = call(*words, 2)
    assert again.exit_code == 0, again.output
    assert f"3 pairs from {tmp_path}/records/train.mindrecord" in again.output
    assert not (tmp_path / "run" / "data").exists()


def test_the_installed_command_translates(tmp_path: Path) -> None:
    """In a process of its own, where nothing has been imported before."""
    Image.fromarray(facade(1, 64).label_map).save(tmp_path / "one.png")
    checkpoint = Path(__file__).parents[1] / "checkpoints" / "facades_64.ckpt"
    words = ["translate", tmp_path / "one.png", "--out", tmp_path / "out", "--checkpoint"]
    program = [sys.executable, "-m", "pix2pix_ms", *words]
    done = subprocess.run([*program, checkpoint], capture_output=True, text=True, check=True)
    assert done.stdout == f"1 images in {tmp_path / 'out'}\n"

    half = tmp_path / "half.ckpt"
    half.write_bytes(checkpoint.read_bytes()[:1_000_000])
    failed = subprocess.run([*program, half], capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert f"error: {half}: expected a MindSpore checkpoint" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_info_says_what_is_installed() -> None:
    words = call("info").output
    assert "mindspore 2." in words
    assert "devices: CPU" in words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--data", "nowhere"], "nowhere: expected a folder of images, found none"),
        (["train", "--size", "50"], "size: expected a multiple of 32 (32 or 64)"),
        (
            ["train", "--size", "100", "--jitter-size", "100"],
            "size: expected a multiple of 64 (64 or 128)",
        ),
        (["train", "--device", "Ascend"], "device: expected Ascend, found only"),
        (["prepare", "nowhere", "out"], "nowhere: expected a folder of images"),
        (
            ["translate", "x.png", "--out", "out", "--checkpoint", "x.ckpt"],
            "x.ckpt: expected a checkpoint, found none",
        ),
        (["download", "nothing"], "data set: expected one of"),
    ],
)
def test_errors_are_one_line(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*words)
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert any(part in line for part in message.split("|")), line
    assert "Traceback" not in result.output


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = call("--debug", "prepare", tmp_path / "nowhere", tmp_path / "out")
    assert result.exit_code == 1
    assert result.exception is not None
    assert "expected a folder" in str(result.exception)


def test_wrong_words_are_usage_errors() -> None:
    assert call("train", "--norm", "layer").exit_code == 2
    assert call("train", "--device", "TPU").exit_code == 2
    assert call("paint").exit_code == 2


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
    words = ["train", *TINY, "--epochs", "40", "--facades", "150", "--out", str(run.folder)]

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
    assert f"train {' '.join(TINY)}" in line
    assert f"--out '{run.folder}' --resume" in line
    epochs = len(run.log())
    again = call(*words, "--resume", "--epochs", epochs)
    assert again.exit_code == 0, again.output
    assert len(run.log()) == epochs + 1


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        # The generator's graph compiles right after the config is written, the step's right after
        # the untrained network is saved.
        ("config_file", "interrupted before the first checkpoint; start again with:"),
        ("last", "last.ckpt holds epoch 0; go on with:"),
    ],
)
def test_ctrl_c_while_a_graph_compiles_is_answered(
    moment: str, message: str, tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    words = ["train", *TINY, "--facades", "20", "--out", str(run.folder)]
    status, line = interrupted(words, getattr(run, moment).is_file)
    assert status == 130
    assert message in line


@pytest.mark.parametrize(
    ("make", "sides", "mode"), [("lab", (1, 2), "RGB"), ("edges", (1, 3), "RGB")]
)
def test_the_three_commands_for_pictures_of_your_own(
    tmp_path: Path, make: str, sides: tuple[int, int], mode: str
) -> None:
    photos, records, run = tmp_path / "my photos", tmp_path / "records", tmp_path / "run"
    photos.mkdir()
    for seed in range(5):
        photo = Image.fromarray(facade(seed, 128).photo[:80])
        photo.save(photos / f"房子 {seed}.jpg", quality=90)
    result = call("prepare", photos, records, "--make", make, "--val-ratio", 0.2)
    assert result.exit_code == 0, result.output
    assert "4 pairs" in result.output
    shape = ["--size", 32, "--width", 64, "--jitter-size", 36, "--n-layers", 1, "--fit", "crop"]
    result = call("train", *SMALL, *shape, "--data", records, "--out", run)
    assert result.exit_code == 0, result.output
    assert "64x32" in result.output
    config = Run(run).config()
    assert (config.input_channels, config.target_channels) == sides
    assert config.colours == ("lab" if make == "lab" else "rgb")
    result = call("train", *SMALL, *shape, "--data", records, "--out", run, "--resume")
    assert result.exit_code == 0, result.output
    result = call("translate", photos, "--checkpoint", run, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "out/房子 1.png") as image:
        assert (image.size, image.mode) == ((128, 80), mode)


def test_settings_that_the_records_contradict_are_refused(tmp_path: Path, images: Path) -> None:
    result = call("train", *SMALL, "--data", images, "--input-channels", 1, "--out", tmp_path / "r")
    assert result.exit_code == 1
    assert "expected pairs with input_channels 1, as the settings have it, found 3" in result.output
    assert "Traceback" not in result.output
