"""Every relative through the one training: run folder, resume, translate or generate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pix2pix_ms.config.models import MODELS
from pix2pix_ms.data.facades import facade
from pix2pix_ms.training.run import Run
from tests.runs import columns, options, output, refusal

NOISE: dict[str, Any] = {
    "size": 8, "jitter_size": 8, "ngf": 4, "ndf": 4, "batch_size": 512, "samples": 10,
}  # fmt: skip
FACADES: dict[str, Any] = {
    "size": 16, "jitter_size": 18, "ngf": 4, "batch_size": 2, "samples": 2,
}  # fmt: skip
SMALL: dict[str, dict[str, Any]] = {
    "gan": NOISE,
    "dcgan": NOISE,
    "lsgan": NOISE | {"conditional": True},
    "wgan": NOISE,
    "cyclegan": FACADES | {"ndf": 4, "n_blocks": 1, "facades": 8, "lambda_identity": 0.5},
    "stargan": FACADES | {"max_filters": 8, "facades": 6},
}
# Not compiled, which would take longer than these trainings.
BRIEF: dict[str, Any] = {"epochs": 2, "device": "CPU", "jit": False}


@pytest.fixture(scope="module", params=SMALL)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp(request.param) / "run"
    settings = {"model": request.param, **BRIEF, **SMALL[request.param]}
    output("train", *options(settings), "--out", folder)
    return Run(folder)


def test_a_run_is_as_pix2pixs_and_resumed_without_naming_the_model(run: Run) -> None:
    names = {str(path.relative_to(run.folder)) for path in run.folder.rglob("*.*")}
    assert names > {
        "config.json", "data.json", "log.csv", "losses.png", "report.html", "checkpoints/last.ckpt",
        "checkpoints/epoch_002.ckpt",
        *(f"samples/epoch_{epoch:03d}.png" for epoch in range(3)),
    }  # fmt: skip
    log, task = run.log(), MODELS[run.config().model].task_class()
    assert [row["epoch"] for row in log] == [0, 1, 2]
    assert list(log[0]) == columns(task)
    assert all(np.isfinite(row[f"loss_{name}"]) for row in log[1:] for name in task.losses)
    grid = np.asarray(Image.open(run.sample_file(2)).convert("RGB"))
    assert grid.std() > 10  # something is to be seen
    assert "epoch 1" not in output("train", "--resume", "--out", run.folder)


def test_commands_for_another_model_refuse_it(run: Run, tmp_path: Path) -> None:
    line = refusal("train", "--resume", "--model", "pix2pix", "--out", run.folder)
    assert run.config().model in line
    refusal("convert", run.folder, tmp_path / "x.pth")
    if run.config().model != "cyclegan":  # which is evaluated, on pairs
        refusal("evaluate", run.folder, "--data", run.data()["train"])
    assert not list(tmp_path.iterdir())


def test_facades_are_refused_where_they_would_not_be_made(tmp_path: Path) -> None:
    """An option that would change nothing is not ignored."""
    for words in (["--model", "dcgan"], ["--model", "cyclegan", "--data", tmp_path]):
        refusal("train", *words, "--facades", "20", "--out", tmp_path / "run", about="facades")
    assert not list(tmp_path.iterdir())


def test_translate_or_generate(run: Run, tmp_path: Path) -> None:
    """Twice, into folders a and b, which differ; what does not fit the model is refused."""
    photo, model = tmp_path / "a photo.png", run.config().model
    Image.fromarray(facade(1, 64).photo[:48]).save(photo)
    words = ["translate", photo, "--checkpoint", run.folder, "--out"]
    from_noise = SMALL[model]["size"] == NOISE["size"]
    wanted: list[Any] = [["--direction", "AtoB"], ["--direction", "BtoA"]]
    refused: list[Any] = [["--seed", "1"]]  # which draws dropout, and a ResNet has none
    if from_noise:
        assert "pix2pix-ms generate" in refusal(*words, tmp_path / "c")
        wanted, refused = [[], ["--seed", "1"]], []
        words = ["generate", run.folder, "--count", "3", "--out"]
    elif model == "stargan":
        one, other = (["--domain", domain] for domain in run.config().domains[:2])
        wanted = [one, [*other, "--reference", photo]]
        refused = [["--mode", "eval", *one], ["--no-dropout", *one]]
        refused += [["--seed", "1", *one, "--reference", photo]]
        assert "marzipan" in refusal(*words, tmp_path / "c", "--domain", "marzipan")
        for idle in ([], ["--seed", "1"]):
            assert "--domain" in refusal(*words, tmp_path / "c", *idle)
    for name, given in zip("ab", wanted, strict=True):
        output(*words, tmp_path / name, *given)
    for given in refused:
        assert given[0] in refusal(*words, tmp_path / "c", *given)
    assert not (tmp_path / "c").exists()
    pictures = [np.asarray(Image.open(p)) for p in sorted(tmp_path.glob("[ab]/*.png"))]
    assert len(pictures) == (6 if from_noise else 2)
    assert not np.array_equal(pictures[0], pictures[-1])
    assert from_noise or all(picture.shape == (48, 64, 3) for picture in pictures)


def test_no_relative_is_left_out() -> None:
    assert set(SMALL) == set(MODELS) - {"pix2pix"}
