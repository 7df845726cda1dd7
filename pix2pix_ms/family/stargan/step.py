"""StarGAN v2: one generator for many domains, and for the many styles of each (Choi et al. 2020).

Four networks. F makes style codes from noise, E reads them off images, G gives an image the style
of a code, and D says of each domain whether an image is a real one of it.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.errors import Pix2PixError
from pix2pix_ms.family.stargan.generator import StyledGenerator
from pix2pix_ms.family.stargan.networks import MappingNetwork, MultiTaskDiscriminator, StyleEncoder
from pix2pix_ms.family.stargan.translate import Averages, forward, one_hot
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import own, world
from pix2pix_ms.machine.signals import interruptible
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.objectives import l1, softplus
from pix2pix_ms.pix2pix.optimisers import adam, set_rate

Terms = tuple[Tensor, ...]


class Losses(NamedTuple):
    """The terms of one step, unweighted; style, diversity and cycle of the latent-guided update.

    `d_` and `g_` are adversarial terms, once with styles made from noise, once with styles read
    off references.
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

    x: float32 [N, 3, H, W]; domain: one-hot, float32 [N, K]. Its own gradient, towards D's
    weights, is a second derivative of D.
    """

    def verdicts(images: Tensor) -> Tensor:
        return discriminator(images, domain).sum()

    return 0.5 * ops.square(ms.grad(verdicts)(x)).sum((1, 2, 3)).mean()


def discriminator_loss(discriminator: nn.Cell, weight_r1: float) -> Callable[..., Terms]:
    """Return D's loss (equation 1): real images of their domain, generated ones of their target's.

    The function takes x, its domain, a generated image and its domain, and returns the loss, the
    adversarial term and R1.
    """

    def loss(x: Tensor, domain: Tensor, generated: Tensor, target: Tensor) -> Terms:
        real = softplus(-discriminator(x, domain)).mean()
        fake = softplus(discriminator(generated, target)).mean()
        r1 = r1_penalty(discriminator, x, domain)
        return real + fake + weight_r1 * r1, real + fake, r1

    return loss


class Objective:
    """What the generator's side minimises (equation 5), for given style codes."""

    def __init__(
        self, generator: nn.Cell, encoder: nn.Cell, discriminator: nn.Cell, config: StarGANConfig
    ) -> None:
        self.generator, self.encoder, self.discriminator = generator, encoder, discriminator
        self.weights = config.lambda_style, config.lambda_cycle

    def __call__(
        self, x: Tensor, domain: Tensor, target: Tensor, one: Tensor, other: Tensor,
        diversity_weight: Tensor,
    ) -> Terms:  # fmt: skip
        """Return the sum, then adversarial, style, diversity and cycle term, each unweighted.

        Args:
            x: images, float32 [N, 3, H, W] in [-1, 1], of `domain`, one-hot [N, K].
            target: the domains to translate to, one-hot.
            one: style codes of those, float32 [N, style_dim]; `other` likewise.
        """
        generated = self.generator(x, one)
        adversarial = softplus(-self.discriminator(generated, target)).mean()

        style = l1(self.encoder(generated, target), one)  # equation 2

        second = ops.stop_gradient(self.generator(x, other))
        diversity = l1(generated, second)  # equation 3; to be large

        back = self.generator(generated, self.encoder(x, domain))
        cycle = l1(back, x)  # equation 4

        weight_style, weight_cycle = self.weights
        total = adversarial + weight_style * style + weight_cycle * cycle
        return total - diversity_weight * diversity, adversarial, style, diversity, cycle


class StarGAN:
    """The four networks, three of them also as moving averages, and their optimisers.

    Args:
        config: its settings; `domains` names at least one.

    Raises:
        Pix2PixError: if the config names no domain.
    """

    def __init__(self, config: StarGANConfig) -> None:
        if not config.domains:
            raise Pix2PixError(
                "domains: expected the names of at least one, found none; take those of the data"
            )
        self.config = config
        self.step = 0
        self.diversity_weight = config.diversity_at(1)
        self.generator = StyledGenerator(config)
        self.mapping = MappingNetwork(config)
        self.encoder = StyleEncoder(config)
        self.discriminator = MultiTaskDiscriminator(config)
        for network in self.networks():
            initialise(network, config)
        self.averages = Averages(config, (self.generator, self.mapping, self.encoder))
        self.optimisers = {
            network: adam(network, config, name, config.weight_decay)
            for network, name in zip(
                self.networks(), ("optim_g", "optim_f", "optim_e", "optim_d"), strict=True
            )
        }
        self.set_learning_rate(config.learning_rate)
        self._compile()

    def networks(self) -> tuple[nn.Cell, ...]:
        """Return G, F, E and D."""
        return self.generator, self.mapping, self.encoder, self.discriminator

    def _compile(self) -> None:
        """Make the parts of a step: what draws styles and images, and the three updates."""
        config = self.config
        optim_g, optim_f, optim_e, optim_d = (self.optimisers[n] for n in self.networks())
        loss_d = discriminator_loss(self.discriminator, config.lambda_r1)
        loss_g = Objective(self.generator, self.encoder, self.discriminator, config)

        def from_latents(
            x: Tensor, domain: Tensor, target: Tensor, one: Tensor, other: Tensor, weight: Tensor
        ) -> Terms:
            styles = self.mapping(one, target), self.mapping(other, target)
            return loss_g(x, domain, target, *styles, weight)

        learners = [optim_g.parameters, optim_f.parameters, optim_e.parameters]
        gradient_d = ms.value_and_grad(loss_d, None, optim_d.parameters, has_aux=True)
        gradient_latent = ms.value_and_grad(from_latents, None, sum(learners, ()), has_aux=True)
        gradient_reference = ms.value_and_grad(loss_g, None, optim_g.parameters, has_aux=True)
        first, second = len(learners[0]), len(learners[0]) + len(learners[1])

        def update_d(x: Tensor, domain: Tensor, generated: Tensor, target: Tensor) -> Terms:
            (_, *terms), towards = gradient_d(x, domain, generated, target)
            optim_d(towards)
            return tuple(terms)

        def update_with_latents(
            x: Tensor, domain: Tensor, target: Tensor, one: Tensor, other: Tensor, weight: Tensor
        ) -> Terms:
            (_, *terms), towards = gradient_latent(x, domain, target, one, other, weight)
            optim_g(towards[:first])
            optim_f(towards[first:second])
            optim_e(towards[second:])
            return tuple(terms)

        def update_with_references(
            x: Tensor, domain: Tensor, target: Tensor, one: Tensor, other: Tensor, weight: Tensor
        ) -> Tensor:
            (_, adversarial, *_), towards = gradient_reference(
                x, domain, target, one, other, weight
            )
            optim_g(towards)
            return adversarial

        compiled: Callable[..., Any] = ms.jit if config.jit else lambda f: f
        # Always: without a graph R1 has no gradient towards most of the weights (MindSpore 2.8).
        self._update_d = ms.jit(update_d)
        self._update_with_latents = compiled(update_with_latents)
        self._update_with_references = compiled(update_with_references)
        self._draw, self._from_latent, self._from_image = (
            forward(network, config) for network in self.networks()[:3]
        )
        self._follow = compiled(self.averages.follow)

    def train_step(
        self,
        x: np.ndarray,
        domain: np.ndarray,
        one: np.ndarray,
        other: np.ndarray,
        target: np.ndarray,
    ) -> Losses:
        """Update D twice and G twice, with styles from noise and from references (appendix B).

        Args:
            x: images, float32 [N, 3, H, W] in [-1, 1]; their `domain` as int [N].
            one: images of the domains in `target`, int [N], to take styles from; `other`
                likewise.
        """
        self.step += 1
        images, reference, second = Tensor(x), Tensor(one), Tensor(other)
        origin, towards = one_hot(domain, self.config), one_hot(target, self.config)
        latents = self.latents(len(x), Stream.NOISE, self.step)
        weight = Tensor(self.diversity_weight, ms.float32)
        with interruptible():
            style = self._from_latent(latents[0], towards)
            d_latent, r1 = self._update_d(images, origin, self._draw(images, style), towards)
            style = self._from_image(reference, towards)
            d_reference, _ = self._update_d(images, origin, self._draw(images, style), towards)
            g_latent, *terms = self._update_with_latents(images, origin, towards, *latents, weight)
            styles = [self._from_image(image, towards) for image in (reference, second)]
            g_reference = self._update_with_references(images, origin, towards, *styles, weight)
            self._follow()
            values = (d_latent, d_reference, r1, g_latent, g_reference, *terms)
            return Losses(*(float(value) for value in values))

    def latents(self, count: int, stream: Stream, *position: int) -> tuple[Tensor, Tensor]:
        """Draw two sets of latent codes, float32 [count, latent_dim], from the seed; own rows."""
        shape = (2, count * self.config.ranks, self.config.latent_dim)
        drawn = random(self.config.seed, stream, *position).standard_normal(shape, np.float32)
        drawn = own(drawn, self.config.ranks, world().rank, axis=1)
        return Tensor(drawn[0]), Tensor(drawn[1])

    def set_learning_rate(self, rate: float) -> None:
        """Set all optimisers' rate, the mapping network's a fraction of it."""
        for network, optimiser in self.optimisers.items():
            slow = self.config.mapping_rate if network is self.mapping else 1.0
            set_rate(optimiser, rate * slow)

    def parameters(self) -> dict[str, ms.Parameter]:
        """Return everything a resume needs, by name: networks, averages, optimisers' state."""
        owners = (*self.networks(), *self.averages.networks(), *self.optimisers.values())
        return {p.name: p for owner in owners for p in owner.get_parameters()}

    def kept(self) -> Iterable[ms.Parameter]:
        """Return what translates: the averaged G, F and E."""
        return [p for network in self.averages.networks() for p in network.get_parameters()]
