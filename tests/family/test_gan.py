"""GAN, DCGAN and LSGAN: shapes and counts of the papers, each update of one network."""

from collections.abc import Callable
from typing import Any, ClassVar

import mindspore as ms
import numpy as np
import pytest
from mindspore import Tensor

from pix2pix_ms.config.family import DCGANConfig, GANConfig, LSGANConfig
from pix2pix_ms.config.models import preset
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.gan.dcgan import DCGAN
from pix2pix_ms.family.gan.frechet import frechet, shrunk
from pix2pix_ms.family.gan.gan import GAN, Losses
from pix2pix_ms.pix2pix import objectives
from pix2pix_ms.pix2pix.nets.blocks import BatchNorm
from pix2pix_ms.pix2pix.nets.unet import parameter_count
from tests.every_model import values
from tests.family.points import POINT_NETWORKS
from tests.runs import noise, numbers

RNG = np.random.default_rng(5)
SMALL: dict[str, Any] = {"size": 16, "jitter_size": 16, "channels": 1, "ngf": 4, "ndf": 4,
                         "latent_dim": 5, "batch_size": 6, "jit": False}  # fmt: skip
MODELS: list[Callable[..., GAN]] = [
    lambda **changes: GAN(GANConfig(**{**SMALL, "size": 8, **changes})),
    lambda **changes: DCGAN(DCGANConfig(**{**SMALL, **changes})),
    lambda **changes: DCGAN(LSGANConfig(**{**SMALL, **changes})),
]
every_model = pytest.mark.parametrize("build", MODELS, ids=["gan", "dcgan", "lsgan"])


def batch(model: GAN) -> tuple[np.ndarray, np.ndarray]:
    config = model.config
    images = noise(config.batch_size, config.channels, *config.shape)
    return images, RNG.integers(config.classes, size=config.batch_size).astype(np.int32)


@pytest.fixture(scope="module")
def full() -> DCGAN:
    return DCGAN(DCGANConfig())


def test_dcgan_is_the_network_of_pytorchs_example(full: DCGAN) -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn

    def up(*sides: int) -> list[Any]:
        return [nn.ConvTranspose2d(*sides, bias=False), nn.BatchNorm2d(sides[1]), nn.ReLU()]

    def down(before: int, after: int) -> list[Any]:
        conv = nn.Conv2d(before, after, 4, 2, 1, bias=False)
        return [conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]

    theirs_g = nn.Sequential(
        *up(100, 512, 4, 1, 0), *up(512, 256, 4, 2, 1), *up(256, 128, 4, 2, 1),
        *up(128, 64, 4, 2, 1), nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip
    theirs_d = nn.Sequential(
        nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), *down(64, 128), *down(128, 256),
        *down(256, 512), nn.Conv2d(512, 1, 4, 1, 0, bias=False),
    )  # fmt: skip
    z = RNG.normal(size=(4, 100)).astype(np.float32)
    for ours, theirs in ((full.generator, theirs_g), (full.discriminator, theirs_d)):
        parameters = ours.set_train().trainable_params()
        for mine, other in zip(parameters, theirs.parameters(), strict=True):
            assert mine.shape == other.shape
            other.data = torch.from_numpy(mine.asnumpy().copy())
    images = full.generator(Tensor(z))
    wanted = theirs_g(torch.from_numpy(z[:, :, None, None]))
    np.testing.assert_allclose(images.asnumpy(), wanted.detach().numpy(), atol=1e-4)
    logits = full.discriminator(images).asnumpy()
    np.testing.assert_allclose(logits, theirs_d(wanted).detach().numpy().reshape(4, 1), atol=1e-3)


def test_dcgans_rules(full: DCGAN) -> None:
    """And the parameter counts of PyTorch's example."""
    networks = full.generator, full.discriminator
    assert [parameter_count(network) for network in networks] == [3_576_704, 2_765_568]
    for network in networks:
        norms = [cell for _, cell in network.cells_and_names() if isinstance(cell, BatchNorm)]
        convolutions = [p for p in network.trainable_params() if p.ndim == 4]
        # None at G's output; in D none at its input, and none after its one-logit end.
        assert len(norms) == len(convolutions) - (1 if network is full.generator else 2)
        for weight in convolutions:
            assert weight.asnumpy().std() == pytest.approx(0.02, rel=0.1)
    assert (full.config.beta1, full.config.learning_rate) == (0.5, 2e-4)


@every_model
def test_each_step_updates_one_network(build: Callable[..., GAN]) -> None:
    """All of its weights, and its loss falls."""
    model = build(conditional=True, learning_rate=5e-3)
    images, labels = batch(model)
    given, z = model.given(labels), Tensor(model.noise(len(images), 1))
    model.generator.set_train(), model.discriminator.set_train()
    for update, learns, other in (
        (lambda: model.step_d(Tensor(images), z, *given), model.discriminator, model.generator),
        (lambda: model.step_g(z, *given), model.generator, model.discriminator),
    ):
        before = [p.asnumpy().copy() for p in learns.trainable_params()]
        unchanged = numbers(other)
        falling = [sum(map(float, update())) for _ in range(20)]
        assert falling[-1] < 0.9 * falling[0]
        assert np.array_equal(numbers(other), unchanged)
        after = [p.asnumpy() for p in learns.trainable_params()]
        assert not any(map(np.array_equal, after, before))


@every_model
def test_a_first_step_is_the_papers(build: Callable[..., GAN]) -> None:
    """The reported terms are those of D before its update, and of G against the updated D."""
    model, twin = build(), build()
    twin.generator.set_train(), twin.discriminator.set_train()
    mode, (images, labels) = model.config.gan_mode, batch(model)
    generated = [twin.generator(Tensor(twin.noise(len(images), 1, draw))) for draw in (0, 1)]
    adversarial = objectives.ADVERSARIAL[mode]
    real = adversarial(twin.discriminator(Tensor(images)), True)
    fake = adversarial(twin.discriminator(generated[0]), False)
    losses = model.train_step(images, labels)
    updated = {p.name: p for p in model.discriminator.get_parameters()}
    ms.load_param_into_net(twin.discriminator, updated)
    g = objectives.generator_loss(twin.discriminator(generated[1]), mode)
    np.testing.assert_allclose(losses, [float(real), float(fake), float(g)], rtol=1e-3)


@every_model
def test_generate_changes_nothing_and_follows_noise_and_label(build: Callable[..., GAN]) -> None:
    model = build(conditional=True)
    model.train_step(*batch(model))
    before = values(model)
    images = model.generate(10)
    assert (images.shape, images.dtype) == ((10, 1, *model.config.shape), np.float32)
    assert 0 < np.abs(images).max() <= 1
    np.testing.assert_equal(values(model), before)
    z = model.noise(10)
    np.testing.assert_array_equal(model.generate(z, np.arange(10)), images)
    # One by one or together: an image depends on its own noise and label alone.
    np.testing.assert_allclose(model.generate(z[3:4], np.array([3])), images[3:4], atol=1e-5)
    assert np.abs(model.generate(z, np.full(10, 4)) - images)[[3, 5]].max() > 1e-4
    assert np.abs(images[0] - model.generate(z[1:2], np.array([0]))[0]).max() > 1e-4


def test_two_time_scales_and_labels_ignored_without_a_condition() -> None:
    model, other = (MODELS[0](discriminator_rate=4.0) for _ in range(2))
    images, labels = batch(model)
    assert model.train_step(images, labels) == other.train_step(images, labels[::-1])
    for rate in (model.config.learning_rate, 1e-5):
        model.set_learning_rate(rate)
        assert float(model.optim_g.learning_rate) == pytest.approx(rate)
        assert float(model.optim_d.learning_rate) == pytest.approx(4 * rate)


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ("dcgan", "height", 32),  # where width is 16
        ("dcgan", "discriminator_rate", 0.0),
        ("dcgan", "gan_mode", "wgan"),
        ("pix2pix", "gan_mode", "wgan-gp"),  # with batch normalisation
        ("pix2pix", "lambda_gp", -1.0),
    ],
)
def test_impossible_settings_are_refused(model: str, name: str, value: Any) -> None:
    with pytest.raises(Pix2PixError, match=f"^(norm|.*{name}.*): "):
        preset("quick", model, **{name: value})


class PointGAN(GAN):
    networks: ClassVar = POINT_NETWORKS


def test_a_gan_of_points_takes_a_step() -> None:
    model = PointGAN(GANConfig(latent_dim=2, ngf=8, ndf=8, jit=False))
    points = RNG.normal(size=(32, 2)).astype(np.float32)
    assert isinstance(model.train_step(points, np.zeros(32, np.int32)), Losses)
    assert model.generate(5).shape == (5, 2)


def test_the_frechet_distance_of_known_gaussians() -> None:
    white = RNG.normal(size=(20_000, 1, 8, 8))
    assert frechet(white, white) == pytest.approx(0, abs=1e-6)
    # Means 0.5 apart in 64 numbers, and deviations 1 and 2: 64 (0.25 + (2 - 1)^2).
    assert frechet(white, 2 * white[::-1] + 0.5) == pytest.approx(80, rel=0.02)


@pytest.mark.parametrize("side", [8, 12, 16])
def test_images_are_averaged_over_cells(side: int) -> None:
    images = RNG.normal(size=(3, 2, side, side))
    fine = np.kron(images, np.ones((2, 2))).reshape(3, 2, 2 * side, 2 * side)
    np.testing.assert_allclose(shrunk(fine), shrunk(images))
    np.testing.assert_allclose(shrunk(images).mean(1), images.mean((1, 2, 3)))
    if side == 8:
        np.testing.assert_allclose(shrunk(images), images.reshape(3, -1))
