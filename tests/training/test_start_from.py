"""`train --from`: a new run with the networks of another, on other data, at another size."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.exchange.export import export
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.training import checkpoints
from pix2pix_ms.training.epochs import Trainer
from pix2pix_ms.training.run import Run
from tests.every_model import CONFIGS, built
from tests.runs import call, log_of, output, refusal, weights

SMALL = ["--ngf", "4", "--ndf", "4", "--n-layers", "1", "--size", "32", "--no-jit"]
BRIEF = ["--epochs", "2", "--samples", "1", "--device", "CPU"]
BRIEF += ["--ema", "0", "--learning-rate", "2e-4"]
BOTH = ("generator", "discriminator")
ANEW = ["--preset", "quick", "--size", "32", "--no-jit", *BRIEF]  # what a run from another is given
EXPORTED = "../exported"

pytestmark = pytest.mark.usefixtures("light")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 32x32 pixels, five levels, and its generator exported beside it."""
    folder = tmp_path_factory.mktemp("place") / "run"
    output("train", *SMALL, *BRIEF, "--facades", 6, "--save-every", 1, "--out", folder)
    export(folder, folder / EXPORTED / "generator.safetensors")
    return folder


@pytest.fixture(scope="module")
def straight(place: Path, record: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that started with those networks and was never stopped."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    output("train", "--from", place, *ANEW, "--data", record, "--out", folder)
    return folder


@pytest.fixture
def halt(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Returns what ends trainings before an epoch."""
    batches = Trainer.batches

    def before(last: int) -> None:
        def batches_or_end(trainer: Trainer, epoch: int) -> Any:
            if epoch == last:
                raise Pix2PixError("enough")
            return batches(trainer, epoch)

        monkeypatch.setattr(Trainer, "batches", batches_or_end)

    return before


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ([], {"size": 32, "jitter": 36, "levels": None, "epochs": 2, "learning_rate": 2e-4}),
        (["--height", 64], {"shape": (64, 32), "levels": 5, "jitter_shape": (72, 36)}),
        (["--learning-rate", 1e-3, "--batch-size", 2], {"learning_rate": 1e-3, "batch_size": 2}),
        (
            ["--preset", "cpu", "--no-jit"],
            {"size": 32, "ngf": 4, "n_layers": 1, "epochs": 15, "ema": 0.999},
        ),
        (["--preset", "paper", "--size", 64, "--no-jit"], {"size": 64, "ngf": 4, "levels": 5}),
    ],
)
def test_a_run_starts_with_the_networks_of_another(
    place: Path, record: Path, tmp_path: Path, halt: Any, words: list[Any], settings: dict[str, Any]
) -> None:
    """To the bit, generator and discriminator, while optimisers, step and epochs start anew."""
    halt(1)
    said = call("train", "--from", place, "--data", record, *words, "--out", tmp_path / "run")
    average = ["average"] * ("ema" in settings)
    assert f"starts from {place}, epoch 2: {', '.join([*BOTH, *average])}\n" in said.output
    run = Run(tmp_path / "run")
    assert weights(run.folder, *BOTH) == weights(place, *BOTH)
    found, config, position = checkpoints.load(run.last)
    assert (position["epoch"], position["step"], len(run.log())) == (0, 0, 1)
    moments = [value.asnumpy() for name, value in found.items() if ".moment" in name]
    assert moments and not any(moment.any() for moment in moments)
    assert json.loads(run.config_file.read_text())["start_from"] == str(place)
    assert {name: getattr(config, name) for name in settings} == settings
    averages = {n.removeprefix("average."): v for n, v in weights(run.folder, "average").items()}
    assert averages == (weights(place, "generator") if average else {})


@pytest.mark.parametrize(
    ("source", "words", "taken"),
    [
        ("checkpoints/last.ckpt", [], BOTH),
        ("checkpoints/epoch_001.ckpt", [], BOTH[:1]),
        (EXPORTED, [], BOTH[:1]),
        ("", ["--n-layers", 2], BOTH[:1]),
    ],
    ids=["last", "kept", "exported", "other layers"],
)
def test_a_network_that_is_not_there_starts_as_in_a_new_run(
    place: Path, record: Path, tmp_path: Path, halt: Any,
    source: str, words: list[Any], taken: tuple[str, ...],
) -> None:  # fmt: skip
    halt(1)
    run, new = tmp_path / "run", tmp_path / "new"
    started = call("train", "--from", place / source, "--data", record, *words, "--out", run)
    assert f": {', '.join(taken)}\n" in started.output
    call("train", *SMALL, "--data", record, *words, "--out", new)
    for network in BOTH:
        origin = place / source if network in taken else new
        assert weights(run, network) == weights(origin, network)
    assert weights(run, "generator") != weights(new, "generator")


@pytest.mark.parametrize("again", [["--resume"], []])
def test_it_goes_on_to_the_bit_without_what_it_started_from(
    place: Path, straight: Path, record: Path, tmp_path: Path, halt: Any, again: list[str]
) -> None:
    """With --resume alone, or behind the words it began with, as an interruption says."""
    shutil.copytree(place, tmp_path / "place")
    stopped = tmp_path / "stopped"
    words = ["train", "--from", tmp_path / "place", *ANEW, "--data", record, "--out"]
    halt(2)
    assert "enough" in call(*words, stopped).output
    halt(9)
    shutil.rmtree(tmp_path / "place")
    begun = ["train", "--out", stopped] if again else [*words, stopped, "--resume"]
    assert "starts from" not in output(*begun, *again)
    assert weights(stopped) == weights(straight)
    assert log_of(stopped) == log_of(straight)


def test_resume_refuses_another_place_to_start_from(place: Path, straight: Path) -> None:
    for run, source in ((place, straight), (straight, place / EXPORTED)):
        log = (run / "log.csv").read_bytes()
        assert "start_from" in refusal("train", "--resume", "--from", source, "--out", run)
        assert (run / "log.csv").read_bytes() == log


@pytest.mark.parametrize(
    ("words", "about"),
    [
        ("--from nowhere", "nowhere: "),
        ("--from {place} --model cyclegan", "{place}"),
        ("--from {place} --ngf 8", "{place}"),
        ("--from {place} --size 48", "size: "),
        ("--from judge.ckpt", "judge.ckpt: "),
        ("--from {place} --resume --n-blocks 3", "n_blocks: "),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    place: Path, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: str, about: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    config = Config(size=32, ngf=4, ndf=4, n_layers=1)
    checkpoints.save(PatchGAN(config).get_parameters(), Path("judge.ckpt"), config)
    given = words.format(place=place).split()
    refusal("train", *given, "--data", record, "--out", "run", about=about.format(place=place))
    assert [path.name for path in tmp_path.iterdir()] == ["judge.ckpt"]


def test_a_run_does_not_start_from_itself(place: Path) -> None:
    for source in (place, place / "checkpoints" / "epoch_001.ckpt"):
        for resume in ([], ["--resume"]):
            line = refusal("train", "--from", source, "--out", place, *resume, about=source)
            assert "another run" in line


def model_with(config: Any, seed: int) -> Any:
    return built(replace(config, seed=seed, init_type="normal"))


@pytest.mark.parametrize("name", ["pix2pix", "pix2pix O2", "dcgan", "cyclegan", "stargan"])
@pytest.mark.parametrize("whole", [True, False], ids=["all", "kept"])
def test_every_model_starts_with_the_networks_that_are_there(
    tmp_path: Path, name: str, whole: bool
) -> None:
    """Where only those that translate were kept, averages stand for what they follow."""
    config: Any = CONFIGS[name]
    before, now, fresh = (model_with(config, seed) for seed in (1, 2, 2))
    parameters = before.parameters().values() if whole else before.inference_parameters().values()
    checkpoints.save(parameters, tmp_path / "x.ckpt", config, epoch=7)
    line = checkpoints.start_from(tmp_path / "x.ckpt", now.parameters(), config)
    named = line.removeprefix(f"starts from {tmp_path / 'x.ckpt'}, epoch 7: ").split(", ")
    wanted = {"stargan": ["generator", "mapping", "encoder", "discriminator", "average"],
              "cyclegan": ["generator_AtoB", "generator_BtoA", "discriminator_A",
                           "discriminator_B"]}.get(name, [*BOTH])  # fmt: skip
    assert named == [one for one in wanted if whole or not one.startswith("discriminator")]
    theirs, own = before.parameters(), fresh.parameters()
    for key, value in now.parameters().items():
        source = theirs if key.split(".")[0] in named else own
        assert value.asnumpy().tobytes() == source[key].asnumpy().tobytes(), key


@pytest.mark.parametrize(("before", "now"), [(0.9, 0.0), (0.9, 0.5), (0.0, 0.9)])
def test_averages_of_pix2pix_replace_the_generator(
    tmp_path: Path, before: float, now: float
) -> None:
    trained = model_with(replace(CONFIGS["pix2pix"], ema=before), 1)
    checkpoints.save(trained.inference_parameters().values(), tmp_path / "x.ckpt", trained.config)
    config = replace(CONFIGS["pix2pix"], ema=now)
    model = model_with(config, 2)
    checkpoints.start_from(tmp_path / "x.ckpt", model.parameters(), config)
    wanted = [value.asnumpy().tobytes() for value in trained.inference_parameters().values()]
    for network in (model.generator, model.translating):
        assert [value.asnumpy().tobytes() for value in network.get_parameters()] == wanted
