"""pix2pix: two networks, two optimisers, and the training step of the paper (section 3.3)."""

from collections.abc import Callable
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.machine.precision import Terms, gradient_step, mixed
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.machine.signals import compiled
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.resnet import ResNet
from pix2pix_ms.pix2pix.nets.unet import UNet
from pix2pix_ms.pix2pix.objectives import (
    ADVERSARIAL,
    PIXEL,
    gradient_penalty,
    interpolation_weights,
)
from pix2pix_ms.pix2pix.optimisers import adam, move_average
from pix2pix_ms.training.checkpoints import AVERAGE
from pix2pix_ms.training.task import Model

AVERAGED_AT_ONCE = 4  # steps between two updates of the average


class Losses(NamedTuple):
    """The four terms of one step, as numbers; NaN where there is no discriminator.

    D's are not halved, G's are not weighted.
    """

    d_real: float
    d_fake: float
    g_gan: float
    g_l1: float


def generator_of(config: Config) -> UNet | ResNet:
    """Build the generator that the settings name."""
    return UNet(config) if config.generator == "unet" else ResNet(config)


def training_step(
    generator: nn.Cell,
    discriminator: nn.Cell,
    optim_g: nn.Optimizer,
    optim_d: nn.Optimizer,
    config: Config,
) -> Callable[..., Terms]:
    """Return the step: (x, y, *noise) to the four losses. D first, then G (section 3.3).

    `noise` is this step's random inputs: G's dropout masks and, with gan_mode wgan-gp, the
    interpolation weights of the gradient penalty, float32 [N, 1, 1, 1] in [0, 1].

    As in the reference: forward; backward_D, with the generated image detached; backward_G, through
    the updated D. Both use one forward pass of G, so D is updated inside G's loss.
    """
    adversarial, pixel = ADVERSARIAL[config.gan_mode], PIXEL[config.pixel_loss]
    masks_end = -1 if config.penalised else None  # the last are the interpolation weights

    def loss_d(x: Tensor, y: Tensor, generated: Tensor, *interpolation: Tensor) -> Terms:
        def critic(image: Tensor) -> Tensor:
            return discriminator(x, image)

        d_real = adversarial(critic(y), True)
        d_fake = adversarial(critic(generated), False)
        loss = d_real + d_fake
        if config.penalised:
            penalty = gradient_penalty(critic, y, generated, *interpolation)
            loss = loss + config.lambda_gp * penalty
        return loss * 0.5, d_real, d_fake  # halved, as in the paper; Adam cancels the factor

    backward_d = gradient_step(loss_d, optim_d)

    def loss_g(x: Tensor, y: Tensor, *noise: Tensor) -> Terms:
        masks = noise[:masks_end]
        interpolation = noise[len(masks) :]
        generated = generator(x, *masks)  # forward
        d_real, d_fake = backward_d(x, y, ops.stop_gradient(generated), *interpolation)
        g_gan = adversarial(discriminator(x, generated), True)
        g_l1 = pixel(generated, y)
        loss = config.gan_weight * g_gan + config.lambda_l1 * g_l1
        return loss, d_real, d_fake, g_gan, g_l1

    backward_g = gradient_step(loss_g, optim_g)
    return compiled(backward_g, config)


def regression_step(
    generator: nn.Cell, optim_g: nn.Optimizer, config: Config
) -> Callable[..., Terms]:
    """Return the step without a discriminator (section 4.2: "L1"); its losses are NaN."""

    def loss_g(x: Tensor, y: Tensor, *masks: Tensor) -> Terms:
        distance = PIXEL[config.pixel_loss](generator(x, *masks), y)
        absent = distance * np.nan
        return config.lambda_l1 * distance, absent, absent, absent, distance

    return compiled(gradient_step(loss_g, optim_g), config)


class Average:
    """A generator whose weights are a moving average of another's: its images vary less.

    The decay is `ema`, or (1 + step) / (10 + step) while that is less, as in TensorFlow's
    ExponentialMovingAverage, so that the initial weights are soon forgotten. It is updated once in
    four steps: in every step it would take a fifth of a small network's time.
    """

    def __init__(self, followed: UNet | ResNet, config: Config) -> None:
        self.generator = generator_of(config)
        self.ema = config.ema
        averages, weights = (list(net.get_parameters()) for net in (self.generator, followed))
        for average, weight in zip(averages, weights, strict=True):
            average.name = AVERAGE + weight.name
            average.set_data(weight.value().copy())

        def move(decay: Tensor) -> Tensor:
            return move_average(averages, weights, decay)

        self._move = compiled(move, config)

    def follow(self, step: int) -> None:
        """Move towards the weights after every fourth `step`, counted from 1."""
        if step % AVERAGED_AT_ONCE == 0:
            decay = min(self.ema, (1 + step) / (10 + step)) ** AVERAGED_AT_ONCE
            self._move(Tensor(decay, ms.float32))


class Pix2Pix(Model):
    """Generator, discriminator and their optimisers, built and initialised from a config."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.generator, self.discriminator = networks = generator_of(config), PatchGAN(config)
        for network in networks:
            initialise(network, config)
        self.average = Average(self.generator, config) if config.ema > 0 else None
        self.optim_g, self.optim_d = optimisers = [adam(network, config) for network in networks]
        self.rates = dict.fromkeys(optimisers, 1.0)
        averages = (self.average.generator,) if self.average else ()
        self.saved = (*networks, *optimisers, *averages)
        self.inference = averages or (self.generator,)
        generator, discriminator = (mixed(network, config) for network in networks)
        self._train_step = (
            training_step(generator, discriminator, self.optim_g, self.optim_d, config)
            if config.gan_weight > 0
            else regression_step(generator, self.optim_g, config)
        )

    @property
    def translating(self) -> UNet | ResNet:
        """The generator that translates: the average if there is one."""
        return self.inference[0]

    def train_step(self, x: np.ndarray | Tensor, y: np.ndarray | Tensor) -> Losses:
        """Update D and G once on a batch: x, y float32 [N, C, H, W] in [-1, 1].

        If `gan_weight` is 0, only G is updated.
        """
        x, y = Tensor(x), Tensor(y)
        self.step += 1
        noise = self.generator.masks(x.shape, self.config.seed, Stream.DROPOUT, self.step)
        if self.config.penalised:
            noise = *noise, interpolation_weights(y.shape, self.config.seed, self.step)
        self.generator.set_train()
        self.discriminator.set_train()
        losses = Losses(*map(float, self._train_step(x, y, *noise)))
        if self.average is not None:
            self.average.follow(self.step)
        return losses
