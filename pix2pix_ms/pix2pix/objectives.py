"""What the networks minimise (paper, section 3.1): adversarial losses, distances of pixels.

An adversarial loss takes the discriminator's logits, float32 [N, 1, H', W'], and whether they
should say "real", and returns the mean over all patches. The logits are log(D / (1 - D)) for
`vanilla`, plain scores for the others.
"""

from collections.abc import Callable

import mindspore as ms
from mindspore import Tensor, ops

from pix2pix_ms.config.pix2pix import PixelLoss
from pix2pix_ms.machine.randomness import Stream, random
from pix2pix_ms.machine.ranks import draw

TINY = 1e-12  # the square root has no derivative at 0

Critic = Callable[[Tensor], Tensor]  # [N, ...] to [N, 1, ...], image by image
AdversarialLoss = Callable[[Tensor, bool], Tensor]


def vanilla(logits: Tensor, real: bool) -> Tensor:
    """Binary cross-entropy: -log D if real, -log(1 - D) if not (equation 1)."""
    return softplus(-logits if real else logits).mean()


def softplus(z: Tensor) -> Tensor:
    """log(1 + exp z), elementwise, without overflow and with derivative 1/2 at 0.

    `ops.softplus` is not bit-reproducible between calls on a CPU (MindSpore 2.8): it depends on how
    its threads divide the work.
    """
    size = ops.abs(z)
    return 0.5 * (z + size) + ops.log1p(ops.exp(-size))


def lsgan(logits: Tensor, real: bool) -> Tensor:
    """Squared distance to 1 if real, to 0 if not (Mao et al. 2017)."""
    return ops.square(logits - 1.0 if real else logits).mean()


def wasserstein(logits: Tensor, real: bool) -> Tensor:
    """Minus the critic's mean if real, its mean if not (Arjovsky et al. 2017).

    The critic's two losses add up to minus its estimate of the distance, E[f(x)] - E[f(G(z))]; G's
    loss is -E[f(G(z))].
    """
    return -logits.mean() if real else logits.mean()


ADVERSARIAL: dict[str, AdversarialLoss] = {
    "minimax": vanilla,  # D's loss; for G's see `generator_loss`
    "vanilla": vanilla,
    "lsgan": lsgan,
    "wgan": wasserstein,
    "wgan-gp": wasserstein,  # plus `gradient_penalty`
}


def generator_loss(logits: Tensor, gan_mode: str) -> Tensor:
    """G's loss, of D's logits of generated images: log(1 - D) for minimax, else non-saturating."""
    if gan_mode == "minimax":
        return -vanilla(logits, False)
    return ADVERSARIAL[gan_mode](logits, True)


def l1(generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute distance of two float32 [N, C, H, W] in [-1, 1]: 0 to 2 (equation 3)."""
    return ops.abs(generated - target).mean()


def l2(generated: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance of two float32 [N, C, H, W] in [-1, 1]: 0 to 4."""
    return ops.square(generated - target).mean()


PIXEL: dict[PixelLoss, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "l2": l2}


def gradient_penalty(critic: Critic, real: Tensor, generated: Tensor, weights: Tensor) -> Tensor:
    """Mean of (slope - 1)^2 between each generated image and a real one (Gulrajani et al. 2017).

    The slope is the norm of the critic's gradient at an image; a PatchGAN's value is the mean over
    its patches. It is not defined for a critic with batch normalisation.

    Args:
        weights: of the real images, as `interpolation_weights` draws them.
    """

    def total(images: Tensor) -> Tensor:
        return critic(images).flatten(start_dim=1).mean(1).sum()

    gradient = ms.grad(total)(weights * real + (1 - weights) * generated).flatten(start_dim=1)
    slopes = ops.sqrt(ops.square(gradient).sum(1) + TINY)
    return ops.square(slopes - 1).mean()


def interpolation_weights(images: tuple[int, ...], seed: int, step: int) -> Tensor:
    """Draw U(0, 1) for each image of a batch of this shape: float32 [N, 1, ...]."""
    shape = (images[0], *[1] * (len(images) - 1))
    return Tensor(draw(shape, random(seed, Stream.INTERPOLATION, step).random))
