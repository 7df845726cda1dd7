"""The command's words, its one-line errors and its exit statuses."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pix2pix_ms.cli import command
from pix2pix_ms.config import Config
from pix2pix_ms.data.facades import facade
from pix2pix_ms.run import Run

TINY = ["--ngf", "4", "--ndf", "4", "--epochs", "2", "--facades", "6", "--device", "CPU"]


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
    assert all(name in words for name in ("prepare", "train", "translate", "download", "info"))
    settings = call("train", "--help").output
    assert all(f"--{entry.name.replace('_', '-')}" in settings for entry in fields(Config))


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
    assert result.output.splitlines() == [
        f"{tmp_path}/records/train.mindrecord: 3 pairs",
        f"{tmp_path}/records/val.mindrecord: 1 pairs",
    ]
    trained = call("train", *TINY, "--epochs", "1", "--direction", "BtoA",
                   "--data", tmp_path / "records", "--out", tmp_path / "run")  # fmt: skip
    assert trained.exit_code == 0, trained.output
    for mode in ("paper", "eval"):
        result = call("translate", images, "--out", tmp_path / mode, "--mode", mode,
                      "--checkpoint", tmp_path / "run", "--side-by-side", "--pairs")  # fmt: skip
        assert result.output == f"4 images in {tmp_path / mode}\n"
        shown = np.asarray(Image.open(tmp_path / mode / "0.png"))
        np.testing.assert_array_equal(shown[:, :64], facade(0, 64).photo)


def test_a_flat_folder_gets_the_name_given(images: Path, tmp_path: Path) -> None:
    assert call("prepare", images, tmp_path / "out", "--split", "mine").exit_code == 0
    assert (tmp_path / "out" / "mine.mindrecord").is_file()


def test_train_takes_a_folder_of_images(images: Path, tmp_path: Path) -> None:
    result = call("train", *TINY, "--epochs", "1", "--data", images, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "data" / "train.mindrecord").is_file()


def test_unfit_data_leaves_no_run_behind(tmp_path: Path) -> None:
    """So that the same words work once the data is mended."""
    result = call("train", *TINY, "--data", tmp_path / "none", "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert not (tmp_path / "run").exists()


def test_the_installed_command_translates(tmp_path: Path) -> None:
    """In a process of its own, where nothing has been imported before."""
    Image.fromarray(facade(1, 64).label_map).save(tmp_path / "one.png")
    checkpoint = Path(__file__).parents[1] / "checkpoints" / "facades_64.ckpt"
    words = ["translate", tmp_path / "one.png", "--out", tmp_path, "--checkpoint"]
    program = [sys.executable, "-m", "pix2pix_ms", *words]
    done = subprocess.run([*program, checkpoint], capture_output=True, text=True, check=True)
    assert done.stdout == f"1 images in {tmp_path}\n"

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
        (["train", "--size", "50"], "jitter_size|levels: expected"),
        (["train", "--device", "TPU"], "device: expected one of auto"),
        (["train", "--device", "Ascend"], "device: expected Ascend, found only"),
        (["prepare", "nowhere", "out"], "nowhere: expected a folder of images"),
        (["translate", "x.png", "--out", "out"], "x.png: expected an image|expected a checkpoint"),
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
    assert call("paint").exit_code == 2


def interrupted(words: list[str], moment: Callable[[], bool]) -> tuple[int, str]:
    """Press Ctrl-C on a command at a moment; return its exit status and its error lines."""
    program = [sys.executable, "-m", "pix2pix_ms", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(program, text=True, **pipes)
    until = time.monotonic() + 120
    while not moment() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "Traceback" not in errors
    return process.returncode, "".join(line for line in errors.splitlines() if "error: " in line)


def test_ctrl_c_keeps_the_last_checkpoint_and_says_how_to_go_on(tmp_path: Path) -> None:
    """In the middle of an epoch, as a person would press it; then go on with what it printed."""
    words = ["train", *TINY, "--epochs", "40", "--facades", "40", "--out", str(tmp_path / "run")]
    run = Run(tmp_path / "run")
    status, line = interrupted(words, run.sample_file(2).is_file)
    assert status == 130
    assert "last.ckpt holds epoch" in line
    assert f"--out {run.folder} --resume" in line
    finished = len(run.log())
    again = call(*words, "--resume", "--epochs", str(finished))
    assert again.exit_code == 0, again.output
    assert len(run.log()) == finished + 1


def test_ctrl_c_while_the_first_graph_compiles_is_answered(tmp_path: Path) -> None:
    words = ["train", *TINY, "--out", str(tmp_path / "run")]
    status, line = interrupted(words, Run(tmp_path / "run").config_file.is_file)
    assert status == 130
    assert "interrupted before the first checkpoint; start again with:" in line
