"""Every relative through the one training: run folder, resume, translate or generate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from pix2pix_ms.cli.commands import command
from pix2pix_ms.config.models import MODELS
from pix2pix_ms.data.facades import facade
from pix2pix_ms.training.run import Run

SMALL: dict[str, dict[str, Any]] = {
    "gan": {"ngf": 8, "ndf": 8},
    "dcgan": {"size": 8, "jitter_size": 8, "ngf": 4, "ndf": 4},
    "lsgan": {"size": 8, "jitter_size": 8, "ngf": 4, "ndf": 4, "conditional": True},
    "wgan": {"size": 8, "jitter_size": 8, "ngf": 4, "ndf": 4},
    # Not compiled, which would take longer than these trainings; compiled they are tested apart.
    "cyclegan": {"ngf": 4, "ndf": 4, "n_blocks": 1, "facades": 8, "jit": False},
    "stargan": {"ngf": 4, "max_filters": 8, "facades": 12, "batch_size": 4, "jit": False},
}
EPOCHS = 2
FROM_NOISE = ("gan", "dcgan", "lsgan", "wgan")


def call(*words: str | Path) -> Result:
    return CliRunner().invoke(command, [str(word) for word in words])


def options(model: str) -> list[str]:
    """The small settings as words of the command."""
    words = ["--model", model, "--epochs", str(EPOCHS), "--device", "CPU"]
    for name, value in SMALL[model].items():
        flag = name.replace("_", "-")
        switch = {True: [f"--{flag}"], False: [f"--no-{flag}"]}
        words += switch[value] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return words


@pytest.fixture(scope="module", params=SMALL)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp(request.param) / "run"
    result = call("train", *options(request.param), "--out", folder)
    assert result.exit_code == 0, result.output
    return Run(folder)


def test_a_run_is_as_pix2pixs(run: Run) -> None:
    names = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*.*")}
    assert names > {
        "config.json", "data.json", "log.csv", "losses.png", "checkpoints/last.ckpt",
        "checkpoints/epoch_002.ckpt",
        *(f"samples/epoch_{epoch:03d}.png" for epoch in range(EPOCHS + 1)),
    }  # fmt: skip
    log, task = run.log(), MODELS[run.config().model].task_class()
    assert [row["epoch"] for row in log] == list(range(EPOCHS + 1))
    assert tuple(log[0]) == task.columns()
    assert all(np.isfinite(row[f"loss_{name}"]) for row in log[1:] for name in task.losses)
    grid = np.asarray(Image.open(run.sample_file(EPOCHS)).convert("RGB"))
    assert grid.std() > 10  # something is to be seen


def test_the_command_goes_on_without_being_told_the_model(run: Run) -> None:
    result = call("train", "--resume", "--out", run.folder)
    assert result.exit_code == 0, result.output
    assert "epoch 1" not in result.output


def test_a_run_of_another_model_is_not_resumed(run: Run) -> None:
    result = call("train", "--resume", "--model", "pix2pix", "--out", run.folder)
    assert result.exit_code == 1
    assert f"expected a run of pix2pix, found one of {run.config().model}" in result.output


def test_other_commands_say_what_they_take(run: Run, tmp_path: Path) -> None:
    """One line, and nothing written, where a relative's checkpoint does not fit."""
    for words in (["convert", run.folder, tmp_path / "x.pth"],
                  ["evaluate", run.folder, "--data", Path(run.data()["train"])]):  # fmt: skip
        if words[0] == "evaluate" and run.config().model == "cyclegan":
            continue  # which it measures, on pairs
        result = call(*words)
        assert result.exit_code == 1
        assert "unexpected" not in result.output
        assert len(result.output.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_facades_are_made_only_where_they_are_learned_from(tmp_path: Path) -> None:
    """An option that would change nothing is refused, not passed over."""
    for words in (["--model", "dcgan"], ["--model", "cyclegan", "--data", tmp_path]):
        result = call("train", *words, "--facades", "20", "--out", tmp_path / "run")
        assert result.exit_code == 1
        assert "facades: expected " in result.output
    assert not list(tmp_path.iterdir())


def test_translate_or_generate(run: Run, tmp_path: Path) -> None:
    model = run.config().model
    Image.fromarray(facade(1, 64).photo[:48]).save(tmp_path / "a photo.png")
    words = ["translate", tmp_path / "a photo.png", "--checkpoint", run.folder, "--out"]
    if model in FROM_NOISE:
        result = call(*words, tmp_path / "out")
        assert result.exit_code == 1
        assert "pix2pix-ms generate" in result.output
        assert call("generate", run.folder, "--count", "3", "--out", tmp_path / "a").exit_code == 0
        assert call("generate", run.folder, "--count", "3", "--out", tmp_path / "b", "--seed",
                    "1").exit_code == 0  # fmt: skip
    elif model == "cyclegan":
        for name, direction in (("a", "AtoB"), ("b", "BtoA")):
            assert call(*words, tmp_path / name, "--direction", direction).exit_code == 0
        result = call(*words, tmp_path / "c", "--seed", "1")  # a ResNet has no dropout
        assert result.exit_code == 1
        assert "leave --seed out" in result.output
    else:
        one, other = run.config().domains[:2]
        assert call(*words, tmp_path / "a", "--domain", one).exit_code == 0
        assert call(*words, tmp_path / "b", "--domain", other, "--reference",
                    tmp_path / "a photo.png").exit_code == 0  # fmt: skip
        result = call(*words, tmp_path / "c", "--domain", "marzipan")
        assert result.exit_code == 1
        assert "marzipan" in result.output
        assert "expected a domain" in call(*words, tmp_path / "c").output
        styled = ["--domain", one, "--reference", tmp_path / "a photo.png"]
        for idle in (
            ["--mode", "eval", "--domain", one],
            ["--no-dropout", "--domain", one],
            ["--seed", "1", *styled],
        ):
            result = call(*words, tmp_path / "c", *idle)
            assert result.exit_code == 1
            assert f"leave {idle[0]} out" in result.output
        assert "expected a domain" in call(*words, tmp_path / "c", "--seed", "1").output
        assert not (tmp_path / "c").exists()
    pictures = [np.asarray(Image.open(p)) for p in sorted(tmp_path.glob("[ab]/*.png"))]
    assert len(pictures) == (6 if model in FROM_NOISE else 2)
    assert not np.array_equal(pictures[0], pictures[-1])
    if model not in FROM_NOISE:
        assert all(picture.shape == (48, 64, 3) for picture in pictures)


def test_no_relative_is_left_out() -> None:
    assert set(SMALL) == set(MODELS) - {"pix2pix"}
