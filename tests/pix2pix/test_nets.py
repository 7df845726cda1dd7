from dataclasses import replace

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor, nn

from pix2pix_ms.config.models import preset
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets.blocks import (
    BatchNorm,
    InstanceNorm,
    SmoothInstanceNorm,
    set_statistics,
)
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN, patch_grid, receptive_field
from pix2pix_ms.pix2pix.nets.unet import UNet, parameter_count
from tests.runs import noise


def images(size: int, seed: int = 0) -> Tensor:
    return Tensor(noise(1, 3, size, size, seed=seed))


def started(network: type[nn.Cell], config: Config) -> nn.Cell:
    built = network(config)
    initialise(built, config)
    return built


def test_parameter_counts_are_the_papers() -> None:
    counts = [parameter_count(network(preset("paper"))) for network in (UNet, PatchGAN)]
    assert counts == [54_413_955, 2_768_705]


@pytest.mark.parametrize(("size", "levels"), [(32, 5), (64, 6), (128, 7), (256, 8), (96, 5)])
def test_unet_keeps_the_shape_and_the_range(size: int, levels: int) -> None:
    generator = started(UNet, Config(size=size, jitter_size=size, levels=levels, ngf=4))
    y = generator(images(size)).asnumpy()
    assert y.shape == (1, 3, size, size)
    assert np.abs(y).max() < 1
    masks = generator.masks((1, 3, size, size), 0, Stream.DROPOUT)
    sides = [size >> (levels - 2 - block) for block in range(levels - 5)]
    assert [mask.shape[-1] for mask in masks] == sides


@pytest.mark.parametrize("n_layers", range(6))
def test_patchgan_grid(n_layers: int) -> None:
    network = PatchGAN(Config(size=128, jitter_size=128, ndf=2, n_layers=n_layers))
    side = patch_grid(128, n_layers)
    assert network(images(128), images(128)).shape == (1, 1, side, side)


def test_receptive_fields_and_the_grid_of_thirty() -> None:
    assert [receptive_field(n) for n in range(6)] == [1, 16, 34, 70, 142, 286]
    assert patch_grid(256, 3) == 30


@pytest.mark.parametrize("n_layers", [1, 3])
def test_one_verdict_sees_exactly_its_receptive_field(n_layers: int) -> None:
    network = started(
        PatchGAN, Config(size=128, jitter_size=128, ndf=2, n_layers=n_layers, norm="none")
    )
    middle = patch_grid(128, n_layers) // 2

    def verdict(x: Tensor) -> Tensor:
        return network(x, x)[0, 0, middle, middle]

    gradient = ms.grad(verdict)(images(128)).asnumpy()[0]
    rows = np.flatnonzero(np.abs(gradient).sum((0, 2)))
    columns = np.flatnonzero(np.abs(gradient).sum((0, 1)))
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == receptive_field(n_layers)


@pytest.mark.parametrize(("size", "most"), [(32, 3), (48, 4)])
def test_images_too_small_for_the_patch_are_refused(size: int, most: int) -> None:
    assert patch_grid(size, most) >= 1
    with pytest.raises(Pix2PixError, match=f"at most {most} for images of {size} pixels, found 5"):
        PatchGAN(Config(size=size, jitter_size=size, levels=4, n_layers=5))


@pytest.mark.parametrize(("norm", "biases"), [("batch", 1), ("instance", 12), ("none", 1)])
def test_bias_where_the_reference_has_it(norm: str, biases: int) -> None:
    config = preset("quick", norm=norm, ngf=4)
    generator = UNet(config)
    assert sum(p.name.endswith("bias") for p in generator.trainable_params()) == biases


@pytest.mark.parametrize("kind", [InstanceNorm, SmoothInstanceNorm])
def test_instance_norm_has_nothing_to_learn_and_equals_its_definition(kind: type[nn.Cell]) -> None:
    norm, x = kind(), 3 * noise(2, 5, 8, 7) + 2
    assert not norm.trainable_params()
    expected = (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5)
    np.testing.assert_allclose(norm(Tensor(x)).asnumpy(), expected, atol=2e-5)


def test_batch_norm_in_its_three_states() -> None:
    norm = BatchNorm(4)
    x = 3 * noise(2, 4, 8, 8) + 2
    mean, variance = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    by_batch = (x - mean) / np.sqrt(variance + 1e-5)

    def moving() -> np.ndarray:
        return np.stack([norm.moving_mean.asnumpy(), norm.moving_variance.asnumpy()])

    untouched = moving()
    norm.set_train(False)
    np.testing.assert_allclose(norm(Tensor(x)).asnumpy(), by_batch, atol=2e-5)
    np.testing.assert_array_equal(moving(), untouched)

    norm.set_train(True)
    np.testing.assert_allclose(norm(Tensor(x)).asnumpy(), by_batch, atol=2e-5)
    np.testing.assert_allclose(moving()[0], 0.1 * x.mean((0, 2, 3)), rtol=1e-4)

    norm.set_train(False)
    set_statistics(norm, "moving")
    mean, variance = (part[:, None, None] for part in moving())
    by_moving = (x - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(norm(Tensor(x)).asnumpy(), by_moving, atol=2e-5)


def test_dropout_masks_halve_and_double() -> None:
    place = (1, 3, 64, 64), 0, Stream.DROPOUT
    generator = UNet(preset("quick"))
    first, second = (generator.masks(*place, step)[0].asnumpy() for step in (1, 2))
    assert set(np.unique(first)) == {0.0, 2.0}
    assert 0.45 < (first > 0).mean() < 0.55
    assert not np.array_equal(first, second)
    assert UNet(preset("quick", dropout=False)).masks(*place, 1) == ()


def test_the_autoencoder_has_no_skips() -> None:
    config = preset("quick", ngf=4)
    plain = UNet(replace(config, skips=False))
    assert plain(images(64)).shape == (1, 3, 64, 64)
    assert parameter_count(plain) < parameter_count(UNet(config))


@pytest.mark.parametrize("n_layers", [0, 2])
def test_an_unconditional_discriminator_does_not_see_the_input(n_layers: int) -> None:
    config = preset("quick", ndf=4, n_layers=n_layers)
    x, another, y = (images(64, seed) for seed in range(3))
    for conditional in (True, False):
        network = PatchGAN(replace(config, conditional=conditional))
        same = np.array_equal(network(x, y).asnumpy(), network(another, y).asnumpy())
        assert same != conditional


@pytest.mark.parametrize(
    ("init_type", "gain", "deviation"),
    [
        ("normal", 0.02, 0.02),
        ("xavier", 0.5, 0.5 * np.sqrt(2 / (64 * 16 + 128 * 16))),
        ("kaiming", 0.0, np.sqrt(2 / (64 * 16))),
    ],
)
def test_initialisation_has_the_deviation_it_names(
    init_type: str, gain: float, deviation: float
) -> None:
    generator = started(UNet, preset("quick", init_type=init_type, init_gain=gain, ngf=64))
    weight = generator.downs[1].conv.weight.asnumpy()  # 64 -> 128 filters of 4x4
    assert weight.std() == pytest.approx(deviation, rel=0.02)
    assert abs(weight.mean()) < 0.02 * deviation
    assert not np.any(generator.ups[-1].conv.bias.asnumpy())
    gamma = generator.downs[4].norm.gamma.asnumpy()
    assert gamma.mean() == pytest.approx(1, abs=0.01)
    assert gamma.std() == pytest.approx(0.02, rel=0.2)


def test_constant_initialisation_reaches_every_convolution() -> None:
    config = preset("quick", ngf=4, ndf=4, init_type="constant", init_gain=0.3)
    for network in (UNet, PatchGAN):
        for _, cell in started(network, config).cells_and_names():
            if isinstance(cell, nn.Conv2d | nn.Conv2dTranspose):
                assert np.all(cell.weight.asnumpy() == np.float32(0.3))


def test_the_seed_decides_the_first_weights() -> None:
    one, same, other = (
        started(UNet, preset("quick", ngf=4, seed=seed)).downs[0].conv.weight.asnumpy()
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
