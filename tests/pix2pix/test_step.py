"""The step is the textbook's, also for what the cases of test_parity.py leave out."""

from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets.blocks import Verdict
from pix2pix_ms.pix2pix.objectives import ADVERSARIAL, PIXEL
from pix2pix_ms.pix2pix.step import Pix2Pix
from tests.runs import numbers

RNG = np.random.default_rng(8)


def images(config: Config) -> tuple[Tensor, Tensor]:
    shape = (2, config.batch_size, 3, config.size, config.size)
    x, y = RNG.uniform(-1, 1, shape).astype(np.float32)
    return Tensor(x), Tensor(y)


def plain(model: Pix2Pix, x: Tensor, y: Tensor) -> list[float]:
    """One step as a textbook writes it: every pass by itself, nothing shared."""
    config = model.config
    g, d = model.generator.set_train(), model.discriminator.set_train()
    adversarial, pixel_loss = ADVERSARIAL[config.gan_mode], PIXEL[config.pixel_loss]
    model.step += 1
    masks = g.masks(x.shape, config.seed, Stream.DROPOUT, model.step)

    def loss_d() -> tuple[Tensor, Tensor, Tensor]:
        real, fake = adversarial(d(x, y), True), adversarial(d(x, generated), False)
        return (real + fake) / 2, real, fake

    def loss_g() -> tuple[Tensor, Tensor, Tensor]:
        image = g(x, *masks)
        gan, distance = adversarial(d(x, image), True), pixel_loss(image, y)
        return config.gan_weight * gan + config.lambda_l1 * distance, gan, distance

    generated, terms = ops.stop_gradient(g(x, *masks)), []
    for loss, optimiser in ((loss_d, model.optim_d), (loss_g, model.optim_g)):
        gradient = ms.value_and_grad(loss, None, optimiser.parameters, has_aux=True)
        (_, *found), grads = gradient()
        optimiser(grads)
        terms += found
    return [float(term.asnumpy()) for term in terms]


def weights(model: Pix2Pix) -> np.ndarray:
    return np.concatenate([numbers(model.generator), numbers(model.discriminator)])


def test_ten_steps_agree_with_the_textbooks(eager: Config) -> None:
    config = replace(
        eager, gan_mode="lsgan", gan_weight=2.0, n_layers=0, conditional=False, skips=False,
        upsampling="composed",
    )  # fmt: skip
    ours, theirs = Pix2Pix(config), Pix2Pix(config)
    start, losses = weights(ours), []
    for _ in range(10):
        x, y = images(config)
        losses.append((ours.train_step(x, y), plain(theirs, x, y)))
    found, expected = np.array(losses).transpose(1, 0, 2)
    assert np.linalg.norm(found - expected) < 1e-4 * np.linalg.norm(expected)
    apart, moved = weights(ours) - weights(theirs), weights(theirs) - start
    assert np.linalg.norm(apart) < 1e-4 * np.linalg.norm(weights(theirs))
    assert np.linalg.norm(apart) < 0.02 * np.linalg.norm(moved)


def test_without_an_adversarial_loss_only_the_generator_learns(eager: Config) -> None:
    ours, theirs = (Pix2Pix(replace(eager, gan_weight=0.0)) for _ in range(2))
    before = numbers(ours.discriminator)
    for _ in range(3):
        x, y = images(eager)
        terms, plainly = ours.train_step(x, y), plain(theirs, x, y)
        assert np.isnan(terms[:3]).all()
        assert terms.g_l1 == pytest.approx(plainly[3], rel=1e-4)
    np.testing.assert_allclose(numbers(ours.generator), numbers(theirs.generator), atol=2e-4)
    np.testing.assert_array_equal(numbers(ours.discriminator), before)


def test_the_verdict_by_taps_is_the_convolution() -> None:
    layer = Verdict(24)
    layer.bias.set_data(Tensor(np.array([0.7], np.float32)))
    x = Tensor(RNG.normal(size=(2, 24, 9, 7)).astype(np.float32))
    layer.by_taps = True
    ours = layer(x).asnumpy()
    layer.by_taps = False
    assert ours.shape == (2, 1, 8, 6)
    np.testing.assert_allclose(ours, layer(x).asnumpy(), atol=1e-5)
