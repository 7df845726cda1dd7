"""CycleGAN: two generators, each the other's inverse, that learn from unpaired images.

Zhu et al. 2017. G translates A to B, F translates B to A. No image has a partner to be compared
with: a discriminator for each domain says whether an image looks like one of it, and F(G(a)) must
be a again.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.settings import Direction
from pix2pix_ms.machine.precision import mixed, value_and_gradient
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import gathering, world
from pix2pix_ms.machine.signals import interruptible
from pix2pix_ms.pix2pix.nets.blocks import parameter
from pix2pix_ms.pix2pix.nets.initialise import initialise
from pix2pix_ms.pix2pix.nets.patchgan import PatchGAN
from pix2pix_ms.pix2pix.nets.resnet import ResNet
from pix2pix_ms.pix2pix.objectives import ADVERSARIAL, l1
from pix2pix_ms.pix2pix.optimisers import adam, set_rate

Terms = tuple[Tensor, ...]
Network = TypeVar("Network", bound=nn.Cell)


class Losses(NamedTuple):
    """The terms of one step, as numbers; nan where a weight of 0 leaves one out.

    The last letter is the domain whose images are judged or compared: `d_a` is half of what D_A
    says of real and of generated images of A, `g_a` how far those generated are from persuading
    it, `cycle_a` the L1 of F(G(a)) and a, `identity_a` that of F(a) and a; none is weighted.
    """

    d_a: float
    d_b: float
    g_a: float
    g_b: float
    cycle_a: float
    cycle_b: float
    identity_a: float
    identity_b: float


def named(network: Network, name: str) -> Network:
    """Put `name` before the name of every parameter, for its own kind's: `generator.first...`."""
    for entry in network.get_parameters():
        entry.name = f"{name}.{entry.name.split('.', 1)[1]}"
    return network


def generator(config: CycleGANConfig, direction: Direction) -> ResNet:
    """Return the generator of one direction, its parameters named as in a checkpoint."""
    return named(ResNet(config), f"generator_{direction}")


def translating_generator(config: CycleGANConfig) -> ResNet:
    """Return the generator of the config's direction."""
    return generator(config, config.direction)


class Generators(nn.Cell):
    """G and F, which share an optimiser."""

    def __init__(self, config: CycleGANConfig) -> None:
        super().__init__(auto_prefix=False)
        self.a_to_b, self.b_to_a = generator(config, "AtoB"), generator(config, "BtoA")


class Discriminators(nn.Cell):
    """D_A and D_B, which share an optimiser."""

    def __init__(self, config: Any) -> None:  # has all that a PatchGAN asks of pix2pix's
        super().__init__(auto_prefix=False)
        self.a = named(PatchGAN(config), "discriminator_A")
        self.b = named(PatchGAN(config), "discriminator_B")


class ImagePool(nn.Cell):
    """The images a generator made in the past, of which a discriminator is shown some.

    Section 4 (after Shrivastava et al. 2017). Until the pool is full it keeps every image, and
    shows it. Then, half of the time, it shows one from the past and keeps the new one in its place.
    Every rank keeps the images of all, and so the same.
    """

    def __init__(self, config: CycleGANConfig, name: str) -> None:
        super().__init__()
        self.size = config.pool_size
        shape = (self.size + 1, config.channels, *config.shape)  # the last place is of no account
        self.gather, self.rank = gathering(), world().rank
        self.images = parameter(np.zeros(shape, np.float32), f"{name}.images", trained=False)

    def draw(self, step: int, batch: int, seed: int, *position: int) -> tuple[Tensor, Tensor]:
        """Draw where each image of all ranks' batch is kept, int32, and whether the past is shown.

        Both are [batch], the second float32, 0 or 1. All follows from the seed and the step,
        counted from 1.
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
        """Return what to show for this rank's generated images, float32 [N, C, H, W]."""
        shown, count = [], generated.shape[0]
        everyone = self.gather(generated)
        for i in range(everyone.shape[0]):
            # Slices alone: once errors have ended two gradients in PyNative mode, MindSpore 2.8
            # takes no integer as an index for the rest of the process (see test_cyclegan.py).
            new, place, exchanged = everyone[i : i + 1], places[i : i + 1], past[i : i + 1]
            old = ops.gather(self.images, place, 0)
            shown.append(ops.where(exchanged > 0.5, old, new))
            ops.scatter_update(self.images, place, new)
        return ops.cat(shown[self.rank * count : (self.rank + 1) * count], 0)


def training_step(
    generators: Generators,
    discriminators: Discriminators,
    pools: tuple[ImagePool, ImagePool],
    optimisers: tuple[nn.Optimizer, nn.Optimizer],
    config: CycleGANConfig,
) -> Callable[..., Terms]:
    """Return the step: (a, b, *draws of both pools) to the losses, updating G and F, then both D.

    Each generator makes three images of three inputs: what its discriminator judges, the way back
    of the other's, and an image of its target domain again (section 5.2: identity).
    """
    to_b, to_a = (mixed(g, config) for g in (generators.a_to_b, generators.b_to_a))
    d_a, d_b = (mixed(d, config) for d in (discriminators.a, discriminators.b))
    pool_a, pool_b = pools
    optim_g, optim_d = optimisers
    adversarial = ADVERSARIAL[config.gan_mode]
    cycle_weight = config.lambda_cycle
    identity_weight = config.lambda_cycle * config.lambda_identity

    def loss_g(a: Tensor, b: Tensor) -> Terms:
        fake_b, fake_a = to_b(a), to_a(b)
        gan_a, gan_b = adversarial(d_a(b, fake_a), True), adversarial(d_b(a, fake_b), True)
        loss = gan_a + gan_b
        cycle_a = cycle_b = identity_a = identity_b = ops.stop_gradient(gan_a * np.nan)
        if cycle_weight > 0:
            cycle_a, cycle_b = l1(to_a(fake_b), a), l1(to_b(fake_a), b)
            loss = loss + cycle_weight * (cycle_a + cycle_b)
        if identity_weight > 0:
            identity_a, identity_b = l1(to_a(a), a), l1(to_b(b), b)
            loss = loss + identity_weight * (identity_a + identity_b)
        return loss, fake_a, fake_b, gan_a, gan_b, cycle_a, cycle_b, identity_a, identity_b

    def loss_d(a: Tensor, b: Tensor, shown_a: Tensor, shown_b: Tensor) -> Terms:
        # Halved: each D learns at half its generator's pace.
        of_a = 0.5 * (adversarial(d_a(b, a), True) + adversarial(d_a(b, shown_a), False))
        of_b = 0.5 * (adversarial(d_b(a, b), True) + adversarial(d_b(a, shown_b), False))
        return of_a + of_b, of_a, of_b

    gradient_g = value_and_gradient(loss_g, optim_g)
    gradient_d = value_and_gradient(loss_d, optim_d)

    def step(a: Tensor, b: Tensor, *draws: Tensor) -> Terms:
        (_, fake_a, fake_b, *terms), towards_g = gradient_g(a, b)
        optim_g(towards_g)

        shown_a, shown_b = pool_a(fake_a, *draws[:2]), pool_b(fake_b, *draws[2:])
        (_, of_a, of_b), towards_d = gradient_d(a, b, shown_a, shown_b)
        optim_d(towards_d)
        return (of_a, of_b, *terms)

    return ms.jit(step) if config.jit else step


class CycleGAN:
    """Both generators, both discriminators, pools and optimisers, initialised from a config."""

    def __init__(self, config: CycleGANConfig) -> None:
        self.config = config
        self.generators, self.discriminators = Generators(config), Discriminators(config)
        initialise(self.generators, config)
        initialise(self.discriminators, config)
        self.optim_g = adam(self.generators, config)
        self.optim_d = adam(self.discriminators, config)
        self.pools = ImagePool(config, "pool_A"), ImagePool(config, "pool_B")
        self.step = 0
        self._train_step = training_step(
            self.generators, self.discriminators, self.pools, (self.optim_g, self.optim_d), config
        )

    def generator(self, direction: Direction) -> ResNet:
        """Return G for AtoB, F for BtoA."""
        return self.generators.a_to_b if direction == "AtoB" else self.generators.b_to_a

    def train_step(self, a: np.ndarray | Tensor, b: np.ndarray | Tensor) -> Losses:
        """Update all networks once on unpaired batches: a, b float32 [N, C, H, W] in [-1, 1]."""
        self.step += 1
        ranks = self.config.ranks
        draws = [
            draw
            for number, pool in enumerate(self.pools)
            for draw in pool.draw(self.step, len(a) * ranks, self.config.seed, number)
        ]
        self.generators.set_train()
        self.discriminators.set_train()
        with interruptible():
            return Losses(*map(float, self._train_step(Tensor(a), Tensor(b), *draws)))

    def set_learning_rate(self, rate: float) -> None:
        """Set both optimisers' learning rate, also where the step is already compiled."""
        for optimiser in (self.optim_g, self.optim_d):
            set_rate(optimiser, rate)

    def parameters(self) -> dict[str, ms.Parameter]:
        """Return everything a resume needs, by name: networks, optimisers' states and pools."""
        owners = (
            self.generators, self.discriminators, self.optim_g, self.optim_d, *self.pools
        )  # fmt: skip
        return {p.name: p for owner in owners for p in owner.get_parameters()}

    def kept(self) -> Iterator[ms.Parameter]:
        """Return what translates: both generators."""
        return self.generators.get_parameters()
