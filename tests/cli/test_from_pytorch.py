"""`train --from` with weights of PyTorch, and with the generator of a run alone."""

import json
from pathlib import Path

import pytest

from pix2pix_ms.training.run import Run
from tests.runs import log_of, output, refusal, weights

SMALL = ["--ngf", "4", "--ndf", "4", "--n-layers", "1", "--size", "32", "--no-jit"]
BRIEF = ["--epochs", "1", "--samples", "1", "--device", "CPU", "--ema", "0", "--facades", "6"]

pytestmark = [pytest.mark.usefixtures("light"), pytest.mark.slow]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place") / "run"
    output("train", *SMALL, *BRIEF, "--out", folder)
    return folder


@pytest.fixture(scope="module")
def pth(place: Path) -> Path:
    file = place.with_name("latest_net_G.pth")
    output("convert", place, file)
    return file


def held_out(run: Path) -> str:
    """The first held-out L1 of a run: that of the networks it starts with."""
    return log_of(run)[0]["held_out_l1"]


def test_a_run_starts_with_the_references_weights(place: Path, pth: Path, tmp_path: Path) -> None:
    """As with that run's generator alone."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    shapes = ("--ndf", 4, "--n-layers", 1, "--no-jit", "--learning-rate", 1e-3)
    line = output("train", "--from", pth, *shapes, *BRIEF, "--size", 32, "--out", theirs)
    assert "theirs-from.ckpt: generator" in line
    output("train", "--from", place, "--generator-only", *shapes[4:], *BRIEF, "--out", ours)
    assert float(held_out(ours)) == pytest.approx(float(held_out(theirs)), rel=1e-5)
    assert json.loads(Run(ours).config_file.read_text())["generator_only"]
    output("train", "--from", place, *shapes[4:], *BRIEF, "--out", tmp_path / "both")
    assert held_out(tmp_path / "both") == held_out(ours)
    assert weights(tmp_path / "both", "discriminator") != weights(ours, "discriminator")


def test_such_a_run_is_resumed(pth: Path, tmp_path: Path) -> None:
    words = ["train", "--from", pth, "--ndf", 4, "--n-layers", 1, "--no-jit", *BRIEF]
    words += ["--size", 32, "--out", tmp_path / "run"]
    output(*words)
    first = weights(tmp_path / "run")
    output(*words, "--resume")
    assert weights(tmp_path / "run") == first


def test_other_weights_are_converted_anew(pth: Path, tmp_path: Path) -> None:
    """A checkpoint that an earlier run of that name began with is not taken for them."""
    stale = tmp_path / "run-from.ckpt"
    stale.write_bytes(b"another")
    words = ("train", "--from", pth, "--ndf", 4, "--n-layers", 1, "--no-jit", *BRIEF)
    output(*words, "--size", 32, "--out", tmp_path / "run")
    assert stale.read_bytes() != b"another"
    refusal(*words, "--distributed", "--out", tmp_path / "x", about=pth)


def test_what_cannot_start_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(b"no weights")
    refusal("train", "--from", tmp_path / "x.pth", "--out", tmp_path / "run", about=tmp_path)
    refusal("train", "--generator-only", "--out", tmp_path / "run", about="generator_only")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.pth"]
