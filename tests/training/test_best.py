"""The best checkpoint of a run, kept beside the last."""

from pathlib import Path
from typing import Any

import pytest

from pix2pix_ms.data.builtin import facade_pairs
from pix2pix_ms.data.writing import write_record
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import Trainer
from pix2pix_ms.training.run import Run
from tests.runs import TINY, log_of, options, output, refusal, save_pairs, weights

EPOCHS = 4
pytestmark = pytest.mark.usefixtures("light")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs too few for KID, which takes longer than the training."""
    folder = tmp_path_factory.mktemp("few")
    write_record(facade_pairs(6, 32), folder / "train.mindrecord")
    write_record(facade_pairs(3, 32, first_seed=6), folder / "val.mindrecord")
    return folder


def trained(out: Path, data: Path, *more: object) -> Run:
    settings = {**TINY, "epochs": EPOCHS, "save_every": 1}
    output("train", "--data", data, "--out", out, *options(settings), *more)
    return Run(out)


@pytest.mark.parametrize(("measure", "sign"), [("l1", 1), ("ssim", -1)])
def test_the_best_epoch_is_kept_and_used(
    few: Path, tmp_path: Path, measure: str, sign: int
) -> None:
    run = trained(tmp_path / "run", few, "--keep-best", measure)
    held_out = [sign * float(row[f"held_out_{measure}"]) for row in log_of(run.folder)][1:]
    best = held_out.index(min(held_out)) + 1
    assert checkpoints.load(run.best)[2]["epoch"] == best
    assert weights(run.best) == weights(run.generator_file(best))
    said = output("evaluate", run.folder, "--best", "--data", few)
    assert "which chose this checkpoint" in said
    for place in (run.generator_file(best), run.folder):
        assert "which chose" not in output("evaluate", place, "--data", few)


def test_a_tenth_held_out_of_a_folder_is_known_again(tmp_path: Path) -> None:
    images = save_pairs(tmp_path / "images", 9)
    others = save_pairs(tmp_path / "others", 3, first_seed=100)
    run = trained(tmp_path / "run", images, "--keep-best", "l1")
    words = ("evaluate", run.folder, "--best", "--data")
    assert "which chose this checkpoint" in output(*words, images)
    assert "which chose" not in output(*words, others)


def test_a_resumed_run_keeps_the_same_best(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(tmp_path / "whole", few, "--keep-best", "l1")
    batches = Trainer.batches

    def broken(trainer: Trainer, epoch: int) -> Any:
        if epoch == 3:
            raise Pix2PixError("halted")
        return batches(trainer, epoch)

    settings = options({**TINY, "epochs": EPOCHS, "save_every": 1})
    words = ("--data", few, "--out", tmp_path / "halted", *settings, "--keep-best", "l1")
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "batches", broken)
        refusal("train", *words, about="halted")
    output("train", *words, "--resume")
    assert Run(tmp_path / "halted").best.read_bytes() == whole.best.read_bytes()


def test_what_cannot_be_kept_is_refused(few: Path, tmp_path: Path) -> None:
    words = ("train", "--data", few, "--keep-best", "kid", *options(TINY))
    refusal(*words, "--out", tmp_path / "a", about="keep_best: expected 10 held-out pairs")
    noise = ("train", "--model", "dcgan", "--keep-best", "ssim", "--no-jit")
    refusal(*noise, "--out", tmp_path / "b", about="keep_best: expected a setting of dcgan")
    trained(tmp_path / "c", few, "--epochs", 1)
    line = refusal("translate", few, "--best", "--checkpoint", tmp_path / "c", "--out", "x")
    assert "best.ckpt: expected the best checkpoint" in line


def test_kid_is_measured_where_it_chooses(tmp_path: Path) -> None:
    settings = options({**TINY, "epochs": 1, "size": 16, "jitter_size": 16, "n_layers": 0})
    words = ("--facades", 100, "--keep-best", "kid", "--out", tmp_path / "run")
    output("train", *settings, *words)
    start, end = (float(row["held_out_kid"]) for row in log_of(tmp_path / "run"))
    assert start != end > 0
