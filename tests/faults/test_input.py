"""What people give by mistake ends in one line, soon, and nothing of theirs is lost."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import training
from PIL import Image

from pix2pix_ms.config.models import preset
from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.facades import facade
from pix2pix_ms.data.pair_batches import training_data
from pix2pix_ms.data.prepare.prepare import prepare
from pix2pix_ms.data.prepare.recipe import Recipe
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run
from pix2pix_ms.training.sources import refuse_other_images
from tests.runs import (
    TINY,
    call,
    environment,
    options,
    output,
    refusal,
    refused,
    save_pairs,
)

pytestmark = pytest.mark.usefixtures("light")
LIGHT = TINY | {"epochs": 1, "batch_size": 9}


def copy_record(record: Path, target: Path) -> None:
    """Copy a record and its index."""
    target.parent.mkdir(exist_ok=True)
    for end in ("", ".db"):
        shutil.copy(f"{record}{end}", f"{target}{end}")


def test_odd_paths_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one is what a shell makes of a variable that was never set."""
    monkeypatch.chdir(tmp_path)
    for words in (["train", "--out", ""], ["train", "--data", ""], ["translate", "", "--out", "x"]):
        found = call(*words)
        assert found.exit_code == 2
        assert "expected a path, found an empty one" in found.output.splitlines()[-1]
    found = call("prepare", "\udcff", "x")
    assert found.exit_code == 2
    assert r"expected a path in UTF-8, found '\udcff'; rename it" in found.output
    for split in ("..", "a\nb", ".hidden", "a/b", ""):
        assert "split: expected a plain name" in refusal("prepare", tmp_path, "x", "--split", split)
    for name, shown in (("a\nb.png", r"a\nb.png"), ("a\rb.png", r"a\rb.png"), ("房.png", "房.png")):
        found = call("translate", name, "--out", "x").output
        assert found == f"error: {shown}: expected an image, found no such file\n"
    assert not list(tmp_path.iterdir())
    os.mkfifo("pipe.png")
    assert "found a pipe or a device" in refusal("translate", "pipe.png", "--out", "x")


def test_damaged_settings_are_refused(copied: Path) -> None:
    run = Run(copied)
    before = run.config_file.read_text()
    for text in ("[" * 200_000, "[]", '{"my": 1}', before.replace("32", "Infinity", 1)):
        run.config_file.write_text(text)
        refusal("train", "--resume", "--out", copied, about=run.config_file)
    run.config_file.write_text(before)
    for text in ("[" * 200_000, '{"train": 5, "fingerprint": ""}'):
        run.data_file.write_text(text)
        assert "expected " in refusal("train", "--resume", "--out", copied)


def test_a_log_without_its_checkpoint_is_not_overwritten(copied: Path, records: Path) -> None:
    run, log = Run(copied), (copied / "log.csv").read_bytes()
    run.last.unlink()
    run.previous.unlink()
    line = refusal(*training(copied, records, "--resume"), about=run.last)
    assert "expected the checkpoint of log.csv's 3 epochs, " in line
    assert (copied / "log.csv").read_bytes() == log


def test_replaced_records_stop_the_run_before_the_next_epoch(records: Path, tmp_path: Path) -> None:
    """As it was, the run goes on where their own are put back."""
    own, run = tmp_path / "records" / records.name, Run(tmp_path / "run")
    copy_record(records, own)
    config = preset("quick", **LIGHT | {"epochs": 2})

    def written_anew(line: str) -> None:
        if line.startswith("epoch 1/"):
            write_record(facade_pairs(12, 32, first_seed=50), own)

    with refused("expected the data the run began with"):
        train(config, training_data(own, config.seed), run.folder, report=written_anew)
    assert run.log()[-1]["epoch"] == 1
    copy_record(records, own)
    train(config, training_data(own, config.seed), run.folder, resume=True, report=str)
    assert run.log()[-1]["epoch"] == 2


def test_records_that_no_run_has_made_are_not_replaced(records: Path, tmp_path: Path) -> None:
    """Also by images. Those that a training has made, and then did not begin, are."""
    run, began = tmp_path / "run", tmp_path / "began"
    write_record(facade_pairs(10, 32), run / "data" / records.name)
    save_pairs(tmp_path, 10, swap=True)  # of the same names
    before = {file: file.read_bytes() for file in (run / "data").iterdir()}
    words = ("train", *options(LIGHT), "--out", run)
    for others in (
        ["--facades", "12"],
        ["--facades", "10", "--size", "64", "--jitter-size", "72"],
        ["--data", tmp_path],
    ):
        refusal(*words, *others, about=f"{run / 'data' / records.name}: expected only records that")
        assert {file: file.read_bytes() for file in (run / "data").iterdir()} == before
        assert not Run(run).exists()
    few = ("--facades", "4", "--batch-size", "9", "--out", began)
    assert "expected at most the 3 training pairs" in refusal(*words, *few)
    output(*words, "--data", tmp_path, "--out", began)
    assert "9 pairs from" in Run(began).data_file.read_text()


def test_a_run_moved_goes_on_with_its_own_images_alone(tmp_path: Path) -> None:
    images, run = save_pairs(tmp_path / "images", 10), tmp_path / "run"
    others = save_pairs(tmp_path / "others", 10, first_seed=5)
    output("train", *options(LIGHT), "--data", images, "--out", run)
    moved = run.rename(tmp_path / "moved")
    images.rename(run)  # what is there now is not looked at
    words = ("train", "--resume", "--out", moved, "--epochs")
    output(*words, "2")
    said = output(*words, "3", "--data", run)
    assert f"{run} was read when the run began; it goes on with {moved / 'data'}" in said
    assert "3/3" in said
    line = refusal(*words, "4", "--data", others, about=others)
    assert "expected the 10 images in train that the run began" in line
    assert "found 10 with facade_10; leave --data out" in line
    next(run.iterdir()).unlink()
    line = refusal(*words, "4", "--data", run)
    assert re.search(r"found 9 without facade_\d; ", line), line


def test_a_run_is_not_resumed_with_other_domains(tmp_path: Path) -> None:
    images, recipe = tmp_path / "images", Recipe(unpaired=True)
    for name in "xy":
        save_pairs(images / name, 4)
    prepare(images, tmp_path / "data", recipe=recipe)
    refuse_other_images(images, tmp_path / "data", recipe)
    (images / "x").rename(images / "z")
    with refused("the 8 images in train .*found 8 with z/facade_0; lea"):
        refuse_other_images(images, tmp_path / "data", recipe)


def test_records_elsewhere_are_found_from_wherever_the_run_is(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those of its own also where it was called by another name."""

    def resume(run: Path, moved: Path, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        output("train", "--resume", "--epochs", "2", "--out", moved.rename(to) / run)

    here, words = Path(), ("train", *options(LIGHT))
    (tmp_path / "a" / "run").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "a", target_is_directory=True)
    shutil.copytree(records.parent, tmp_path / "a" / "records")
    monkeypatch.chdir(tmp_path / "a" / "run")
    output(*words, "--data", "../records", "--out", ".")
    monkeypatch.chdir(tmp_path)
    resume(here, tmp_path / "a" / "run", tmp_path / "b" / "c" / "run")
    own = tmp_path / "a" / "own"
    shutil.copytree(records.parent, own / "data")
    output(*words, "--data", own / "data", "--out", "linked/own")
    resume(here, own, tmp_path / "moved")
    (tmp_path / "moved" / "data").rename(tmp_path / "b" / "data")  # on another disk, say
    run = tmp_path / "b" / "disk"
    run.mkdir()
    (run / "data").symlink_to(Path("..") / "data", target_is_directory=True)
    output(*words, "--data", run / "data", "--out", run)
    resume(Path("disk"), tmp_path / "b", tmp_path / "d")


def test_a_folder_with_other_files_is_not_trained_into(records: Path, tmp_path: Path) -> None:
    files = ("log.csv", "losses.png", "warnings.txt", "data.json", "report.html",
             "samples/mine.png", "checkpoints/mine.ckpt")  # fmt: skip
    for number, name in enumerate(files):
        folder = tmp_path / str(number)
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("mine")
        for resume in ((), ("--resume",)):
            assert "--out" in refusal(*training(folder, records, *resume), about=folder)
        assert (folder / name).read_text() == "mine"
    (tmp_path / "empty" / "samples").mkdir(parents=True)  # as a script may make it beforehand
    output(*training(tmp_path / "empty", records, epochs=1, batch_size=5))


def test_missing_and_other_data_are_an_error_with_advice(copied: Path, records: Path) -> None:
    """Also for a run that has records."""
    run, words = Run(copied), ("train", "--resume", "--epochs", "4", "--out", copied)
    run.data_file.write_text(run.data_file.read_text().replace("train.mindrecord", "gone"))
    assert "expected the record it names, " in refusal(*words, about=run.data_file)
    write_record(facade_pairs(12, 32, first_seed=50), copied.with_name("other") / records.name)
    refusal(*words, "--data", copied.with_name("other"), about=run.data_file)
    output(*words, "--data", records)
    copy_record(records, copied / "data" / records.name)
    missing = copied / "nowhere"
    refusal(*words, "--data", missing, about=f"{missing}: expected records or images, found none")


def test_infinite_weights_are_refused(undisturbed: Path, tmp_path: Path) -> None:
    image, broken = tmp_path / "image.png", tmp_path / "broken.ckpt"
    Image.fromarray(facade(0, 32)[0]).save(image)
    network, config = checkpoints.load_generator(undisturbed)
    weights = network.get_parameters()
    first = next(weights)
    first.set_data(first * np.float32(np.inf))
    checkpoints.save([first, *weights], broken, config)
    words = ("translate", image, "--checkpoint", broken, "--out", tmp_path / "out")
    refusal(*words, about=f"{broken}: expected {first.name} to be finite numbers")
    assert not (tmp_path / "out").exists()


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


def python(*words: str, shell: str = '"$@"', **how: Any) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in a process, by a line of shell that may close its streams."""
    program = ["sh", "-c", f"exec {shell}", "-", sys.executable, *words]
    return subprocess.run(program, text=True, env=environment(**how.pop("env", {})), timeout=60,
                          check=False, stderr=subprocess.PIPE, **how)  # fmt: skip


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_output_never_reaches_files_where_streams_are_closed(closed: str, tmp_path: Path) -> None:
    """A closed stream's number is not a file's: what a library prints would be written there."""
    program = (
        "import os; from pix2pix_ms.cli.console import open_streams\n"
        "open_streams()\n"
        f"with open({str(tmp_path / 'file')!r}, 'w') as file: assert file.fileno() > 2\n"
        "os.write(1, b'1'); os.write(2, b'2'); print('3', flush=True)"
    )
    closing = " ".join(f"{number}>&-" for number in closed)
    assert python("-c", program, shell=f'"$@" {closing}').returncode == 0


@pytest.mark.parametrize("shell", ['"$@"', '"$@" >&-'])
def test_help_is_printed_wherever_it_goes(shell: str) -> None:
    latin = {"PYTHONIOENCODING": "latin-1"}
    found = python("-m", "pix2pix_ms", "--help", shell=shell, env=latin, stdout=subprocess.DEVNULL)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.linux
@pytest.mark.parametrize("words", ["info", "--help", "train --help"])
def test_a_full_standard_output_is_one_line(words: str) -> None:
    found = python("-m", "pix2pix_ms", *words.split(), shell='"$@" >/dev/full')
    assert found.returncode == 1
    wanted = "error: standard output: expected to write to it, found: No space left on device; "
    assert found.stderr.startswith(wanted) and found.stderr.count("\n") == 1


@pytest.mark.linux
def test_a_lost_rank_ends_also_with_full_standard_output() -> None:
    program = (
        "from pix2pix_ms.machine.ranks import leave; import threading, time; print('pending')\n"
        "threading.Thread(target=leave, args=('a rank',)).start(); time.sleep(60)"
    )
    assert python("-c", program, shell='"$@" >/dev/full 2>&1').returncode == 1


def test_a_training_with_closed_output_can_be_resumed(records: Path, tmp_path: Path) -> None:
    """Where the reader leaves, it stops with what it has saved."""
    words = training(tmp_path / "left", records, batch_size=5)
    program = [sys.executable, "-m", "pix2pix_ms", *words]
    with subprocess.Popen(
        program, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("epoch 1/3"):
                break
        process.stdout.close()
        assert process.stderr
        said = process.stderr.read()
        assert process.wait(60) == 1
    assert said.startswith("error: standard output: expected to write to it, found: Broken pipe; ")
    assert said.count("\n") == 1
    assert Run(tmp_path / "left").log()[-1]["epoch"] == 2, "it was kept before it was told"
    output(*words, "--resume")
    assert Run(tmp_path / "left").log()[-1]["epoch"] == 3
