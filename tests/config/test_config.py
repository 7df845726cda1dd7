"""Settings and presets of every model, what is refused, and JSON there and back."""

import json
import math
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import pytest

import pix2pix_ms
from pix2pix_ms import cli, config, pix2pix, training
from pix2pix_ms.config.models import MODELS, preset, refuse_foreign, settings_from_json
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.training.checkpoints import difference
from pix2pix_ms.training.run import Run, check_same
from tests.runs import refused

# Adam as each paper has it, batch sizes, and the weights of the losses.
PAPERS = {
    "pix2pix": {
        "size": 256, "mirror": True, "batch_size": 1, "ngf": 64, "ndf": 64,
        "n_layers": 3, "lambda_l1": 100.0, "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999,
        "epochs": 200, "init_gain": 0.02, "dropout": True, "norm": "batch", "gan_mode": "vanilla",
    },
    "dcgan": {"size": 64, "batch_size": 128, "learning_rate": 2e-4, "beta1": 0.5},
    "lsgan": {"gan_mode": "lsgan"},
    "wgan": {
        "critic_steps": 5, "clip": 0.01, "lambda_gp": 10.0, "learning_rate": 1e-4,
        "beta1": 0.0, "beta2": 0.9,
    },
    "cyclegan": {
        "size": 256, "n_blocks": 9, "batch_size": 1, "learning_rate": 2e-4, "epochs": 200,
        "lambda_cycle": 10.0, "lambda_identity": 0.5, "pool_size": 50, "gan_mode": "lsgan",
        "upsampling": "transposed",
    },
    "stargan": {
        "size": 256, "batch_size": 8, "learning_rate": 1e-4, "beta1": 0.0, "beta2": 0.99,
        "latent_dim": 16, "style_dim": 64, "bottleneck": 16, "lambda_style": 1.0,
        "lambda_diversity": 1.0, "lambda_cycle": 1.0, "lambda_r1": 1.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("model", PAPERS)
def test_presets_named_paper_are_the_papers(model: str) -> None:
    found = asdict(preset("paper", model))
    assert {name: found[name] for name in PAPERS[model]} == PAPERS[model]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_the_three_presets_and_they_survive_json(model: str) -> None:
    kind = MODELS[model].config
    assert list(MODELS[model].presets) == ["quick", "cpu", "paper"]
    for name in MODELS[model].presets:
        config = preset(name, model, seed=3)
        assert config.model == model
        text = config.to_json()
        assert settings_from_json(text, "here") == kind.from_json(text, "here") == config
    assert set(kind.architecture) <= {entry.name for entry in fields(kind)}


def test_learning_rate_is_constant_then_linear_to_almost_nothing() -> None:
    paper = preset("paper")
    assert (paper.constant, paper.depth, paper.jitter) == (100, 8, 286)
    rates = [paper.learning_rate_at(epoch) for epoch in range(1, 201)]
    assert rates[:100] == [2e-4] * 100
    steps = [before - after for before, after in pairwise(rates[99:])]
    assert all(math.isclose(step, 2e-4 / 101, rel_tol=1e-9) for step in steps)
    assert math.isclose(rates[-1], 2e-4 / 101, rel_tol=1e-9)


WRONG: list[tuple[str, object]] = [
    ("height", 4), ("size", 4), ("input_channels", 5), ("target_channels", 0), ("levels", 1),
    ("levels", 10**12), ("n_layers", 6), ("beta1", 1.0), ("learning_rate", -1.0), ("epochs", 0),
    ("batch_size", 0), ("seed", -1), ("gan_weight", -1.0), ("gan_weight", math.inf),
    ("facades", 10**20), ("constant_epochs", 12), ("jitter_size", 32), ("epochs", True),
    ("epochs", None), ("device", "gpu"), ("norm", "layer"), ("direction", "AB"), ("amp", "O1"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_values_out_of_range_or_of_another_type_are_refused(name: str, value: object) -> None:
    with refused(rf"^{name}: expected .*, found {value!r}(;|$)"):
        preset("quick", **{name: value})


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        ("pix2pix", {"size": 100, "jitter_size": 100},
         r"size: expected a multiple of 64 \(64 or 128\) for .* 6 levels, or levels at most 2, f"),
        ("pix2pix", {"size": 50, "jitter_size": 50}, r"size: .* of 32 \(32 or 64\) .* levels, fou"),
        ("pix2pix", {"width": 96}, r"width: expected .* 64 \(64 or 128\) .* levels at most 5,"),
        ("pix2pix", {"levels": 9}, r"size: .* of 512 \(512\) .* 9 levels, or levels at most 6,"),
        ("pix2pix", {"gan_weight": 0, "lambda_l1": 0}, "lambda_l1: expected above 0 where gan_we"),
        ("pix2pix", {"colours": "lab", "input_channels": 1},
         "direction: expected 1, 2 and AtoB where colours is lab, found 1, 3, AtoB"),
        ("pix2pix", {"sync_batch_norm": True}, "sync_batch_norm: expected --distributed beside it"),
        ("pix2pix", {"amp": "O2", "gan_mode": "wgan-gp", "norm": "instance"}, "amp: expected O0 w"),
        ("pix2pix", {"amp_dtype": "bfloat16"}, "amp_dtype: expected amp beside it"),
        ("cyclegan", {"size": 66, "jitter_size": 66}, "size, height, width: expected multiples of"),
        ("dcgan", {"size": 24, "jitter_size": 24}, "size, height, width: expected one power of 2"),
        ("gan", {"gan_mode": "hinge"}, "gan_mode: expected one of minimax, vanilla"),
        ("wgan", {"clip": 0}, "clip: expected above 0, found 0"),
        ("wgan", {"amp": "auto"}, "amp: expected O0 where a loss has a gradient penalty"),
        ("stargan", {"amp": "O2"}, "amp: expected O0 where a loss has a gradient penalty"),
        ("stargan", {"style_dim": 0}, "style_dim: expected at least 1"),
        ("stargan", {"bottleneck": 24}, "bottleneck: expected a power of 2, found 24"),
        ("stargan", {"domains": "a"}, "domains: expected a list of names, found 'a'"),
        ("vae", {}, "model: expected one of pix2pix, gan, "),
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_together_are_refused(
    model: str, changes: dict[str, object], words: str
) -> None:
    with refused(words):
        preset("quick", model, **changes)


def test_unknown_presets_are_refused() -> None:
    with refused("preset: expected one of quick, cpu, paper, found 'big'"):
        preset("big", "cyclegan")


def test_settings_of_older_runs_are_read_as_they_were_meant() -> None:
    """Of pix2pix, before there were other models; CycleGAN's, before upsampling was a setting."""
    oldest = settings_from_json('{"size": 64, "jitter_size": 72}', "here")
    assert oldest == Config(size=64, jitter_size=72)
    older = json.loads(preset("quick", "cyclegan").to_json())
    assert older.pop("upsampling") == "composed"
    assert settings_from_json(json.dumps(older), "here").upsampling == "transposed"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"model": "vae"}', "expected settings of one of pix2pix, gan, .*'vae'"),
        ('{"model": ["gan"]}', "expected settings of one of"),
        ('{"model": "cyclegan", "lambda_l1": 3}', "expected the settings of a run as JSON"),
        ("[]", "expected the settings of a run as JSON"),
        ("{", "expected the settings of a run as JSON"),
    ],
)
def test_text_that_is_no_settings_is_refused(text: str, words: str) -> None:
    with refused(f"^config.json: {words}"):
        settings_from_json(text, "config.json")
    with refused("^config.json: expected (the settings of a run|settings of pix2pix)"):
        Config.from_json(text, "config.json")


@pytest.mark.parametrize(
    ("model", "size", "jitter"),
    [("pix2pix", 64, 72), ("pix2pix", 128, 143), ("pix2pix", 256, 286), ("pix2pix", 512, 572),
     ("cyclegan", 32, 36), ("cyclegan", 64, 72), ("dcgan", 32, 32), ("stargan", 256, 286)],
)  # fmt: skip
def test_jitter_follows_the_size(model: str, size: int, jitter: int) -> None:
    """Also that of settings read back from a run's config.json, which has the number."""
    config = preset("paper", model, size=size)
    assert config.jitter_shape == (jitter, jitter)
    assert json.loads(config.to_json())["jitter_size"] == jitter
    given = preset("paper", model, size=size, jitter_size=jitter)
    back = settings_from_json(config.to_json(), "here")
    assert config == given == back
    assert replace(back, size=2 * size).jitter == preset("paper", model, size=2 * size).jitter


def test_an_explicit_jitter_size_is_kept() -> None:
    for given in (preset("paper", jitter_size=300), preset("quick", "stargan")):
        back = settings_from_json(given.to_json(), "here")
        assert given.jitter_size == back.jitter_size == given.jitter == back.jitter
    with refused("jitter_size: expected at least 512, which is size"):
        preset("paper", jitter_size=300, size=512)


def test_height_and_width_stand_beside_size() -> None:
    wide = preset("cpu", width=256)
    assert (wide.shape, wide.jitter_shape, wide.depth) == ((128, 256), (143, 286), 7)
    tall = preset("paper", height=384, width=256, levels=7)
    assert (tall.shape, tall.jitter_shape, tall.depth) == ((384, 256), (429, 286), 7)
    assert preset("paper").shape == (256, 256)


def test_settings_and_runs_of_another_model_are_refused(tmp_path: Path) -> None:
    with refused("pool_size: expected a setting of pix2pix, found one of cyclegan; leave it out"):
        refuse_foreign(["ngf", "pool_size"], "pix2pix")
    refuse_foreign(["ngf", "pool_size"], "cyclegan")
    with refused("expected a run of cyclegan, found one of pix2pix; give --model pix2pix, or"):
        check_same(Config(), preset("paper", "cyclegan"), Run(tmp_path).config_file)
    apart = "the network is of pix2pix, the checkpoint of gan"
    assert difference(Config(), preset("paper", "gan")) == apart


def test_rooms_export_their_public_names() -> None:
    for room in (pix2pix_ms, cli, config, pix2pix, training):
        assert all(getattr(room, name) is not None for name in room.__all__)
    for room in (pix2pix_ms, training, pix2pix):
        with pytest.raises(AttributeError, match="has no attribute 'missing'"):
            room.missing  # noqa: B018
