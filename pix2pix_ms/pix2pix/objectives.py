"""What the networks minimise (paper, section 3.1): sibling losses, comparable at a glance.

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

TINY = 1e-12  # a root has no slope at 0

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

    So the critic's two losses add up to minus its estimate of the distance, E[f(x)] - E[f(G(z))],
    and G's, judged real, is -E[f(G(z))].
    """
    return -logits.mean() if real else logits.mean()


ADVERSARIAL: dict[str, AdversarialLoss] = {
    "minimax": vanilla,  # D's side of that game; G's is `minimax`
    "vanilla": vanilla,
    "lsgan": lsgan,
    "wgan": wasserstein,
    "wgan-gp": wasserstein,  # and `gradient_penalty` beside it
}


def minimax(logits: Tensor) -> Tensor:
    """log(1 - D) of generated images: D's loss on them, negated, which G minimises (equation 1)."""
    return -vanilla(logits, real=False)


def generator_loss(gan_mode: str) -> Callable[[Tensor], Tensor]:
    """Return G's loss of D's logits of generated images: non-saturating, but for minimax."""
    adversarial = ADVERSARIAL[gan_mode]

    def judged_real(logits: Tensor) -> Tensor:
        return adversarial(logits, True)

    return minimax if gan_mode == "minimax" else judged_real


def l1(generated: Tensor, target: Tensor) -> Tensor:
    """Mean absolute distance of two float32 [N, C, H, W] in [-1, 1]: 0 to 2 (equation 3)."""
    return ops.abs(generated - target).mean()


def l2(generated: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance of two float32 [N, C, H, W] in [-1, 1]: 0 to 4."""
    return ops.square(generated - target).mean()


PIXEL: dict[PixelLoss, Callable[[Tensor, Tensor], Tensor]] = {"l1": l1, "l2": l2}


def gradient_penalty(critic: Critic, real: Tensor, generated: Tensor, weights: Tensor) -> Tensor:
    """Mean of (slope - 1)^2 at points on the way from each generated image to a real one.

    A critic that normalises a batch as one has no slope at a single image, and does not fit.

    Args:
        weights: how much of each point is the real image, as `interpolation_weights` draws it.
    """
    return ops.square(slopes(critic, weights * real + (1 - weights) * generated) - 1).mean()


def slopes(critic: Critic, images: Tensor) -> Tensor:
    """Return the norm of the critic's gradient at each image, float32 [N]; differentiable.

    A PatchGAN's value is the mean over its patches, as in the losses.
    """

    def total(images: Tensor) -> Tensor:
        return critic(images).flatten(start_dim=1).mean(1).sum()

    gradient = ms.grad(total)(images).flatten(start_dim=1)
    return ops.sqrt(ops.square(gradient).sum(1) + TINY)


def interpolation_weights(images: tuple[int, ...], seed: int, step: int) -> Tensor:
    """Draw U(0, 1) for each image of a batch of this shape: float32 [N, 1, ...]."""
    shape = (images[0], *[1] * (len(images) - 1))
    return Tensor(draw(shape, random(seed, Stream.INTERPOLATION, step).random))
