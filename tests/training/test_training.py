from dataclasses import replace
from pathlib import Path

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
from tests.runs import log_of, quiet, weights

pytestmark = pytest.mark.usefixtures("light")  # `straight` aside, which comes before


@pytest.fixture(scope="session")
def tiny(tiny: Config) -> Config:
    """Nothing compiled, which takes longer than so few steps."""
    return replace(tiny, jit=False)


def held_out_pairs(data: TrainingData, config: Config) -> list[tuple[np.ndarray, np.ndarray]]:
    """The held-out pairs (x, y), float32 [1, 3, H, W] each."""
    return list(pairs_of(plain_data(data.held_out, config), data.held_out))


def state(model: Pix2Pix) -> dict[str, bytes]:
    return {name: value.asnumpy().tobytes() for name, value in model.parameters().items()}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, tiny: Config, data: TrainingData) -> Run:
    return train(tiny, data, tmp_path_factory.mktemp("runs") / "straight", report=quiet)


def test_a_run_leaves_what_the_readme_lists(straight: Run, tiny: Config) -> None:
    files = {str(path.relative_to(straight.folder)) for path in straight.folder.rglob("*.*")}
    assert files == {
        "config.json", "data.json", "log.csv", "losses.png", "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "checkpoints/epoch_002.ckpt", "checkpoints/epoch_004.ckpt",
        *(f"samples/epoch_{epoch:03d}.png" for epoch in range(5)),
    }  # fmt: skip
    assert straight.config() == tiny
    assert "held out: 2, the last tenth by seed" in straight.data_file.read_text()
    log = straight.log()
    assert [row["epoch"] for row in log] == [0, 1, 2, 3, 4]
    assert [row["step"] for row in log] == [0, 10, 20, 30, 40]
    assert log[-1]["held_out_l1"] < log[0]["held_out_l1"]
    rates = [row["learning_rate"] for row in log]
    assert rates[1] == rates[2] > rates[3] > rates[4] > 0


def test_a_run_without_a_discriminator_is_logged_and_resumed(
    tmp_path: Path, tiny: Config, data: TrainingData
) -> None:
    config = replace(tiny, gan_weight=0.0, skips=False, epochs=2)
    said: list[str] = []
    train(config, data, tmp_path / "run", stop_after=1, report=said.append)
    run = train(config, data, tmp_path / "run", resume=True, report=said.append)
    log = run.log()
    assert [row["epoch"] for row in log] == [0, 1, 2]
    assert all(np.isnan(row["loss_g_gan"]) and np.isfinite(row["held_out_l1"]) for row in log)
    lines = [line for line in said if line.startswith(("epoch 1", "epoch 2"))]
    assert len(lines) == 2
    assert not any("nan" in line or "D " in line for line in lines)
    assert len(loss_curves(log).axes) == 2
    assert len(loss_curves([log[0], dict.fromkeys(log[1], 1.0)]).axes) == 3


def test_translating_between_steps_changes_nothing(tiny: Config, data: TrainingData) -> None:
    model, pairs = Pix2Pix(tiny), held_out_pairs(data, tiny)
    first = values(model)

    def trained(modes: tuple[Mode, ...]) -> dict[str, bytes]:
        """Train from the first values for four steps, and translate after the first ones."""
        restore(model, first, 0)
        for number in range(4):
            model.train_step(*pairs[number % 2])
            for mode in modes[number : number + 1]:
                Translator(model.generator, tiny, mode)(pairs[0][0])
        return state(model)

    assert trained(("paper", "eval")) == trained(())


def test_a_run_can_be_made_longer(tmp_path: Path, tiny: Config, data: TrainingData) -> None:
    short = replace(tiny, epochs=1, constant_epochs=1)
    train(short, data, tmp_path / "run", report=quiet)
    longer = replace(tiny, epochs=2, constant_epochs=1)
    run = train(longer, data, tmp_path / "run", resume=True, report=quiet)
    assert len(run.log()) == 3
    assert run.config() == longer


def test_sample_every_and_save_every(
    tmp_path: Path, straight: Run, tiny: Config, data: TrainingData
) -> None:
    """Also when a run goes on with other numbers; what is trained is the same."""

    def kept(run: Run) -> list[list[str]]:
        samples, checkpoints = (run.sample_file(0).parent, run.last.parent)
        return [sorted(file.stem for file in folder.glob("epoch_*"))
                for folder in (samples, checkpoints)]  # fmt: skip

    rare = replace(tiny, epochs=4, sample_every=3, save_every=3)
    run = train(rare, data, tmp_path / "run", report=quiet)
    assert kept(run) == [["epoch_000", "epoch_003", "epoch_004"], ["epoch_003", "epoch_004"]]
    assert weights(run.folder) == weights(straight.folder)
    assert log_of(run.folder) == log_of(straight.folder)
    longer = replace(rare, epochs=6, sample_every=5, save_every=5)
    train(longer, data, run.folder, resume=True, stop_after=5, report=quiet)
    assert [files[-1] for files in kept(run)] == ["epoch_005", "epoch_005"]
    assert run.config() == longer


def test_a_run_cannot_be_made_shorter_than_it_is(
    straight: Run, tiny: Config, data: TrainingData
) -> None:
    with pytest.raises(
        Pix2PixError, match="epochs: expected at least the 4 that .* has begun, found 2"
    ):
        train(replace(tiny, epochs=2), data, straight.folder, resume=True, report=quiet)
    assert straight.config() == tiny


def test_resume_where_there_is_nothing_starts(
    tmp_path: Path, tiny: Config, data: TrainingData
) -> None:
    run = train(tiny, data, tmp_path / "new", resume=True, stop_after=1, report=quiet)
    assert len(run.log()) == 2


def test_a_folder_with_a_run_is_not_overwritten(
    straight: Run, tiny: Config, data: TrainingData
) -> None:
    before = straight.log_file.read_bytes()
    with pytest.raises(Pix2PixError, match="expected a new folder, found a run; .*--resume"):
        train(tiny, data, straight.folder, report=quiet)
    assert straight.log_file.read_bytes() == before


def test_resume_with_other_settings_is_refused(
    straight: Run, tiny: Config, data: TrainingData
) -> None:
    with pytest.raises(Pix2PixError, match="expected lambda_l1 100.0 as the run began, found 10"):
        train(replace(tiny, lambda_l1=10.0), data, straight.folder, resume=True, report=quiet)


def test_a_log_that_lost_rows_is_refused(tmp_path: Path, tiny: Config, data: TrainingData) -> None:
    run = train(tiny, data, tmp_path / "run", stop_after=2, report=quiet)
    run.write_log(run.log()[:1])
    with pytest.raises(Pix2PixError, match="the 3 rows that last.ckpt was saved with"):
        train(tiny, data, tmp_path / "run", resume=True, report=quiet)


def test_rows_after_the_last_checkpoint_do_not_count(
    tmp_path: Path, tiny: Config, data: TrainingData
) -> None:
    """As after a kill between writing the log and the checkpoint."""
    run = train(tiny, data, tmp_path / "run", stop_after=1, report=quiet)
    log = run.log()
    run.write_log([*log, {**log[-1], "epoch": 2}])
    resumed = train(tiny, data, tmp_path / "run", resume=True, stop_after=2, report=quiet)
    assert [row["epoch"] for row in resumed.log()] == [0, 1, 2]
    assert resumed.log()[2] != {**log[-1], "epoch": 2}


def test_the_step_updates_both_networks_with_one_generator_pass(
    tiny: Config, data: TrainingData
) -> None:
    model = Pix2Pix(tiny)
    passes = []
    construct = model.generator.construct
    model.generator.construct = lambda *x: passes.append(1) or construct(*x)
    before = state(model)
    (pair, *_) = held_out_pairs(data, tiny)
    model.train_step(*pair)
    after = state(model)
    assert len(passes) == 1
    changed = {name for name in before if before[name] != after[name]}
    assert any(name.startswith("generator.") for name in changed)
    assert any(name.startswith("discriminator.") for name in changed)


@pytest.mark.parametrize("jit", [True, False])
def test_the_learning_rate_reaches_a_step_that_is_already_compiled(
    tiny: Config, data: TrainingData, jit: bool
) -> None:
    (pair, *_) = held_out_pairs(data, tiny)
    model = Pix2Pix(replace(tiny, jit=jit))

    def moved() -> float:
        weight = model.generator.downs[0].conv.weight
        before = weight.asnumpy().copy()
        model.train_step(*pair)
        return float(np.abs(weight.asnumpy() - before).max())

    assert moved() > 1e-4
    model.set_learning_rate(1e-9)
    assert moved() < 1e-7


def test_an_interruption_says_where_the_run_was_last_saved_or_loaded(
    tmp_path: Path, tiny: Config, data: TrainingData
) -> None:
    run = Run(tmp_path / "run")
    assert (
        interruption(run, "ms") == "interrupted before the first checkpoint; start again with: ms"
    )
    train(tiny, data, run.folder, stop_after=2, report=quiet)
    assert interruption(run, "ms") == "interrupted before it went on; go on with: ms"
    run.last.write_bytes(b"damaged")
    run.load_last(quiet)
    assert interruption(run, "ms") == f"interrupted; {run.previous} holds epoch 1; go on with: ms"
    run.saved = run.last, {"epoch": 3, "losses": [(0.0,), (0.0,)]}
    assert f"; {run.last} holds epoch 3 and 2 steps more; " in interruption(run, "ms")
