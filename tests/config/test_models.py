"""The models as the command sees them: settings, presets, what is refused."""

from dataclasses import asdict, fields
from pathlib import Path

import pytest

from pix2pix_ms.config.models import MODELS, preset, refuse_foreign, settings_from_json
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.training.checkpoints import difference
from pix2pix_ms.training.run import Run, check_same

RELATIVES = [name for name in MODELS if name != Config.model]


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_the_three_presets_and_they_survive_json(model: str) -> None:
    assert list(MODELS[model].presets) == ["quick", "cpu", "paper"]
    for name in MODELS[model].presets:
        config = preset(name, model, seed=3)
        assert config.model == model
        assert settings_from_json(config.to_json(), "here") == config


def test_presets_named_paper_are_the_papers() -> None:
    """Adam as each paper has it, batch sizes, and the weights of the losses."""
    wanted = {
        "dcgan": {"size": 64, "batch_size": 128, "learning_rate": 2e-4, "beta1": 0.5},
        "lsgan": {"gan_mode": "lsgan"},
        "wgan": {
            "critic_steps": 5, "clip": 0.01, "lambda_gp": 10.0, "learning_rate": 1e-4,
            "beta1": 0.0, "beta2": 0.9,
        },
        "cyclegan": {
            "size": 256, "n_blocks": 9, "batch_size": 1, "learning_rate": 2e-4, "epochs": 200,
            "lambda_cycle": 10.0, "lambda_identity": 0.5, "pool_size": 50, "gan_mode": "lsgan",
        },
        "stargan": {
            "size": 256, "batch_size": 8, "learning_rate": 1e-4, "beta1": 0.0, "beta2": 0.99,
            "latent_dim": 16, "style_dim": 64, "lambda_style": 1.0, "lambda_diversity": 1.0,
            "lambda_cycle": 1.0, "lambda_r1": 1.0,
        },
    }  # fmt: skip
    for model, recipe in wanted.items():
        found = asdict(preset("paper", model))
        assert {name: found[name] for name in recipe} == recipe, model


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


def test_a_setting_of_another_model_is_refused() -> None:
    with pytest.raises(Pix2PixError, match="n_blocks: expected a setting of pix2pix, found one of "
                       "cyclegan; leave it out, or choose another --model"):  # fmt: skip
        refuse_foreign(["ngf", "n_blocks"], "pix2pix")
    refuse_foreign(["ngf", "n_blocks"], "cyclegan")


def test_unknown_models_and_presets_are_refused() -> None:
    with pytest.raises(Pix2PixError, match="model: expected one of pix2pix, gan, "):
        preset("quick", "vae")
    with pytest.raises(Pix2PixError, match="preset: expected one of quick, cpu, paper, found"):
        preset("huge", "cyclegan")


@pytest.mark.parametrize(
    ("model", "changes", "words"),
    [
        ("cyclegan", {"size": 66, "jitter_size": 66}, "size, height, width: expected multiples of"),
        ("cyclegan", {"n_layers": 6}, "n_layers: expected at most 5"),
        ("cyclegan", {"beta1": 1.0}, "beta1: expected below 1"),
        ("dcgan", {"size": 24, "jitter_size": 24}, "size, height, width: expected one power of 2"),
        ("gan", {"gan_mode": "hinge"}, "gan_mode: expected one of minimax, vanilla"),
        ("stargan", {"style_dim": 0}, "style_dim: expected at least 1"),
    ],
)
def test_impossible_settings_are_refused(
    model: str, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(Pix2PixError, match=words):
        preset("quick", model, **changes)


def test_a_run_of_another_model_is_not_resumed(tmp_path: Path) -> None:
    with pytest.raises(Pix2PixError, match="expected a run of cyclegan, found one of pix2pix; "
                       "give --model pix2pix, or start another run with --out"):  # fmt: skip
        check_same(Config(), preset("paper", "cyclegan"), Run(tmp_path).config_file)
    assert difference(Config(), preset("paper", "gan")) == (
        "the network is of pix2pix, the checkpoint of gan"
    )


@pytest.mark.parametrize("model", MODELS)
def test_architecture_names_settings(model: str) -> None:
    config = MODELS[model].config
    assert set(config.architecture) <= {entry.name for entry in fields(config)}
