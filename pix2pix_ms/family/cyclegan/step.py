"""CycleGAN: two generators, each the other's inverse, that learn from unpaired images.

Zhu et al. 2017. G translates A to B, F translates B to A. No image has a target to compare it with:
a discriminator for each domain judges whether an image looks like one of it, and F(G(a)) must be a
again.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.machine.precision import Terms, gradient_step, mixed
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import gathering, world
from pix2pix_ms.machine.signals import compiled
from pix2pix_ms.pix2pix.nets.blocks import parameter
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.resnet import ResNet
from pix2pix_ms.pix2pix.objectives import ADVERSARIAL, l1
from pix2pix_ms.pix2pix.optimisers import adam
from pix2pix_ms.training.task import Model

Network = TypeVar("Network", bound=nn.Cell)


class Losses(NamedTuple):
    """The terms of one step, as numbers, unweighted; NaN if the weight is 0.

    The last letter is the domain whose images are judged or compared: `d_a` is the mean of D_A's
    losses on real and on generated images of A, `g_a` the adversarial loss of F, which generates
    them, `cycle_a` the L1 of F(G(a)) and a, `identity_a` the L1 of F(a) and a.
    """

    d_a: float
    d_b: float
    g_a: float
    g_b: float
    cycle_a: float
    cycle_b: float
    identity_a: float
    identity_b: float


def renamed(network: Network, name: str) -> Network:
    """Replace the first part of every parameter's name by `name`."""
    for entry in network.get_parameters():
        entry.name = f"{name}.{entry.name.split('.', 1)[1]}"
    return network


def generator(config: CycleGANConfig, direction: Direction | None = None) -> ResNet:
    """Return the generator of one direction, by default the config's, named as in checkpoints."""
    return renamed(ResNet(config), f"generator_{direction or config.direction}")


class Generators(nn.Cell):
    """G and F, which have one optimiser."""

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__(auto_prefix=False)
        self.a_to_b, self.b_to_a = generator(config, "AtoB"), generator(config, "BtoA")


class Discriminators(nn.Cell):
    """D_A and D_B, which have one optimiser."""

    def __init__(self, config: Any) -> None:  # any: a PatchGAN is typed for pix2pix's
        super().__init__(auto_prefix=False)
        self.a = renamed(PatchGAN(config), "discriminator_A")
        self.b = renamed(PatchGAN(config), "discriminator_B")


class ImagePool(nn.Cell):
    """A buffer that also shows a discriminator the generated images of earlier steps (section 4).

    Until it is full it stores every image and returns it. Then, half of the time, it returns a
    stored one and stores the new one in its place. Every rank stores the images of all ranks.
    """

    def __init__(self, config: CycleGANConfig, name: str) -> None:
        super().__init__()
        self.size = config.pool_size
        shape = (self.size + 1, config.channels, *config.shape)  # the last place is never read
        self.gather, self.rank = gathering(), world().rank
        self.images = parameter(np.zeros(shape, np.float32), f"{name}.images", trained=False)

    def draw(self, step: int, batch: int, seed: int, *position: int) -> tuple[Tensor, Tensor]:
        """Draw where to store each image of all ranks' batch, and whether to return the stored one.

        int32 [batch] and float32 [batch], 0 or 1; `step` is counted from 1.
        """
        rng = random(seed, Stream.POOL, step, *position)
        first = (step - 1) * batch
        places, past = np.full(batch, self.size, np.int32), np.zeros(batch, np.float32)
        for i in range(batch):
            exchanged = rng.random() < 0.5
            place = rng.integers(max(self.size, 1))
            if first + i < self.size:
                places[i] = first + i
            elif exchanged and self.size > 0:
                places[i], past[i] = place, 1
        return Tensor(places), Tensor(past)

    def construct(self, generated: Tensor, places: Tensor, past: Tensor) -> Tensor:
        """Return the images to judge in place of this rank's generated ones, [N, C, H, W]."""
        shown, count = [], generated.shape[0]
        everyone = self.gather(generated)
        for i in range(everyone.shape[0]):
            # Slices: after errors in two gradients in PyNative mode, MindSpore 2.8 refuses integers
            # as an index for the rest of the process (see test_cyclegan.py).
            new, place, exchanged = everyone[i : i + 1], places[i : i + 1], past[i : i + 1]
            old = ops.gather(self.images, place, 0)
            shown.append(ops.where(exchanged > 0.5, old, new))
            ops.scatter_update(self.images, place, new)
        return ops.cat(shown[self.rank * count : (self.rank + 1) * count], 0)


def training_step(
    generators: Generators,
    discriminators: Discriminators,
    pools: tuple[ImagePool, ImagePool],
    optim_g: nn.Optimizer,
    optim_d: nn.Optimizer,
    config: CycleGANConfig,
) -> Callable[..., Terms]:
    """Return the step: (a, b, *noise) to the losses. First G and F learn, then both D.

    `noise` is what both pools draw. Each generator makes three images: the one its discriminator
    judges, the reconstruction of a cycle, and the identity.
    """
    g, f = (mixed(network, config) for network in (generators.a_to_b, generators.b_to_a))
    d_a, d_b = (mixed(network, config) for network in (discriminators.a, discriminators.b))
    adversarial = ADVERSARIAL[config.gan_mode]
    weight_identity = config.lambda_cycle * config.lambda_identity

    def loss_g(a: Tensor, b: Tensor) -> Terms:
        fake_b, fake_a = g(a), f(b)  # equation 1
        gan_a, gan_b = adversarial(d_a(b, fake_a), True), adversarial(d_b(a, fake_b), True)
        loss = gan_a + gan_b
        cycle_a = cycle_b = identity_a = identity_b = ops.stop_gradient(gan_a * np.nan)
        if config.lambda_cycle > 0:  # equation 2
            cycle_a, cycle_b = l1(f(fake_b), a), l1(g(fake_a), b)
            loss = loss + config.lambda_cycle * (cycle_a + cycle_b)
        if weight_identity > 0:  # section 5.2
            identity_a, identity_b = l1(f(a), a), l1(g(b), b)
            loss = loss + weight_identity * (identity_a + identity_b)
        return loss, fake_a, fake_b, gan_a, gan_b, cycle_a, cycle_b, identity_a, identity_b

    def loss_d(a: Tensor, b: Tensor, fake_a: Tensor, fake_b: Tensor) -> Terms:
        # Halved, as in the paper; Adam cancels the factor.
        loss_a = 0.5 * (adversarial(d_a(b, a), True) + adversarial(d_a(b, fake_a), False))
        loss_b = 0.5 * (adversarial(d_b(a, b), True) + adversarial(d_b(a, fake_b), False))
        return loss_a + loss_b, loss_a, loss_b

    update_g, update_d = gradient_step(loss_g, optim_g), gradient_step(loss_d, optim_d)

    def step(a: Tensor, b: Tensor, *noise: Tensor) -> Terms:
        fake_a, fake_b, *losses_g = update_g(a, b)
        losses_d = update_d(a, b, pools[0](fake_a, *noise[:2]), pools[1](fake_b, *noise[2:]))
        return (*losses_d, *losses_g)

    return compiled(step, config)


class CycleGAN(Model):
    """Both generators, both discriminators, pools and optimisers, initialised from a config."""

    def __init__(self, config: CycleGANConfig) -> None:
        self.config = config
        self.generators, self.discriminators = networks = Generators(config), Discriminators(config)
        for network in networks:
            initialise(network, config)
        self.optim_g, self.optim_d = optimisers = [adam(network, config) for network in networks]
        self.rates = dict.fromkeys(optimisers, 1.0)
        self.pools = ImagePool(config, "pool_A"), ImagePool(config, "pool_B")
        self.saved = (*networks, *optimisers, *self.pools)
        self.inference = (self.generators,)
        self._train_step = training_step(*networks, self.pools, self.optim_g, self.optim_d, config)

    def generator(self, direction: Direction) -> ResNet:
        """Return G for AtoB, F for BtoA."""
        return self.generators.a_to_b if direction == "AtoB" else self.generators.b_to_a

    def train_step(self, a: np.ndarray | Tensor, b: np.ndarray | Tensor) -> Losses:
        """Update all networks once on unpaired batches: a, b float32 [N, C, H, W] in [-1, 1]."""
        self.step += 1
        batch, seed = len(a) * world().ranks, self.config.seed
        draws = [pool.draw(self.step, batch, seed, n) for n, pool in enumerate(self.pools)]
        noise = [*draws[0], *draws[1]]
        self.generators.set_train()
        self.discriminators.set_train()
        return Losses(*map(float, self._train_step(Tensor(a), Tensor(b), *noise)))
