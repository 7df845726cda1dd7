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
ANEW = ["--preset", "quick", "--size", "64", "--no-jit", *BRIEF]  # what a run from another is given

pytestmark = pytest.mark.usefixtures("light")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 32x32 pixels, five levels."""
    folder = tmp_path_factory.mktemp("place") / "run"
    output("train", *SMALL, *BRIEF, "--facades", 6, "--save-every", 1, "--out", folder)
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
        (["--size", 64], {"size": 64, "jitter": 72, "levels": 5}),
        (["--height", 64], {"shape": (64, 32), "levels": 5, "jitter_shape": (72, 36)}),
        (["--learning-rate", 1e-3, "--batch-size", 2], {"learning_rate": 1e-3, "batch_size": 2}),
        (
            ["--preset", "cpu", "--no-jit"],
            {"size": 32, "ngf": 4, "n_layers": 1, "epochs": 15, "ema": 0.999},
        ),
        (["--preset", "paper", "--size", 64, "--no-jit"], {"size": 64, "ngf": 4, "levels": 5}),
        (["--ema", 0.9], {"ema": 0.9}),
    ],
)
def test_a_run_starts_with_the_networks_of_another(
    place: Path, record: Path, tmp_path: Path, halt: Any, words: list[Any], settings: dict[str, Any]
) -> None:
    """To the bit, generator and discriminator, while optimisers, step and epochs start anew."""
    halt(1)
    result = call("train", "--from", place, "--data", record, *words, "--out", tmp_path / "run")
    assert "error: enough" in result.output
    average = ["average"] * ("ema" in settings)
    assert f"starts from {place}, epoch 2: {', '.join([*BOTH, *average])}\n" in result.output
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


@pytest.mark.parametrize("file", ["last.ckpt", "epoch_001.ckpt"])
def test_a_checkpoint_file_is_a_place_to_start_from(
    place: Path, record: Path, tmp_path: Path, halt: Any, file: str
) -> None:
    halt(1)
    checkpoint = place / "checkpoints" / file
    call("train", "--from", checkpoint, "--data", record, "--out", tmp_path / "run")
    networks = BOTH if file == "last.ckpt" else BOTH[:1]
    found = weights(tmp_path / "run", *networks)
    assert found == weights(checkpoint, *networks)
    assert (found == weights(place, *networks)) == (file == "last.ckpt")


def test_an_exported_network_is_a_generator_alone(
    place: Path, record: Path, tmp_path: Path, halt: Any
) -> None:
    """The discriminator then starts as one of a new run does."""
    halt(1)
    export(place, tmp_path / "exported" / "generator.safetensors")
    words = ["train", "--data", record, "--out"]
    started = call(*words, tmp_path / "run", "--from", tmp_path / "exported")
    assert f"starts from {tmp_path / 'exported'}: generator\n" in started.output
    call(*words, tmp_path / "new", *SMALL)
    run, new, exported = (tmp_path / name for name in ("run", "new", "exported"))
    assert weights(run, "generator") == weights(exported, "generator")
    assert weights(run, "discriminator") == weights(new, "discriminator")
    assert weights(run, "generator") != weights(new, "generator")


def test_a_discriminator_of_other_layers_begins_anew(
    place: Path, record: Path, tmp_path: Path, halt: Any
) -> None:
    halt(1)
    words = ["train", "--data", record, "--n-layers", 2, "--out"]
    started = call(*words, tmp_path / "run", "--from", place)
    assert f"starts from {place}, epoch 2: generator\n" in started.output
    call(*words, tmp_path / "new", *SMALL, "--n-layers", 2)
    assert weights(tmp_path / "run", "generator") == weights(place, "generator")
    assert weights(tmp_path / "run", "discriminator") == weights(tmp_path / "new", "discriminator")


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

    before = (stopped / "log.csv").read_bytes()
    line = refusal("train", "--resume", "--from", place, "--out", stopped)
    assert f"expected start_from {tmp_path / 'place'} as the run began" in line
    assert (stopped / "log.csv").read_bytes() == before


def test_resume_refuses_a_new_place_to_start_from(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place, tmp_path / "run")
    line = refusal("train", "--resume", "--from", place, "--out", tmp_path / "run")
    assert "expected start_from None as the run began" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "nowhere"], "nowhere: expected a checkpoint, found none"),
        (["--from", "PLACE", "--model", "cyclegan"], "expected a run of cyclegan, found one of"),
        (["--from", "PLACE", "--ngf", "8"], "expected generator.downs.0.conv.weight [8, 3, 4, 4], "
         "found [4, 3, 4, 4]; the network has ngf 8, the checkpoint ngf 4"),
        (["--from", "PLACE", "--size", "48"], "size: expected a multiple of 32 (32 or 64)"),
        (["--from", "judge.ckpt"], "judge.ckpt: expected a checkpoint with a generator, found one "
         "with discriminator"),
        (["--from", "PLACE", "--resume", "--n-blocks", "3"], "n_blocks: expected a setting of"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_leaves_nothing(
    place: Path, record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    words: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    config = Config(size=32, ngf=4, ndf=4, n_layers=1)
    checkpoints.save(PatchGAN(config).get_parameters(), Path("judge.ckpt"), config)
    words = [str(place) if word == "PLACE" else word for word in words]
    assert message in refusal("train", *words, "--data", record, "--out", "run")
    assert [path.name for path in tmp_path.iterdir()] == ["judge.ckpt"]


def test_a_run_does_not_start_from_itself(place: Path) -> None:
    for source in (place, place / "checkpoints" / "epoch_001.ckpt"):
        for resume in ([], ["--resume"]):
            line = refusal("train", "--from", source, "--out", place, *resume, about=source)
            assert "expected another run, found that to train" in line


def model_with(config: Any, seed: int) -> Any:
    return built(replace(config, seed=seed, init_type="normal"))


@pytest.mark.parametrize("name", ["pix2pix", "pix2pix O2", "dcgan", "cyclegan", "stargan"])
@pytest.mark.parametrize("whole", [True, False], ids=["all", "kept"])
def test_every_model_starts_with_the_networks_that_are_there(
    tmp_path: Path, name: str, whole: bool
) -> None:
    """Where only those that translate were kept, averages stand for what they follow."""
    config: Any = CONFIGS[name]
    before, now = model_with(config, 1), model_with(config, 2)
    fresh = model_with(config, 2)
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
        network = key.split(".")[0]
        source = theirs[key] if network in named else own[key]
        assert value.asnumpy().tobytes() == source.asnumpy().tobytes(), key


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
