"""WGAN and WGAN-GP: the critic measures a distance (Arjovsky et al. 2017, Gulrajani et al. 2017).

The critic f returns a score, without sigmoid or logarithm. The largest difference of its means on
real and on generated images, over all f with slopes of at most 1, is the Wasserstein distance
(Arjovsky, equation 2):

    min_G max_f  E_x[f(x)] - E_z[f(G(z))],  f 1-Lipschitz

WGAN limits the slope of f by clipping its weights after every update; WGAN-GP by a penalty on
slopes other than 1 between real and generated images.

A step is one pass through the inner loop of algorithm 1 of either paper: an update of the critic on
a new batch. Every `critic_steps`-th step also updates the generator.
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import WGANConfig
from pix2pix_ms.family.gan.dcgan import DCGAN, Discriminator, Generator
from pix2pix_ms.family.gan.gan import Losses, Networks, Step
from pix2pix_ms.machine.precision import Terms, gradient_step
from pix2pix_ms.machine.signals import compiled
from pix2pix_ms.pix2pix.objectives import gradient_penalty, interpolation_weights, wasserstein
from pix2pix_ms.pix2pix.optimisers import adam, rmsprop


class Critic(Discriminator):
    """DCGAN's discriminator; without batch normalisation if there is a gradient penalty."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__(config, norm="none" if config.penalised else "batch")


def optimiser_of(network: nn.Cell, config: WGANConfig, name: str) -> nn.Optimizer:
    """Return Adam for WGAN-GP, RMSProp for WGAN, whose critic is unstable with momentum."""
    return (rmsprop if config.gan_mode == "wgan" else adam)(network, config, name)


def critic_step(
    generator: nn.Cell, critic: nn.Cell, optim_d: nn.Optimizer, config: WGANConfig
) -> Step:
    """Return the critic's step: (images, z, interpolation, *given) to its two losses.

    It maximises E[f(x)] - E[f(G(z))], its estimate of the distance: minus the sum of its losses on
    real and on generated images (algorithm 1 of either paper).
    """

    def loss_d(images: Tensor, generated: Tensor, interpolation: Tensor, *given: Tensor) -> Terms:
        def f(images: Tensor) -> Tensor:
            return critic(images, *given)

        real, fake = wasserstein(f(images), True), wasserstein(f(generated), False)
        loss = real + fake
        if config.penalised:
            penalty = gradient_penalty(f, images, generated, interpolation)
            loss = loss + config.lambda_gp * penalty
        return loss, real, fake

    update_d = gradient_step(loss_d, optim_d)

    def step(images: Tensor, z: Tensor, interpolation: Tensor, *given: Tensor) -> Terms:
        generated = ops.stop_gradient(generator(z, *given))
        losses = update_d(images, generated, interpolation, *given)
        if not config.penalised:
            for weight in optim_d.parameters:
                ops.assign(weight, ops.clamp(weight, -config.clip, config.clip))
        return losses

    return compiled(step, config)


class WGAN(DCGAN):
    """DCGAN's generator and a critic."""

    config: WGANConfig
    networks: ClassVar[Networks] = (Generator, Critic)
    optimiser: ClassVar[Callable[..., nn.Optimizer]] = staticmethod(optimiser_of)
    discriminator_step: ClassVar[Callable[..., Step]] = staticmethod(critic_step)

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Losses:
        """Update the critic once, and at every `critic_steps`-th step the generator.

        At the other steps the loss `g` is the generator's on the critic's noise.
        """
        z_d, z_g, *given = self.begin_step(len(images), labels)
        interpolation = interpolation_weights(images.shape, self.config.seed, self.step)
        real, fake = self.step_d(Tensor(images), z_d, interpolation, *given)
        g = -fake
        if self.step % self.config.critic_steps == 0:
            (g,) = self.step_g(z_g, *given)
        return Losses(*map(float, (real, fake, g)))
