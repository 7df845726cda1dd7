"""Settings and presets of every model, what is refused, and JSON there and back."""

import json
import math
from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import pytest

from pix2pix_ms.config.models import MODELS, preset, refuse_foreign, settings_from_json
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.training.checkpoints import difference
from pix2pix_ms.training.run import Run, check_same

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
        "latent_dim": 16, "style_dim": 64, "lambda_style": 1.0, "lambda_diversity": 1.0,
        "lambda_cycle": 1.0, "lambda_r1": 1.0,
    },
}  # fmt: skip


@pytest.mark.parametrize("model", PAPERS)
def test_presets_named_paper_are_the_papers(model: str) -> None:
    found = asdict(preset("paper", model))
    assert {name: found[name] for name in PAPERS[model]} == PAPERS[model]


def test_settings_of_cyclegan_before_upsampling_was_one_are_transposed() -> None:
    older = json.loads(preset("quick", "cyclegan").to_json())
    assert older.pop("upsampling") == "composed"
    assert settings_from_json(json.dumps(older), "here").upsampling == "transposed"


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


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        (
            "pix2pix",
            {"size": 100, "jitter_size": 100},
            r"size: expected a multiple of 64 \(64 or 128\) for a U-Net of 6 levels, or levels "
            "at most 2, found 100",
        ),
        ("pix2pix", {"size": 50, "jitter_size": 50},
         r"size: expected a multiple of 32 \(32 or 64\) .*, "),
        ("pix2pix", {"width": 96},
         r"width: expected a multiple of 64 \(64 or 128\) .* levels at most 5.* 96"),
        ("pix2pix", {"height": 200, "levels": 4},
         r"height: expected a multiple of 16 \(192 or 208\)"),
        ("pix2pix", {"height": 4}, "height: expected at least 8, found 4"),
        ("pix2pix", {"input_channels": 5}, "input_channels: expected at most 4, found 5"),
        ("pix2pix", {"target_channels": 0}, "target_channels: expected at least 1, found 0"),
        (
            "pix2pix",
            {"colours": "lab", "input_channels": 1},
            "input_channels, target_channels, direction: expected 1, 2 and AtoB where colours is "
            "lab, found 1, 3, AtoB",
        ),
        ("pix2pix", {"size": 4, "levels": 2}, "size: expected at least 8, found 4"),
        ("pix2pix", {"device": "gpu"}, "device: expected one of auto, Ascend, .*, found 'gpu'"),
        ("pix2pix", {"jitter_size": 32}, "jitter_size: expected at least 64, which is size, fou"),
        ("pix2pix", {"levels": 9},
         r"size: expected a multiple of 512 \(512\) .*, or levels at most 6, "),
        ("pix2pix", {"levels": 1}, "levels: expected at least 2, found 1"),
        ("pix2pix", {"levels": 10**12}, "levels: expected at most 14"),
        ("pix2pix", {"n_layers": 6}, "n_layers: expected at most 5, found 6"),
        ("pix2pix", {"norm": "layer"}, "norm: expected one of batch, instance, none, found 'lay"),
        ("pix2pix", {"direction": "AB"}, "direction: expected one of AtoB, BtoA, found 'AB'"),
        ("pix2pix", {"beta1": 1.0}, "beta1: expected below 1, found 1.0"),
        ("pix2pix", {"learning_rate": -1.0}, "learning_rate: expected above 0, found -1.0"),
        ("pix2pix", {"epochs": 0}, "epochs: expected at least 1, found 0"),
        ("pix2pix", {"epochs": True}, "epochs: expected a value of type int, found True"),
        ("pix2pix", {"epochs": None}, "epochs: expected a value of type int, found None"),
        ("pix2pix", {"constant_epochs": 12}, "constant_epochs: expected 0 to epochs, found 12"),
        ("pix2pix", {"batch_size": 0}, "batch_size: expected at least 1, found 0"),
        ("pix2pix", {"seed": -1}, "seed: expected at least 0, found -1"),
        ("pix2pix", {"gan_weight": -1.0}, "gan_weight: expected at least 0, found -1.0"),
        ("pix2pix", {"gan_weight": math.inf}, "gan_weight: expected a finite number, found inf"),
        ("pix2pix", {"gan_weight": 0, "lambda_l1": 0}, "lambda_l1: expected above 0 where gan_we"),
        ("cyclegan", {"size": 66, "jitter_size": 66}, "size, height, width: expected multiples of"),
        ("dcgan", {"size": 24, "jitter_size": 24}, "size, height, width: expected one power of 2"),
        ("gan", {"gan_mode": "hinge"}, "gan_mode: expected one of minimax, vanilla"),
        ("wgan", {"clip": 0}, "clip: expected above 0, found 0"),
        ("stargan", {"style_dim": 0}, "style_dim: expected at least 1"),
        ("stargan", {"domains": "a"}, "domains: expected a list of names, found 'a'"),
        ("vae", {}, "model: expected one of pix2pix, gan, "),
    ],
)  # fmt: skip
def test_impossible_values_are_named(model: str, changes: dict[str, object], words: str) -> None:
    with pytest.raises(Pix2PixError, match=words):
        preset("quick", model, **changes)


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(Pix2PixError, match="expected one of quick, cpu, paper, found 'big'"):
        preset("big", "cyclegan")


def test_settings_without_a_model_are_pix2pixs() -> None:
    """As runs have them that were begun before there were others."""
    assert settings_from_json('{"size": 64, "jitter_size": 72}', "here") == Config(
        size=64, jitter_size=72
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"model": "vae"}', "config.json: expected settings of one of pix2pix, gan, .*'vae'"),
        ('{"model": "cyclegan", "lambda_l1": 3}', "expected the settings of a run as JSON"),
        ("[]", "expected the settings of a run as JSON"),
        ("{", "expected the settings of a run as JSON"),
        ('{"model": ["gan"]}', "expected settings of one of"),
    ],
)
def test_text_that_is_no_settings_is_refused(text: str, words: str) -> None:
    with pytest.raises(Pix2PixError, match=words) as found:
        settings_from_json(text, "config.json")
    assert "\n" not in str(found.value)
    with pytest.raises(Pix2PixError, match=r"config.json: expected (the settings of a run|sett)"):
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
    for config in (preset("paper", jitter_size=300), preset("quick", "stargan")):
        back = settings_from_json(config.to_json(), "here")
        assert config.jitter_size == back.jitter_size == config.jitter == back.jitter
    with pytest.raises(Pix2PixError, match="jitter_size: expected at least 512, which is size"):
        preset("paper", jitter_size=300, size=512)


def test_height_and_width_stand_beside_size() -> None:
    wide = preset("cpu", width=256)
    assert (wide.shape, wide.jitter_shape, wide.depth) == ((128, 256), (143, 286), 7)
    tall = preset("paper", height=384, width=256, levels=7)
    assert (tall.shape, tall.jitter_shape, tall.depth) == ((384, 256), (429, 286), 7)
    assert preset("paper").shape == (256, 256)


def test_a_setting_of_another_model_is_refused() -> None:
    with pytest.raises(Pix2PixError, match="n_blocks: expected a setting of pix2pix, found one of "
                       "cyclegan; leave it out, or choose another --model"):  # fmt: skip
        refuse_foreign(["ngf", "n_blocks"], "pix2pix")
    refuse_foreign(["ngf", "n_blocks"], "cyclegan")


def test_a_run_of_another_model_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(Pix2PixError, match="expected a run of cyclegan, found one of pix2pix; "
                       "give --model pix2pix, or start another run with --out"):  # fmt: skip
        check_same(Config(), preset("paper", "cyclegan"), Run(tmp_path).config_file)
    assert difference(Config(), preset("paper", "gan")) == (
        "the network is of pix2pix, the checkpoint of gan"
    )


def test_rooms_export_their_main_names() -> None:
    import pix2pix_ms
    from pix2pix_ms import cli, config, pix2pix, training

    assert training.train is pix2pix_ms.train
    assert pix2pix.Pix2Pix is pix2pix_ms.Pix2Pix
    assert config.Config is Config and callable(cli.main)
    for room in (training, pix2pix):
        with pytest.raises(AttributeError, match="has no attribute 'missing'"):
            room.missing  # noqa: B018
