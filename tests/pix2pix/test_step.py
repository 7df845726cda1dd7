"""The fast step is the plain step: whatever is done for speed changes no mathematics."""

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

RNG = np.random.default_rng(8)


def image(config: Config) -> Tensor:
    shape = (config.batch_size, 3, config.size, config.size)
    return Tensor(RNG.uniform(-1, 1, shape).astype(np.float32))


def plain(model: Pix2Pix, x: Tensor, y: Tensor) -> list[float]:
    """One step as a textbook writes it: every pass by itself, nothing compiled, nothing shared."""
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

    generated = ops.stop_gradient(g(x, *masks))
    (_, real, fake), towards_d = ms.value_and_grad(
        loss_d, None, model.optim_d.parameters, has_aux=True
    )()
    model.optim_d(towards_d)
    (_, gan, distance), towards_g = ms.value_and_grad(
        loss_g, None, model.optim_g.parameters, has_aux=True
    )()
    model.optim_g(towards_g)
    return [float(loss.asnumpy()) for loss in (real, fake, gan, distance)]


def trained(model: Pix2Pix) -> np.ndarray:
    owners = (model.optim_g, model.optim_d)
    return np.concatenate([p.asnumpy().ravel() for owner in owners for p in owner.parameters])


@pytest.mark.parametrize(
    ("changes", "bound"),
    [
        ({}, 1e-4),
        ({"batch_size": 2}, 1e-3),  # 1.6e-4 on one AMD EPYC: the same signs, see below
        ({"gan_mode": "lsgan", "n_layers": 0}, 1e-4),
        ({"conditional": False, "skips": False, "gan_weight": 2.0}, 1e-4),
        # Normalised over 2x2 pixels, some gradients are nearly 0 and change sign with the order of
        # a sum; Adam's first steps take the sign alone.
        ({"norm": "instance"}, 1e-3),
    ],
    ids=str,
)
def test_ten_steps_agree_with_the_plain_step(
    tiny: Config, changes: dict[str, object], bound: float
) -> None:
    config = replace(tiny, **changes)
    fast, slow = Pix2Pix(config), Pix2Pix(replace(config, jit=False))
    if isinstance(slow.discriminator.last, Verdict):
        slow.discriminator.last.by_taps = False
    start = trained(fast)
    losses = []
    for _ in range(10):
        x, y = image(config), image(config)
        losses.append((fast.train_step(x, y), plain(slow, x, y)))
    ours, theirs = np.array(losses).transpose(1, 0, 2)
    assert np.linalg.norm(ours - theirs) < 1e-4 * np.linalg.norm(theirs)
    apart, moved = trained(fast) - trained(slow), trained(slow) - start
    assert np.linalg.norm(apart) < bound * np.linalg.norm(trained(slow))
    assert np.linalg.norm(apart) < 0.02 * np.linalg.norm(moved)


def test_without_an_adversarial_loss_only_the_generator_learns(tiny: Config) -> None:
    config = replace(tiny, gan_weight=0.0)
    fast, slow = Pix2Pix(config), Pix2Pix(replace(config, jit=False))
    before = [p.asnumpy().copy() for p in fast.discriminator.get_parameters()]
    for _ in range(5):
        x, y = image(config), image(config)
        terms, plainly = fast.train_step(x, y), plain(slow, x, y)
        assert np.isnan(terms[:3]).all()
        assert terms.g_l1 == pytest.approx(plainly[3], rel=1e-4)
    for ours, theirs in zip(fast.optim_g.parameters, slow.optim_g.parameters, strict=True):
        np.testing.assert_allclose(ours.asnumpy(), theirs.asnumpy(), atol=2e-4)
    for start, p in zip(before, fast.discriminator.get_parameters(), strict=True):
        np.testing.assert_array_equal(start, p.asnumpy())


def test_the_verdict_by_taps_is_the_convolution() -> None:
    layer = Verdict(24)
    layer.bias.set_data(Tensor(np.array([0.7], np.float32)))
    x = Tensor(RNG.normal(size=(2, 24, 9, 7)).astype(np.float32))
    layer.by_taps = True
    ours = layer(x).asnumpy()
    layer.by_taps = False
    assert ours.shape == (2, 1, 8, 6)
    np.testing.assert_allclose(ours, layer(x).asnumpy(), atol=1e-5)
