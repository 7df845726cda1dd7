"""GAN and conditional GAN of fully connected layers (Goodfellow et al. 2014, Mirza 2014).

A generator G makes images from noise z, a discriminator D distinguishes them from real ones, and
each learns from the other (Goodfellow, equation 1):

    min_G max_D  E_x[log D(x)] + E_z[log(1 - D(G(z)))]

A conditional GAN gives both the label too: D(x|y) and G(z|y) (Mirza, equation 2).
"""

from collections.abc import Callable
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import GANConfig
from pix2pix_ms.machine.precision import Terms, array_of, gradient_step, mixed
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import draw
from pix2pix_ms.machine.signals import compiled, interruptible
from pix2pix_ms.pix2pix.nets.blocks import leaky_relu, set_statistics
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.objectives import ADVERSARIAL, generator_loss
from pix2pix_ms.pix2pix.optimisers import adam
from pix2pix_ms.training.task import Model

Step = Callable[..., Terms]
Networks = tuple[type[nn.Cell], type[nn.Cell]]  # generator, discriminator


class Losses(NamedTuple):
    """The terms of one step, as numbers: D's loss on real and on generated images, and G's."""

    d_real: float
    d_fake: float
    g: float


def dense(*widths: int) -> list[nn.Cell]:
    """Return fully connected layers between these widths, with ReLU after all but the last."""
    return [cell for pair in pairwise(widths) for cell in (nn.Dense(*pair), nn.ReLU())][:-1]


class Generator(nn.Cell):
    """Noise, and one-hot labels where conditional, to images in [-1, 1]: G(z) or G(z|y).

    [N, latent_dim] and [N, classes] to [N, C, H, W]. Two hidden layers, ngf and 2 ngf wide, ReLU
    between and tanh at the end.
    """

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.image = (config.channels, *config.shape)
        inputs = config.latent_dim + config.classes * config.conditional
        layers = dense(inputs, config.ngf, 2 * config.ngf, int(np.prod(self.image)))
        self.layers = nn.SequentialCell(*layers, nn.Tanh())
        self.update_parameters_name("generator.")

    def construct(self, z: Tensor, *given: Tensor) -> Tensor:
        return self.layers(ops.cat((z, *given), 1)).reshape(-1, *self.image)


class Discriminator(nn.Cell):
    """Images, and one-hot labels where conditional, to logits: above 0 where one looks real.

    [N, C, H, W] and [N, classes] to [N, 1]. Two hidden layers, 2 ndf and ndf wide, LeakyReLU
    between; the sigmoid is part of the loss.
    """

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        pixels = config.channels * int(np.prod(config.shape))
        self.first = nn.Dense(pixels + config.classes * config.conditional, 2 * config.ndf)
        self.second = nn.Dense(2 * config.ndf, config.ndf)
        self.last = nn.Dense(config.ndf, 1)
        self.update_parameters_name("discriminator.")

    def construct(self, images: Tensor, *given: Tensor) -> Tensor:
        h = self.first(ops.cat((images.flatten(start_dim=1), *given), 1))
        return self.last(leaky_relu(self.second(leaky_relu(h))))


def discriminator_step(
    generator: nn.Cell, discriminator: nn.Cell, optim_d: nn.Optimizer, config: GANConfig
) -> Step:
    """Return D's step: (images, z, *given) to D's losses on real and on generated images.

    It minimises -log D(x) - log(1 - D(G(z))), or the losses of another `gan_mode`.
    """
    adversarial = ADVERSARIAL[config.gan_mode]

    def loss_d(images: Tensor, generated: Tensor, *given: Tensor) -> Terms:
        real = adversarial(discriminator(images, *given), True)
        fake = adversarial(discriminator(generated, *given), False)
        return real + fake, real, fake

    update_d = gradient_step(loss_d, optim_d)

    def step(images: Tensor, z: Tensor, *given: Tensor) -> Terms:
        return update_d(images, ops.stop_gradient(generator(z, *given)), *given)

    return compiled(step, config)


def generator_step(
    generator: nn.Cell, discriminator: nn.Cell, optim_g: nn.Optimizer, config: GANConfig
) -> Step:
    """Return G's step: (z, *given) to G's loss.

    It minimises log(1 - D(G(z))) with gan_mode minimax, -log D(G(z)) with vanilla (section 3).
    """

    def loss_g(z: Tensor, *given: Tensor) -> Terms:
        gan = generator_loss(discriminator(generator(z, *given), *given), config.gan_mode)
        return gan, gan

    return compiled(gradient_step(loss_g, optim_g), config)


class GAN(Model):
    """Generator, discriminator and their optimisers; subclasses have others."""

    networks: ClassVar[Networks] = (Generator, Discriminator)
    optimiser: ClassVar[Callable[..., nn.Optimizer]] = staticmethod(adam)
    discriminator_step: ClassVar[Callable[..., Step]] = staticmethod(discriminator_step)

    def __init__(self, config: GANConfig) -> None:
        self.config = config
        self.generator, self.discriminator = networks = [kind(config) for kind in self.networks]
        for network in networks:
            initialise(network, config)
        self.optim_g = self.optimiser(self.generator, config, "optim_g")
        self.optim_d = self.optimiser(self.discriminator, config, "optim_d")
        # A rate for each of the two (Heusel et al. 2017).
        self.rates = {self.optim_g: 1.0, self.optim_d: config.discriminator_rate}
        self.set_learning_rate(config.learning_rate)
        self.saved = (*networks, self.optim_g, self.optim_d)
        self.inference = (self.generator,)
        g, d = (mixed(network, config) for network in networks)
        self.step_d = self.discriminator_step(g, d, self.optim_d, config)
        self.step_g = generator_step(g, d, self.optim_g, config)

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Losses:
        """Update D and then G once, each on new noise (algorithm 1 with k = 1).

        Images are float32 [N, C, H, W] in [-1, 1], labels int [N], ignored unless
        `config.conditional`.
        """
        z_d, z_g, *given = self.begin_step(len(images), labels)
        losses = (*self.step_d(Tensor(images), z_d, *given), *self.step_g(z_g, *given))
        return Losses(*map(float, losses))

    def begin_step(self, count: int, labels: np.ndarray) -> tuple[Tensor, ...]:
        """Count a step; return z for D's update and for G's, and `given(labels)`."""
        self.step += 1
        self.generator.set_train()
        self.discriminator.set_train()
        z_d, z_g = (Tensor(self.noise(count, self.step, use)) for use in (0, 1))
        return z_d, z_g, *self.given(labels)

    def noise(self, count: int, step: int = 0, use: int = 0) -> np.ndarray:
        """Draw z ~ N(0, 1), float32 [count, latent_dim], for this rank's images.

        `step` is counted from 1; 0 is inference, on the first rank only. `use` is 0 for D's update,
        1 for G's.
        """
        sample = random(self.config.seed, Stream.NOISE, step, use).standard_normal
        shape = (count, self.config.latent_dim)
        return draw(shape, sample) if step > 0 else sample(shape, dtype=np.float32)

    def given(self, labels: np.ndarray) -> tuple[Tensor, ...]:
        """Return the labels as one-hot, float32 [N, classes], if conditional."""
        if not self.config.conditional:
            return ()
        return (Tensor(np.eye(self.config.classes, dtype=np.float32)[labels]),)

    def generate(self, noise: int | np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Generate images, float32 [N, C, H, W] in [-1, 1], without changing the model.

        Args:
            noise: float32 [N, latent_dim], or the number of images, with noise of the seed.
            labels: int [N]; unless given, the classes in turn.

        Batch normalisation uses the moving statistics: an image depends only on its own noise.
        """
        z = self.noise(noise) if isinstance(noise, int) else noise
        labels = np.arange(len(z)) % self.config.classes if labels is None else labels
        set_statistics(self.generator, "moving")
        self.generator.set_train(False)
        size = self.config.batch_size
        with interruptible():
            images = [
                array_of(self.generator(Tensor(z[i : i + size]), *self.given(labels[i : i + size])))
                for i in range(0, len(z), size)
            ]
        return np.concatenate(images)
