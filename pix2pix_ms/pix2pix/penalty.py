"""The gradient penalty, which holds a critic's slope at 1 (Gulrajani et al. 2017, equation 3)."""

from collections.abc import Callable

import mindspore as ms
import numpy as np
from mindspore import Tensor, ops

from pix2pix_ms.machine.device import Stream, random
from pix2pix_ms.machine.ranks import world
from pix2pix_ms.machine.sharding import own

TINY = 1e-12  # a root has no slope at 0
Critic = Callable[[Tensor], Tensor]  # [N, ...] to [N, 1, ...], each image for itself


def gradient_penalty(critic: Critic, real: Tensor, generated: Tensor, shares: Tensor) -> Tensor:
    """Mean of (slope - 1)^2 at points on the way from each generated image to a real one.

    A critic that normalises a batch as one has no slope at a single image, and does not fit.

    Args:
        shares: how much of each point is the real image, as `draw_shares` has it.
    """
    return ops.square(slopes(critic, shares * real + (1 - shares) * generated) - 1).mean()


def slopes(critic: Critic, images: Tensor) -> Tensor:
    """Return the norm of the critic's gradient at each image, float32 [N]; it has a gradient too.

    The value of a PatchGAN is the mean over its patches, as in the losses.
    """

    def total(images: Tensor) -> Tensor:
        return critic(images).flatten(start_dim=1).mean(1).sum()

    gradient = ms.grad(total)(images).flatten(start_dim=1)
    return ops.sqrt(ops.square(gradient).sum(1) + TINY)


def draw_shares(images: tuple[int, ...], seed: int, step: int, ranks: int = 1) -> Tensor:
    """Draw U(0, 1) for each image of a batch of this shape, of every rank: float32 [N, 1, ...]."""
    shape = (images[0] * ranks, *[1] * (len(images) - 1))
    rng = random(seed, Stream.INTERPOLATION, step)
    return Tensor(own(rng.random(shape, dtype=np.float32), ranks, world().rank))
