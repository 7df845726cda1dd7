"""What people give by mistake ends in one line, soon, and nothing of theirs is lost."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from harness import TINY, environment, result, words_of
from PIL import Image

from pix2pix_ms import checkpoints
from pix2pix_ms.cli import command
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.images import ORIENTATION, read_image
from pix2pix_ms.data.pairs import facade_pairs
from pix2pix_ms.data.pipeline import training_data
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.models import preset
from pix2pix_ms.run import Run
from pix2pix_ms.training import train

pytestmark = pytest.mark.usefixtures("light")


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def refusal(*words: str | Path) -> str:
    """Call the command and return the line in which it refuses."""
    found = call(*words)
    assert found.exit_code == 1, found.output
    line: str = found.output.splitlines()[-1]
    assert "unexpected" not in line
    return line


@pytest.fixture
def copied(undisturbed: Path, tmp_path: Path) -> Path:
    """A copy of a run of its own."""
    return Path(shutil.copytree(undisturbed, tmp_path / "run"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("lambda-l1", "inf", "a finite number"),
        ("init-gain", "inf", "a finite number"),
        ("levels", "1000000000000", "at most 14"),
        ("jitter-size", "60000", "at most 32768"),
        ("ngf", "100000", "at most 4096"),
        ("facades", "99999999999999999999", "at most "),
    ],
)
def test_settings_beyond_reason_are_refused(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    line = refusal("train", f"--{name}", value, "--out", tmp_path / "run")
    assert re.match(rf"error: {name.replace('-', '_')}: expected {words}", line), line
    assert not list(tmp_path.iterdir())


def test_texts_no_settings_come_in_are_told(copied: Path) -> None:
    run = Run(copied)
    before = run.config_file.read_text()
    for text in ("[" * 200_000, "[]", before.replace('"size": 32', '"size": Infinity')):
        run.config_file.write_text(text)
        assert refusal("train", "--resume", "--out", copied).startswith(
            f"error: {run.config_file}: "
        )
    run.config_file.write_text(before)
    for text in ("[" * 200_000, '{"train": 5, "fingerprint": ""}'):
        run.data_file.write_text(text)
        assert "expected " in refusal("train", "--resume", "--out", copied)


def test_a_log_without_its_checkpoint_is_not_begun_anew(copied: Path, records: Path) -> None:
    run, log = Run(copied), (copied / "log.csv").read_bytes()
    run.last.unlink()
    run.previous.unlink()
    words = ["train", *words_of(TINY), "--data", records, "--out", copied, "--resume"]
    line = refusal(*words)
    assert line.startswith(f"error: {run.last}: expected the checkpoint of log.csv's 3 epochs, ")
    assert (copied / "log.csv").read_bytes() == log


def test_data_written_anew_end_the_run_before_the_next_epoch(
    records: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """As it was, the run goes on where their own are put back."""
    own = tmp_path / "records" / records.name
    own.parent.mkdir()
    for end in ("", ".db"):
        shutil.copy(f"{records}{end}", f"{own}{end}")
    config = preset("quick", **TINY)

    def written_anew(line: str) -> None:
        if line.startswith("epoch 1/"):
            other = tmp_path / "other" / records.name
            other.parent.mkdir()
            write_record(facade_pairs(12, 32, first_seed=50), other)
            for end in ("", ".db"):
                Path(f"{other}{end}").replace(f"{own}{end}")

    with pytest.raises(Pix2PixError, match="found others written in their place"):
        train(config, training_data(own, config.seed), tmp_path / "run", report=written_anew)
    for end in ("", ".db"):
        shutil.copy(f"{records}{end}", f"{own}{end}")
    data = training_data(own, config.seed)
    train(config, data, tmp_path / "run", resume=True, report=str)
    assert result(tmp_path / "run") == result(undisturbed)


def test_data_that_are_not_there_are_told_also_to_a_run_with_its_own(
    copied: Path, records: Path
) -> None:
    (copied / "data").mkdir()
    for end in ("", ".db"):
        shutil.copy(f"{records}{end}", f"{copied / 'data' / records.name}{end}")
    line = refusal("train", "--resume", "--data", copied / "nowhere", "--out", copied)
    assert line.startswith(f"error: {copied / 'nowhere'}: expected records or images, found none")


def test_weights_that_are_no_numbers_are_refused(undisturbed: Path, tmp_path: Path) -> None:
    image, broken = tmp_path / "image.png", tmp_path / "broken.ckpt"
    Image.fromarray(facade(0, 32)[0]).save(image)
    network, config = checkpoints.load_generator(undisturbed)
    weights = network.get_parameters()
    first = next(weights)
    first.set_data(first * np.float32(np.inf))
    checkpoints.save([first, *weights], broken, config)
    line = refusal("translate", image, "--checkpoint", broken, "--out", tmp_path / "out")
    assert line.startswith(f"error: {broken}: expected {first.name} to be finite numbers")
    assert not (tmp_path / "out").exists()


def test_a_segmenter_goes_to_a_checkpoint(records: Path, tmp_path: Path) -> None:
    out = tmp_path / "segmenter.png"
    assert "expected a file to end in .ckpt" in refusal(
        "segmenter", "--data", records, "--out", out
    )
    assert not list(tmp_path.iterdir())


def test_two_networks_do_not_go_to_one_file(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.pth"
    line = refusal("convert", undisturbed, out, "--discriminator", tmp_path / "." / "net.pth")
    assert "expected a file for the generator and another for the discriminator" in line
    assert not out.exists()


def test_a_pipe_is_no_image(undisturbed: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    line = refusal("translate", tmp_path / "pipe.png", "--checkpoint", undisturbed, "--out", "o")
    assert "expected an image, found a pipe or a device" in line


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_whatever_else_their_exif_says(orientation: int, tmp_path: Path) -> None:
    """As Pillow turns them, which cannot write this EXIF anew."""
    from PIL import ImageOps

    file = tmp_path / "image.jpg"
    pixels = facade(1, 32)[0][:24]
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels).save(file, exif=exif, quality=100)
    with Image.open(file) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(file), expected)


def test_a_signal_while_mindspore_is_imported_is_one_line(tmp_path: Path) -> None:
    """At several moments of it; the interpreter could not end by itself with half of it there."""
    program = [sys.executable, "-m", "pix2pix_ms", "translate", "none.png", "--out", "out"]
    for wait in (0.6, 0.9, 1.2):
        with subprocess.Popen(
            program, text=True, stderr=subprocess.PIPE, cwd=tmp_path, env=environment()
        ) as process:
            time.sleep(wait)
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=30)[1].splitlines()
        # Before the command has begun, and after it has ended, it is as it was.
        assert process.returncode in (128 + signal.SIGTERM, -signal.SIGTERM, 1), said
        assert len(said) <= 1, said
