"""The package against PyTorch: same weights, same masks, ten steps of both networks.

`parity.json` stores what PyTorch printed, so the first test runs without it. The others compare
with PyTorch itself: they run where it is installed, as `make torch` does.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from mindspore import Tensor, nn

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
# Ten steps through a GAN amplify rounding: measured 1e-6 (batch), 1.3e-4 (instance).
LOSS_TOLERANCE = {"batch": 1e-4, "instance": 1e-3, "none": 1e-4}
# Seven normalised layers in a row amplify it more in a ResNet's: measured 1.8e-2, and 2.2e-2 of a
# loss after ten steps of plain SGD, whose first losses are equal to 1e-6.
MOVE_TOLERANCE = {"unet": 1e-2, "resnet": 5e-2}
# Of a gradient's norm; measured 1e-5 at most. A single weight's may be nearly 0: measured 3e-4.
GRADIENT_TOLERANCE, WEIGHT_TOLERANCE = 1e-3, 1e-2
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
    np.testing.assert_allclose(losses, stored["losses"], rtol=LOSS_TOLERANCE[config.norm])
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


class Recorder:
    """In an optimiser's place, keeps the gradients and changes nothing."""

    def __init__(self, network: nn.Cell) -> None:
        self.parameters = tuple(network.trainable_params())
        self.gradients: tuple[Tensor, ...] = ()

    def __call__(self, gradients: tuple[Tensor, ...]) -> None:
        self.gradients = gradients

    def named(self) -> dict[str, np.ndarray]:
        pairs = zip(self.parameters, self.gradients, strict=True)
        return {parameter.name: gradient.asnumpy() for parameter, gradient in pairs}


def without_dropout(case: str) -> Config:
    """Operation by operation, because there is one compiled step per case in the first test."""
    return replace(CASES[case], dropout=False, jit=False)


@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_pytorch(case: str, reference: ModuleType) -> None:
    """Of each loss for its own network's weights, of the whole network and of every weight."""
    config = without_dropout(case)
    x, y = batches(config)[0]
    theirs = reference.Reference(config, reference.sgd).gradients(x, y)
    model = Pix2Pix(config)
    networks = (model.generator.set_train(), model.discriminator.set_train())
    records = [Recorder(network) for network in networks]
    training_step(*networks, *records, config)(Tensor(x), Tensor(y))
    for record in records:
        ours = record.named()
        names = [name for name in ours if not without_effect(name, config)]
        assert distance(ours, theirs, names) < GRADIENT_TOLERANCE
        for name in names:
            assert distance(ours, theirs, [name]) < WEIGHT_TOLERANCE, name


def distance(
    ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], names: Iterable[str]
) -> float:
    """How far ours are from theirs, in the norm of theirs."""
    apart = [np.linalg.norm(ours[name] - theirs[name]) for name in names]
    return float(np.linalg.norm(apart) / np.linalg.norm([np.linalg.norm(theirs[n]) for n in names]))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_ten_steps_follow_pytorchs_optimisers(
    optimiser: str, case: str, reference: ModuleType
) -> None:
    """Its Adam's epsilon stands where PyTorch has it, hence the wider tolerance."""
    config = without_dropout(case)
    model = Pix2Pix(config)
    if optimiser == "sgd":
        networks = (model.generator, model.discriminator)
        optimisers = [nn.SGD(network.trainable_params(), SGD_RATE) for network in networks]
        model._train_step = training_step(*networks, *optimisers, config)
    there = reference.Reference(config, getattr(reference, optimiser))
    ours = np.array([model.train_step(x, y) for x, y in batches(config)])
    theirs = np.array([there.train_step(x, y) for x, y in batches(config)])
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    tolerance = max(LIVE_TOLERANCE[optimiser], 5e-2 * (config.generator == "resnet"))
    np.testing.assert_allclose(ours, theirs, rtol=tolerance)
    # A ResNet's first means are some 1e-3, and where its weights have gone apart no measure.
    if config.norm == "batch" and config.generator == "unet" and optimiser == "sgd":
        ours, theirs = moving_statistics(model), there.moving_statistics()
        assert ours.keys() == theirs.keys()
        for name in ours:
            # The reference's D sees the generated pair first, ours the real one: its latest counts
            # most. In the reference's order D's statistics differ by 5e-7.
            tolerance = 1e-3 if name.startswith("generator.") else 1e-2
            assert distance(ours, theirs, [name]) < tolerance, name


def moving_statistics(model: Pix2Pix) -> dict[str, np.ndarray]:
    """What every BatchNorm of both networks gathered, by name."""
    found = [*model.generator.get_parameters(), *model.discriminator.get_parameters()]
    return {p.name: p.asnumpy() for p in found if "moving" in p.name}


@pytest.mark.parametrize("constant", [0, 30, 100])
def test_the_learning_rate_falls_as_the_references(constant: int) -> None:
    """The reference steps its LambdaLR after every epoch: constant, then linear towards 0."""
    torch = pytest.importorskip("torch", reason=NO_TORCH)
    config = Config(constant_epochs=constant)
    decay = config.epochs - constant
    optimiser = torch.optim.Adam([torch.zeros(1)], config.learning_rate)
    rule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda epoch: 1.0 - max(0, epoch + 1 - constant) / float(decay + 1)
    )
    for epoch in range(1, config.epochs + 1):
        assert config.learning_rate_at(epoch) == pytest.approx(rule.get_last_lr()[0], rel=1e-12)
        optimiser.step()
        rule.step()
