"""WGAN and WGAN-GP: the critic measures a distance (Arjovsky et al. 2017, Gulrajani et al. 2017).

No verdict any more, so no sigmoid and no logarithm: the critic f is any function that is steep
nowhere, and the furthest it can bring the means apart is the Wasserstein distance (Arjovsky,
equation 2):

    min_G max_f  E_x[f(x)] - E_z[f(G(z))],  f 1-Lipschitz

What keeps f from being steep: in WGAN its weights are clipped after every update; in WGAN-GP a
penalty draws its slope towards 1 between real and generated images.

One step is one pass through the inner loop of algorithm 1 of either: the critic learns from a batch
of its own. Every `critic_steps`-th also updates the generator, so steps are batches here as
elsewhere, and a resumed run goes on in the middle of the loop.
"""

from collections.abc import Callable
from typing import ClassVar

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import WGANConfig
from pix2pix_ms.family.gan.dcgan import DCGAN, Discriminator, Generator
from pix2pix_ms.family.gan.gan import Losses, Step
from pix2pix_ms.machine.precision import value_and_gradient
from pix2pix_ms.machine.signals import interruptible
from pix2pix_ms.pix2pix.objectives import draw_shares, gradient_penalty, wasserstein
from pix2pix_ms.pix2pix.optimisers import adam, rmsprop


class Critic(Discriminator):
    """DCGAN's discriminator; without batch normalisation where single images are penalised."""

    def __init__(self, config: WGANConfig) -> None:
        super().__init__(config, norm="none" if config.penalised else "batch")


def optimiser_of(network: nn.Cell, config: WGANConfig, name: str | None = None) -> nn.Optimizer:
    """Return RMSProp for WGAN, whose critic Adam's momentum upsets, and Adam for WGAN-GP."""
    return (rmsprop if config.gan_mode == "wgan" else adam)(network, config, name)


def critic_step(
    generator: nn.Cell, critic: nn.Cell, optimiser: nn.Optimizer, config: WGANConfig
) -> Step:
    """Return the critic's step: (images, z, shares, *given) to its losses on real and generated.

    It maximises E[f(x)] - E[f(G(z))]; the sum of the losses, negated, is its estimate of the
    distance (algorithm 1 of either paper).
    """
    penalised = config.penalised

    def loss(
        images: Tensor, generated: Tensor, shares: Tensor, *given: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        def f(images: Tensor) -> Tensor:
            return critic(images, *given)

        real, fake = wasserstein(f(images), True), wasserstein(f(generated), False)
        distance = real + fake
        if penalised:
            penalty = gradient_penalty(f, images, generated, shares)
            return distance + config.lambda_gp * penalty, real, fake
        return distance, real, fake

    gradient = value_and_gradient(loss, optimiser)

    def step(images: Tensor, z: Tensor, shares: Tensor, *given: Tensor) -> tuple[Tensor, Tensor]:
        generated = ops.stop_gradient(generator(z, *given))
        (_, real, fake), towards = gradient(images, generated, shares, *given)
        optimiser(towards)
        if not penalised:
            clip(optimiser.parameters, config.clip)
        return real, fake

    return ms.jit(step) if config.jit else step


def clip(weights: tuple[ms.Parameter, ...], largest: float) -> None:
    """Bring every weight back into [-largest, largest]."""
    for weight in weights:
        ops.assign(weight, ops.clamp(weight, -largest, largest))


class WGAN(DCGAN):
    """DCGAN's generator and a critic of its shape."""

    config: WGANConfig
    networks: ClassVar[tuple[type[nn.Cell], type[nn.Cell]]] = (Generator, Critic)
    optimiser: ClassVar[Callable[..., nn.Optimizer]] = staticmethod(optimiser_of)

    def __init__(self, config: WGANConfig) -> None:
        super().__init__(config)
        self.step_d = critic_step(*self.both, self.optim_d, config)

    def train_step(self, images: np.ndarray, labels: np.ndarray) -> Losses:
        """Update the critic once, and at every `critic_steps`-th step the generator.

        Images are float32 [N, C, H, W] in [-1, 1], labels int [N]. At the other steps the loss `g`
        is what the generator would have minimised, on the critic's noise.
        """
        self.step += 1
        config, given = self.config, self.given(labels)
        z = Tensor(self.own_noise(len(images)))
        shares = draw_shares(images.shape, config.seed, self.step, config.ranks)
        self.generator.set_train()
        self.discriminator.set_train()
        with interruptible():
            real, fake = self.step_d(Tensor(images), z, shares, *given)
            g = -fake
            if self.step % config.critic_steps == 0:
                (g,) = self.step_g(Tensor(self.own_noise(len(images), 1)), *given)
            return Losses(*map(float, (real, fake, g)))
