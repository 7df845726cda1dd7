"""A run of pix2pix: what it leaves, how it goes on, and what it refuses."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.data.pair_batches import TrainingData, pairs_of, plain_data
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.pix2pix.step import Pix2Pix
from pix2pix_ms.pix2pix.translate import Mode, Translator
from pix2pix_ms.training.epochs import train
from pix2pix_ms.training.figures import loss_curves
from pix2pix_ms.training.run import Run
from pix2pix_ms.training.start import interruption
from tests.every_model import restore, values
from tests.runs import log_of, numbers, quiet, weights

pytestmark = pytest.mark.usefixtures("light")  # `straight` aside, which comes before


@pytest.fixture(scope="module")
def eager(eager: Config) -> Config:
    """The smallest without dropout: none of these tests is about it."""
    return replace(eager, size=32, jitter_size=36)


@pytest.fixture(scope="module")
def pairs(data: TrainingData, eager: Config) -> list[tuple[np.ndarray, np.ndarray]]:
    """The held-out pairs (x, y), float32 [1, 3, H, W] each."""
    return list(pairs_of(plain_data(data.held_out, eager), data.held_out))


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, eager: Config, data: TrainingData) -> Run:
    return train(eager, data, tmp_path_factory.mktemp("runs") / "straight", report=quiet)


@pytest.fixture
def copied(straight: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(straight.folder, tmp_path / "copied")))


def test_a_run_leaves_what_the_readme_lists(straight: Run, eager: Config) -> None:
    files = {str(path.relative_to(straight.folder)) for path in straight.folder.rglob("*.*")}
    assert files == {
        "config.json", "data.json", "log.csv", "losses.png", "report.html", "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "checkpoints/epoch_002.ckpt", "checkpoints/epoch_004.ckpt",
        *(f"samples/epoch_{epoch:03d}.png" for epoch in range(5)),
    }  # fmt: skip
    assert straight.config() == eager
    assert "held out: 2, the last tenth by seed" in straight.data_file.read_text()
    log = straight.log()
    assert [(row["epoch"], row["step"]) for row in log] == [(n, 10 * n) for n in range(5)]
    assert log[-1]["held_out_l1"] < log[0]["held_out_l1"]
    rates = [row["learning_rate"] for row in log]
    assert rates[1] == rates[2] > rates[3] > rates[4] > 0


def test_a_run_without_a_discriminator_is_logged_and_resumed(
    tmp_path: Path, eager: Config, data: TrainingData
) -> None:
    config = replace(eager, gan_weight=0.0, skips=False, epochs=2)
    said: list[str] = []
    train(config, data, tmp_path / "run", stop_after=1, report=said.append)
    log = train(config, data, tmp_path / "run", resume=True, report=said.append).log()
    assert [row["epoch"] for row in log] == [0, 1, 2]
    assert all(np.isnan(row["loss_g_gan"]) and np.isfinite(row["held_out_l1"]) for row in log)
    lines = [line for line in said if line.startswith(("epoch 1", "epoch 2"))]
    assert len(lines) == 2
    assert not any("nan" in line or "D " in line for line in lines)
    assert len(loss_curves(log).axes) == 2
    assert len(loss_curves([log[0], dict.fromkeys(log[1], 1.0)]).axes) == 3


def test_translating_between_steps_changes_nothing(eager: Config, pairs: list[Any]) -> None:
    model = Pix2Pix(eager)
    first = values(model)

    def trained(modes: tuple[Mode, ...]) -> dict[str, np.ndarray]:
        """Train from the first values for four steps, and translate after the first ones."""
        restore(model, first, 0)
        for number in range(4):
            model.train_step(*pairs[number % 2])
            for mode in modes[number : number + 1]:
                Translator(model.generator, eager, mode)(pairs[0][0])
        return values(model)

    np.testing.assert_equal(trained(("paper", "eval")), trained(()))


def test_sample_every_and_save_every(
    tmp_path: Path, straight: Run, eager: Config, data: TrainingData
) -> None:
    """Also when a run goes on with other numbers; what is trained is the same."""

    def kept(run: Run) -> list[list[str]]:
        folders = (run.sample_file(0).parent, run.last.parent)
        return [sorted(file.stem for file in folder.glob("epoch_*")) for folder in folders]

    rare = replace(eager, sample_every=3, save_every=3)
    run = train(rare, data, tmp_path / "run", report=quiet)
    assert kept(run) == [["epoch_000", "epoch_003", "epoch_004"], ["epoch_003", "epoch_004"]]
    assert weights(run.folder) == weights(straight.folder)
    assert log_of(run.folder) == log_of(straight.folder)
    longer = replace(rare, epochs=6, sample_every=5, save_every=5)
    train(longer, data, run.folder, resume=True, stop_after=5, report=quiet)
    assert [files[-1] for files in kept(run)] == ["epoch_005", "epoch_005"]
    assert run.config() == longer


@pytest.mark.parametrize(
    ("changes", "resume", "words"),
    [
        ({}, False, "found a run"),
        ({"epochs": 2}, True, "epochs: .* found 2"),
        ({"lambda_l1": 10.0}, True, "lambda_l1 100.0 .* found 10"),
    ],
)
def test_a_run_refuses_settings_that_are_not_its_own(
    straight: Run, eager: Config, data: TrainingData,
    changes: dict[str, Any], resume: bool, words: str,
) -> None:  # fmt: skip
    files = straight.log_file, straight.config_file
    before = [file.read_bytes() for file in files]
    with pytest.raises(Pix2PixError, match=words):
        train(replace(eager, **changes), data, straight.folder, resume=resume, report=quiet)
    assert [file.read_bytes() for file in files] == before


def test_rows_after_the_last_checkpoint_do_not_count_and_lost_ones_are_missed(
    copied: Run, eager: Config, data: TrainingData
) -> None:
    """There are some after a kill between writing the log and the checkpoint."""
    log, longer = copied.log(), replace(eager, epochs=5)
    beyond = log[-1] | {"epoch": 5}
    copied.write_log([*log, beyond])
    resumed = train(longer, data, copied.folder, resume=True, report=quiet).log()
    assert [row["epoch"] for row in resumed] == [*range(6)]
    assert resumed[-1] != beyond
    copied.write_log(log[:1])
    with pytest.raises(Pix2PixError, match="the 6 rows"):
        train(longer, data, copied.folder, resume=True, report=quiet)


def test_the_step_updates_both_networks_with_one_generator_pass(
    eager: Config, pairs: list[Any]
) -> None:
    model, passes = Pix2Pix(eager), []
    construct = model.generator.construct
    model.generator.construct = lambda *x: passes.append(1) or construct(*x)
    networks = model.generator, model.discriminator
    before = [numbers(network) for network in networks]
    model.train_step(*pairs[0])
    assert len(passes) == 1
    assert not any(map(np.array_equal, before, map(numbers, networks)))


def test_the_learning_rate_reaches_a_step_that_is_already_compiled(
    eager: Config, pairs: list[Any]
) -> None:
    model = Pix2Pix(replace(eager, jit=True))

    def moved() -> float:
        before = numbers(model.generator)
        model.train_step(*pairs[0])
        return float(np.abs(numbers(model.generator) - before).max())

    assert moved() > 1e-4
    model.set_learning_rate(1e-9)
    assert moved() < 1e-7


def test_an_interruption_says_what_is_saved(copied: Run, tmp_path: Path) -> None:
    said = interruption(Run(tmp_path / "new"), "ms")
    assert said == "interrupted before the first checkpoint; start again with: ms"
    assert interruption(copied, "ms") == "interrupted before it went on; go on with: ms"
    copied.last.write_bytes(b"damaged")
    copied.load_last(quiet)
    wanted = f"interrupted; {copied.previous} holds epoch 3; go on with: ms"
    assert interruption(copied, "ms") == wanted
    copied.saved = copied.last, {"epoch": 3, "losses": [(0.0,), (0.0,)]}
    assert f"; {copied.last} holds epoch 3 and 2 steps more; " in interruption(copied, "ms")
