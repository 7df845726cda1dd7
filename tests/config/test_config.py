import json
import math
from dataclasses import asdict, replace
from itertools import pairwise

import pytest

from pix2pix_ms.config.models import MODELS, preset
from pix2pix_ms.config.pix2pix import PRESETS, Config
from pix2pix_ms.errors import Pix2PixError


def test_paper_recipe() -> None:
    paper = preset("paper")
    recipe = {
        "size": 256, "mirror": True, "batch_size": 1, "ngf": 64, "ndf": 64,
        "n_layers": 3, "lambda_l1": 100.0, "learning_rate": 2e-4, "beta1": 0.5, "beta2": 0.999,
        "epochs": 200, "init_gain": 0.02, "dropout": True, "norm": "batch", "gan_mode": "vanilla",
    }  # fmt: skip
    assert {name: asdict(paper)[name] for name in recipe} == recipe
    assert (paper.constant, paper.depth, paper.jitter) == (100, 8, 286)


def test_learning_rate_is_constant_then_linear_to_almost_nothing() -> None:
    rates = [preset("paper").learning_rate_at(epoch) for epoch in range(1, 201)]
    assert rates[:100] == [2e-4] * 100
    steps = [before - after for before, after in pairwise(rates[99:])]
    assert all(math.isclose(step, 2e-4 / 101, rel_tol=1e-9) for step in steps)
    assert math.isclose(rates[-1], 2e-4 / 101, rel_tol=1e-9)


def test_json_round_trip() -> None:
    for config in PRESETS.values():
        assert Config.from_json(config.to_json(), "here") == config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"size": 100, "jitter_size": 100},
            r"size: expected a multiple of 64 \(64 or 128\) for a U-Net of 6 levels, or levels "
            "at most 2, found 100",
        ),
        ({"size": 50, "jitter_size": 50}, r"size: expected a multiple of 32 \(32 or 64\) .*, "),
        ({"width": 96}, r"width: expected a multiple of 64 \(64 or 128\) .* levels at most 5.* 96"),
        ({"height": 200, "levels": 4}, r"height: expected a multiple of 16 \(192 or 208\)"),
        ({"height": 4}, "height: expected at least 8, found 4"),
        ({"input_channels": 5}, "input_channels: expected at most 4, found 5"),
        ({"target_channels": 0}, "target_channels: expected at least 1, found 0"),
        (
            {"colours": "lab", "input_channels": 1},
            "input_channels, target_channels, direction: expected 1, 2 and AtoB where colours is "
            "lab, found 1, 3, AtoB",
        ),
        ({"size": 4, "levels": 2}, "size: expected at least 8, found 4"),
        ({"device": "gpu"}, "device: expected one of auto, Ascend, GPU, CPU, found 'gpu'"),
        ({"jitter_size": 32}, "jitter_size: expected at least 64, which is size, found 32"),
        ({"levels": 9}, r"size: expected a multiple of 512 \(512\) .*, or levels at most 6, "),
        ({"levels": 1}, "levels: expected at least 2, found 1"),
        ({"n_layers": 6}, "n_layers: expected at most 5, found 6"),
        ({"norm": "layer"}, "norm: expected one of batch, instance, none, found 'layer'"),
        ({"direction": "AB"}, "direction: expected one of AtoB, BtoA, found 'AB'"),
        ({"beta1": 1.0}, "beta1: expected below 1, found 1.0"),
        ({"learning_rate": -1.0}, "learning_rate: expected above 0, found -1.0"),
        ({"epochs": 0}, "epochs: expected at least 1, found 0"),
        ({"constant_epochs": 12}, "constant_epochs: expected 0 to epochs, found 12"),
        ({"batch_size": 0}, "batch_size: expected at least 1, found 0"),
        ({"seed": -1}, "seed: expected at least 0, found -1"),
        ({"gan_weight": -1.0}, "gan_weight: expected at least 0, found -1.0"),
        ({"gan_weight": 0, "lambda_l1": 0}, "lambda_l1: expected above 0 where gan_weight is 0"),
    ],
)
def test_impossible_values_are_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(Pix2PixError, match=words):
        preset("quick", **changes)


def test_unknown_preset_and_unreadable_json() -> None:
    with pytest.raises(Pix2PixError, match="expected one of quick, cpu, paper, found 'big'"):
        preset("big")
    for text in ("{", '{"colour": 1}', "[1]"):
        with pytest.raises(Pix2PixError, match=r"here: expected the settings of a run"):
            Config.from_json(text, "here")


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
    back = MODELS[model].config.from_json(config.to_json(), "here")
    assert config == given == back
    assert replace(back, size=2 * size).jitter == preset("paper", model, size=2 * size).jitter


def test_an_explicit_jitter_size_is_kept() -> None:
    for config in (preset("paper", jitter_size=300), preset("quick", "stargan")):
        back = type(config).from_json(config.to_json(), "here")
        assert config.jitter_size == back.jitter_size == config.jitter == back.jitter
    with pytest.raises(Pix2PixError, match="jitter_size: expected at least 512, which is size"):
        preset("paper", jitter_size=300, size=512)


def test_height_and_width_stand_beside_size() -> None:
    wide = preset("cpu", width=256)
    assert (wide.shape, wide.jitter_shape, wide.depth) == ((128, 256), (143, 286), 7)
    tall = preset("paper", height=384, width=256, levels=7)
    assert (tall.shape, tall.jitter_shape, tall.depth) == ((384, 256), (429, 286), 7)
    assert preset("paper").shape == (256, 256)


def test_subpackages_export_their_main_names() -> None:
    import pix2pix_ms
    from pix2pix_ms import cli, config, pix2pix, training

    assert training.train is pix2pix_ms.train
    assert pix2pix.Pix2Pix is pix2pix_ms.Pix2Pix
    assert config.Config is Config and callable(cli.main)
    for room in (training, pix2pix):
        with pytest.raises(AttributeError, match="has no attribute 'missing'"):
            room.missing  # noqa: B018
