"""StarGAN v2: one generator for many domains, and for the many styles of each (Choi et al. 2020).

Four networks: the mapping network F makes style codes from noise, the style encoder E reads them
from images, G gives an image the style of a code, and D judges for each domain whether an image is
a real one of it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.stargan.generator import StyledGenerator
from pix2pix_ms.family.stargan.networks import MappingNetwork, MultiTaskDiscriminator, StyleEncoder
from pix2pix_ms.family.stargan.translate import Averages, one_hot
from pix2pix_ms.machine.precision import Terms, gradient_step
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import draw
from pix2pix_ms.machine.signals import compiled
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.objectives import l1, softplus
from pix2pix_ms.pix2pix.optimisers import adam
from pix2pix_ms.pix2pix.translate import forward
from pix2pix_ms.training.task import Model


class Losses(NamedTuple):
    """The terms of one step, unweighted.

    `d_` and `g_` are adversarial losses, with styles from latent codes (noise) and from reference
    images; style, diversity and cycle are of the update with latent codes.
    """

    d_latent: float
    d_reference: float
    r1: float
    g_latent: float
    g_reference: float
    style: float
    diversity: float
    cycle: float


def r1_penalty(discriminator: nn.Cell, x: Tensor, domain: Tensor) -> Tensor:
    """Half the squared gradient of D at real images, mean over the batch (Mescheder et al. 2018).

    x: float32 [N, 3, H, W]; domain: one-hot, float32 [N, K].
    """

    def verdicts(images: Tensor) -> Tensor:
        return discriminator(images, domain).sum()

    return 0.5 * ops.square(ms.grad(verdicts)(x)).sum((1, 2, 3)).mean()


def discriminator_loss(discriminator: nn.Cell, weight_r1: float) -> Callable[..., Terms]:
    """Return D's loss (equation 1): (x, its domain, generated, its domain) to three terms.

    They are the value to minimise, the adversarial loss and R1.
    """

    def loss_d(x: Tensor, domain: Tensor, generated: Tensor, target: Tensor) -> Terms:
        real = softplus(-discriminator(x, domain)).mean()
        fake = softplus(discriminator(generated, target)).mean()
        r1 = r1_penalty(discriminator, x, domain)
        return real + fake + weight_r1 * r1, real + fake, r1

    return loss_d


def generator_loss(
    generator: nn.Cell, encoder: nn.Cell, discriminator: nn.Cell, config: StarGANConfig
) -> Callable[..., Terms]:
    """Return what G, F and E minimise (equation 5), for given style codes.

    It takes images x, float32 [N, 3, H, W] in [-1, 1], their domains, the domains to translate to,
    both one-hot [N, K], two style codes of those, float32 [N, style_dim], and the weight of the
    diversity loss; it returns the sum, then the four losses unweighted.
    """

    def loss_g(
        x: Tensor, domain: Tensor, target: Tensor, one: Tensor, other: Tensor, weight: Tensor
    ) -> Terms:
        generated = generator(x, one)
        adversarial = softplus(-discriminator(generated, target)).mean()

        style = l1(encoder(generated, target), one)  # equation 2

        second = ops.stop_gradient(generator(x, other))
        diversity = l1(generated, second)  # equation 3; to be large

        back = generator(generated, encoder(x, domain))
        cycle = l1(back, x)  # equation 4

        total = adversarial + config.lambda_style * style + config.lambda_cycle * cycle
        return total - weight * diversity, adversarial, style, diversity, cycle

    return loss_g


class StarGAN(Model):
    """The four networks, moving averages of three of them, and four optimisers.

    Raises:
        Pix2PixError: if the config names no domain.
    """

    def __init__(self, config: StarGANConfig) -> None:
        if not config.domains:
            raise Pix2PixError(
                "domains: expected the names of at least one, found none; take those of the data"
            )
        self.config = config
        self.diversity_weight = config.diversity_at(1)
        self.generator = StyledGenerator(config)
        self.mapping = MappingNetwork(config)
        self.encoder = StyleEncoder(config)
        self.discriminator = MultiTaskDiscriminator(config)
        self.networks = self.generator, self.mapping, self.encoder, self.discriminator
        for network in self.networks:
            initialise(network, config)
        self.averages = Averages(config, self.networks[:3])
        self.optim_g, self.optim_f, self.optim_e, self.optim_d = optimisers = [
            adam(network, config, f"optim_{letter}", config.weight_decay)
            for network, letter in zip(self.networks, "gfed", strict=True)
        ]
        self.rates = {**dict.fromkeys(optimisers, 1.0), self.optim_f: config.mapping_rate}
        self.set_learning_rate(config.learning_rate)
        self.inference = self.averages.networks
        self.saved = (*self.networks, *self.inference, *optimisers)
        self._compile()

    def _compile(self) -> None:
        config, optim_g, optim_f, optim_e = self.config, self.optim_g, self.optim_f, self.optim_e
        loss_d = discriminator_loss(self.discriminator, config.lambda_r1)
        loss_g = generator_loss(self.generator, self.encoder, self.discriminator, config)

        def loss_latent(
            x: Tensor, domain: Tensor, target: Tensor, one: Tensor, other: Tensor, weight: Tensor
        ) -> Terms:
            styles = self.mapping(one, target), self.mapping(other, target)
            return loss_g(x, domain, target, *styles, weight)

        weights = (*optim_g.parameters, *optim_f.parameters, *optim_e.parameters)
        backward_latent = ms.value_and_grad(loss_latent, None, weights, has_aux=True)
        g = len(optim_g.parameters)
        f = g + len(optim_f.parameters)

        def update_with_latents(*inputs: Tensor) -> Terms:
            (_, *terms), grads = backward_latent(*inputs)
            optim_g(grads[:g])
            optim_f(grads[g:f])
            optim_e(grads[f:])
            return tuple(terms)

        # Always: without a graph R1 has no gradient for most of the weights (MindSpore 2.8).
        self.update_d = compiled(gradient_step(loss_d, self.optim_d), replace(config, jit=True))
        self.update_with_latents = compiled(update_with_latents, config)
        self.update_with_references = compiled(gradient_step(loss_g, optim_g), config)
        self.generate, self.style_from_latent, self.style_from_image = (
            forward(network, config) for network in self.networks[:3]
        )
        self.follow = compiled(self.averages.follow, config)

    def train_step(
        self, x: np.ndarray, domain: np.ndarray,
        one: np.ndarray, other: np.ndarray, target: np.ndarray,
    ) -> Losses:  # fmt: skip
        """Update D twice and G twice, with styles from noise and from references (appendix B).

        Args:
            x: images, float32 [N, 3, H, W] in [-1, 1]; their `domain` as int [N].
            one: reference images of the domains in `target`, int [N]; `other` likewise.
        """
        self.step += 1
        real = Tensor(x), one_hot(domain, self.config)
        target = one_hot(target, self.config)
        latents, references = self.latents(len(x)), (Tensor(one), Tensor(other))
        weight = Tensor(self.diversity_weight, ms.float32)

        fake = self.generate(real[0], self.style_from_latent(latents[0], target))
        d_latent, r1 = self.update_d(*real, fake, target)
        fake = self.generate(real[0], self.style_from_image(references[0], target))
        d_reference, _ = self.update_d(*real, fake, target)

        g_latent, *terms = self.update_with_latents(*real, target, *latents, weight)
        styles = [self.style_from_image(reference, target) for reference in references]
        g_reference, *_ = self.update_with_references(*real, target, *styles, weight)

        self.follow()
        losses = (d_latent, d_reference, r1, g_latent, g_reference, *terms)
        return Losses(*map(float, losses))

    def latents(self, count: int) -> tuple[Tensor, Tensor]:
        """Draw two latent codes for each of this rank's images, float32 [count, latent_dim]."""
        rng = random(self.config.seed, Stream.NOISE, self.step)
        one, other = draw((2, count, self.config.latent_dim), rng.standard_normal, axis=1)
        return Tensor(one), Tensor(other)
