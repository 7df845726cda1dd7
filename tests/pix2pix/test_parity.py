"""The package against PyTorch: same weights, same masks, ten steps of both networks.

`parity.json` stores what PyTorch printed, so the first test runs without it. The others compare
with PyTorch itself: they run where it is installed, as `make torch` does.
"""

import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mindspore import nn

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.pix2pix.step import Pix2Pix, training_step

STORED = Path(__file__).with_name("parity.json")
SMALL: dict[str, Any] = {"size": 64, "jitter_size": 72, "ngf": 8, "ndf": 8}
STEPS = 10
CASES: dict[str, Config] = {
    "batch": preset("paper", **SMALL),
    "instance, lsgan, l2": preset(
        "paper", **SMALL, norm="instance", gan_mode="lsgan", pixel_loss="l2"
    ),
    "ResNet": preset("paper", **SMALL, generator="resnet", n_blocks=2),
    "no norm, batch of 2": preset("paper", **SMALL, norm="none", batch_size=2, n_layers=2),
}
# Ten steps through a GAN amplify rounding: measured 1e-6 (batch), 1.3e-4 (instance); in
# a ResNet, without AVX-512, 1.6e-4.
LOSS_TOLERANCE = {"batch": 1e-4, "instance": 1e-3, "none": 1e-4, "resnet": 5e-4}
# Seven normalised layers in a row amplify it more in a ResNet's: measured 1.8e-2, and 2.2e-2 of a
# loss after ten steps of plain SGD, whose first losses are equal to 1e-6.
MOVE_TOLERANCE = {"unet": 1e-2, "resnet": 5e-2}
GRADIENT_TOLERANCE = 2e-3
LIVE_TOLERANCE = {"sgd": 1e-3, "adam": 1e-2}  # of a loss; measured 1e-6, 2.6e-3
SGD_RATE = 1e-2
NO_TORCH = "PyTorch is not installed; `make torch` installs it"


def batches(config: Config) -> list[tuple[np.ndarray, np.ndarray]]:
    """The ten batches of a case, (x, y) float32 [N, 3, size, size]."""
    rng = np.random.default_rng(7)
    shape = (STEPS, 2, config.batch_size, 3, config.size, config.size)
    coarse = rng.uniform(-1, 1, shape).astype(np.float32)
    return [(x, np.roll(x, 5, -1) * y) for x, y in coarse]


def without_effect(name: str, config: Config) -> bool:
    """Instance normalisation takes away what a bias before it adds: its gradient is rounding."""
    outer = name.startswith(("generator.ups.5.", "generator.downs.0.", "generator.downs.5."))
    ends = name in ("discriminator.first.bias", "discriminator.last.bias")
    return config.norm == "instance" and name.endswith("bias") and not (outer or ends)


@pytest.mark.parametrize("case", CASES)
def test_ten_steps_equal_pytorch(case: str) -> None:
    config = CASES[case]
    stored = json.loads(STORED.read_text())[case]
    model = Pix2Pix(config)
    networks = [*model.generator.trainable_params(), *model.discriminator.trainable_params()]
    start = {p.name: p.asnumpy().copy() for p in networks}
    losses = [list(model.train_step(x, y)) for x, y in batches(config)]
    tolerance = LOSS_TOLERANCE.get(config.generator, LOSS_TOLERANCE[config.norm])
    np.testing.assert_allclose(losses, stored["losses"], rtol=tolerance)
    np.testing.assert_allclose(losses[0], stored["losses"][0], rtol=1e-5)
    assert start.keys() == stored["moved"].keys()
    for p in networks:
        if not without_effect(p.name, config):
            moved = np.linalg.norm(p.asnumpy() - start[p.name])
            assert moved == pytest.approx(
                stored["moved"][p.name], rel=MOVE_TOLERANCE[config.generator]
            ), p.name


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The reference, where there is PyTorch to run it."""
    pytest.importorskip("torch", reason=NO_TORCH)
    from tests.pix2pix import parity_reference

    return parity_reference


@pytest.mark.parametrize("case", CASES)
def test_what_is_stored_is_what_pytorch_says(case: str, reference: ModuleType) -> None:
    stored = json.loads(STORED.read_text())[case]
    live = reference.reference(CASES[case])
    np.testing.assert_allclose(live["losses"], stored["losses"], rtol=1e-3)


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """How far ours are from theirs, in the norm of theirs."""
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def stored(model: Pix2Pix) -> dict[str, np.ndarray]:
    """Weights and moving statistics of both networks, by name."""
    found = [*model.generator.get_parameters(), *model.discriminator.get_parameters()]
    return {p.name: p.asnumpy().copy() for p in found}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_ten_steps_follow_pytorchs_optimisers(
    optimiser: str, case: str, reference: ModuleType
) -> None:
    """Its Adam's epsilon stands where PyTorch has it, hence the wider tolerance.

    By the first step of SGD weights move along their gradients, so that these are compared.
    """
    config = replace(CASES[case], dropout=False, jit=False)
    model = Pix2Pix(config)
    if optimiser == "sgd":
        networks = (model.generator, model.discriminator)
        optimisers = [nn.SGD(network.trainable_params(), SGD_RATE) for network in networks]
        model._train_step = training_step(*networks, *optimisers, config)
    there, start = reference.Reference(config, getattr(reference, optimiser)), stored(model)
    (x, y), *others = batches(config)
    ours, theirs = [model.train_step(x, y)], [there.train_step(x, y)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    if optimiser == "sgd":
        now, weights = stored(model), there.weights()
        for name in weights:
            if not without_effect(name, config):
                moved = now[name] - start[name]
                assert distance(moved, weights[name] - start[name]) < GRADIENT_TOLERANCE, name
    ours += [model.train_step(x, y) for x, y in others]
    theirs += [there.train_step(x, y) for x, y in others]
    tolerance = max(LIVE_TOLERANCE[optimiser], 5e-2 * (config.generator == "resnet"))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    # A ResNet's first means are some 1e-3, and where its weights have gone apart no measure.
    if optimiser == "sgd" and config.generator == "unet":
        now = stored(model)
        for name, statistics in there.moving_statistics().items():
            # The reference's D sees the generated pair first, ours the real one: its latest counts
            # most. In the reference's order D's statistics differ by 5e-7.
            tolerance = 1e-3 if name.startswith("generator.") else 1e-2
            assert distance(now[name], statistics) < tolerance, name
