"""Numbers that break stop a training, and signs that one network has won are reported."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mindspore as ms
import numpy as np
import pytest

from pix2pix_ms.config.models import MODELS, preset
from pix2pix_ms.data.pair_batches import TrainingData, training_data
from pix2pix_ms.machine.precision import SKIPPED
from pix2pix_ms.pix2pix.step import Losses, Pix2Pix
from pix2pix_ms.training import health
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.run import Run
from tests.runs import TINY, quiet, refused

pytestmark = pytest.mark.usefixtures("light")
CONFIG = preset("quick", **TINY | {"batch_size": 5})
STEPS = 2  # an epoch
STEP = Pix2Pix.train_step
WEIGHT = "generator.downs.0.conv.weight"


@pytest.fixture
def data(records: Path) -> TrainingData:
    return training_data(records, CONFIG.seed)


def from_step(number: int, change: Callable[[Pix2Pix, Losses], Losses]) -> Callable[..., Losses]:
    """A training step whose outcome is changed from a step on."""

    def step(model: Pix2Pix, *batch: np.ndarray) -> Losses:
        losses = STEP(model, *batch)
        return change(model, losses) if model.step >= number else losses

    return step


def spoil(name: str) -> Callable[[Pix2Pix, Losses], Losses]:
    """Make a parameter nan after the step, as a gradient that overflows does."""

    def change(model: Pix2Pix, losses: Losses) -> Losses:
        parameter = model.parameters()[name]
        ms.ops.assign(parameter, ms.Tensor(np.full(parameter.shape, np.nan, np.float32)))
        return losses

    return change


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_nan_or_infinite_loss_stops_training_at_that_step(
    value: float, data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = from_step(STEPS + 1, lambda _, losses: losses._replace(g_l1=value))
    monkeypatch.setattr(Pix2Pix, "train_step", broken)
    run = Run(tmp_path / "run")
    words = f"loss g_l1: expected a finite number at step 3, in epoch 2, found {value}; "
    with refused(f"^{words}{run.last} is from before.* --learning-rate 5e-05"):
        train(CONFIG, data, run.folder, report=quiet)
    check_kept(run)


@pytest.mark.parametrize(
    ("named", "step", "words"),
    [
        ("generator.ups", STEPS + 1, "expected a finite number at step 4, in epoch 2, found nan"),
        (WEIGHT, STEPS + 1, f"^{WEIGHT}: expected finite numbers in epoch 2, found others; "),
        (
            "patchgan.moment1",
            2 * STEPS,
            r"^patchgan.moment1\S*: expected finite numbers in epoch 2",
        ),
    ],
)
def test_nan_weights_stop_training_at_the_next_step_and_are_never_saved(
    named: str,
    step: int,
    words: str,
    data: TrainingData,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No loss shows them after the last step of an epoch, and none at all where a ReLU follows.

    MindSpore 2.8's makes 0 of nan on a CPU.
    """
    name = [known for known in Pix2Pix(CONFIG).parameters() if known.startswith(named)][-1]
    monkeypatch.setattr(Pix2Pix, "train_step", from_step(step, spoil(name)))
    run = Run(tmp_path / "run")
    with refused(words):
        train(CONFIG, data, run.folder, report=quiet)
    check_kept(run)


def check_kept(run: Run) -> None:
    """Assert that what is kept is the first epoch, of finite numbers."""
    kept = run.load_last(print)
    assert kept
    assert kept.position["epoch"] == 1
    assert len(run.log()) == 2
    assert all(np.isfinite(value.asnumpy()).all() for value in kept.parameters.values())


def test_signs_of_collapse_are_reported_and_written_down(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, also where the epoch is trained again; a last layer of zeros makes one colour."""

    def won(model: Pix2Pix, losses: Losses) -> Losses:
        for parameter in model.generator.ups[-1].get_parameters():
            ms.ops.assign(parameter, ms.ops.zeros_like(parameter))
        return losses._replace(d_real=0.001, d_fake=0.002)

    monkeypatch.setattr(Pix2Pix, "train_step", from_step(STEPS + 1, won))
    said: list[str] = []
    run = train(CONFIG, data, tmp_path / "run", stop_after=2, report=said.append)
    lines = run.warnings_file.read_text().splitlines()
    assert lines == [
        "epoch 2: the discriminator's loss (d_real, d_fake) was 0.0015 on average: it tells every "
        "generated image, and the generator learns nothing from it",
        "epoch 2: every generated image is of one colour",
    ]
    assert [line for line in said if "warning" in line] == [f"warning: {line}" for line in lines]
    run.last.unlink()  # epoch 2 again
    train(CONFIG, data, tmp_path / "run", resume=True, stop_after=2, report=quiet)
    assert run.warnings_file.read_text().splitlines() == lines


IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, 3, 8, 8))
COLOURS = np.array([[1.0, 0.2, -1.0], [-0.5, 0.5, 0.9]]).reshape(2, 3, 1, 1)
LOG = ({"epoch": 0, "step": 0}, {"epoch": 1, "step": 9})
ALIKE = ["epoch 1: all generated images are alike"]
ONE_COLOUR = ["epoch 1: every generated image is of one colour"]


@pytest.mark.parametrize(
    ("images", "log", "signs"),
    [
        (np.repeat(IMAGE, 3, 0), LOG, ALIKE),
        (np.concatenate([IMAGE, -IMAGE]), LOG, []),
        (IMAGE, LOG, []),
        (np.tile(COLOURS, (1, 1, 8, 8)), LOG, ONE_COLOUR),
        (np.tile(COLOURS, (1, 1, 8, 8)), LOG[:1], []),  # untrained
    ],
)
def test_generated_images_alike_or_of_one_colour_are_reported(
    images: np.ndarray, log: Sequence[dict[str, float]], signs: list[str]
) -> None:
    task: Any = SimpleNamespace(games=tuple, generated=lambda: [images])
    assert health.signs(task, log) == signs


def test_an_epoch_of_skipped_updates_is_reported() -> None:
    task: Any = SimpleNamespace(games=tuple, generated=tuple)
    for skipped, reported in ((12, True), (9, False)):
        rows = {"step": 10, SKIPPED: 2}, {"epoch": 2, "step": 20, SKIPPED: skipped}
        assert bool(health.signs(task, rows)) == reported


def test_a_sound_run_has_no_warnings(undisturbed: Path) -> None:
    assert not Run(undisturbed).warnings_file.exists()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("change", [{}, {"gan_weight": 0.0}, {"lambda_cycle": 0.0}])
def test_every_task_knows_whose_losses_are_whose(model: str, change: dict[str, float]) -> None:
    config, task = preset("paper", model), MODELS[model].task_class()
    own = {name: value for name, value in change.items() if hasattr(config, name)}
    holder = SimpleNamespace(config=replace(config, **own))
    played = {name for names in task.games(holder) for name in names}
    absent = set(task.absent(holder))
    assert played | absent <= set(task.losses)
    assert not played & absent
    assert all(name.startswith("d_") for name in played)
    assert bool(absent) == bool(own) or model == "stargan"
