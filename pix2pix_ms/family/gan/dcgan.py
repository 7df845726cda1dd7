"""DCGAN: a GAN of convolutions that trains stably (Radford et al. 2016).

Its rules (section 3): strided and transposed convolutions instead of pooling; batch normalisation
in both networks, except at G's output and D's input; no hidden fully connected layers; ReLU in G
with tanh at its end, LeakyReLU in D; Adam with beta1 0.5, weights from N(0, 0.02).

Shapes as in PyTorch's DCGAN example: 4x4 kernels, no biases.
"""

from itertools import pairwise
from typing import ClassVar

from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import DCGANConfig, halvings
from pix2pix_ms.config.settings import Norm
from pix2pix_ms.family.gan.gan import GAN, Networks
from pix2pix_ms.pix2pix.nets.blocks import (
    KERNEL,
    convolution,
    leaky_relu,
    normalisation,
    upconvolution,
)


def label_planes(label: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Repeat one-hot labels, [N, classes], at every pixel of images: [N, classes, H, W]."""
    return label.reshape(*label.shape, 1, 1).broadcast_to((*label.shape, *shape[2:]))


class Generator(nn.Cell):
    """Noise to images: [N, latent_dim], and [N, classes] where conditional, to [N, C, H, W].

    A projection to 4x4 with ngf 2^(n-1) channels, then n transposed convolutions, each to half the
    channels and twice the side; the last to the image.
    """

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        widths = [config.ngf * 2**level for level in reversed(range(halvings(config, KERNEL)))]
        inputs = config.latent_dim + config.classes * config.conditional
        project = nn.Conv2dTranspose(inputs, widths[0], KERNEL, 1, pad_mode="pad", padding=0)
        layers = [project, normalisation("batch", widths[0]), nn.ReLU()]
        for before, after in pairwise(widths):
            layers += [upconvolution(before, after, bias=False)]
            layers += [normalisation("batch", after), nn.ReLU()]
        output = upconvolution(widths[-1], config.channels, bias=False)
        self.layers = nn.SequentialCell(*layers, output, nn.Tanh())
        self.update_parameters_name("generator.")

    def construct(self, z: Tensor, *given: Tensor) -> Tensor:
        """Return G(z) or G(z|y), float32 in [-1, 1]; `given` is the label, one-hot, or nothing."""
        h = ops.cat((z, *given), 1)
        return self.layers(h.reshape(*h.shape, 1, 1))


class Discriminator(nn.Cell):
    """Images to logits: [N, C, H, W], and [N, classes] where conditional, to [N, 1].

    n strided convolutions halve the side to 4x4, and one more covers that. The label enters as
    planes, ones for its class and zeros for the others.

    Args:
        norm: "none" leaves batch normalisation out, for losses of single images.
    """

    def __init__(self, config: DCGANConfig, norm: Norm = "batch") -> None:
        super().__init__()
        widths = [config.ndf * 2**level for level in range(halvings(config, KERNEL))]
        inputs = config.channels + config.classes * config.conditional
        self.first = convolution(inputs, widths[0], 2, bias=False)
        self.hidden = nn.CellList(
            [
                nn.SequentialCell(
                    convolution(before, after, 2, bias=norm == "none"), normalisation(norm, after)
                )
                for before, after in pairwise(widths)
            ]
        )
        self.last = nn.Conv2d(widths[-1], 1, KERNEL, 1, pad_mode="pad", padding=0)
        self.update_parameters_name("discriminator.")

    def construct(self, images: Tensor, *given: Tensor) -> Tensor:
        """Return the logit of D(x) or D(x|y): above 0 where an image looks real."""
        planes = [label_planes(label, images.shape) for label in given]
        h = self.first(ops.cat((images, *planes), 1))
        for layer in self.hidden:
            h = layer(leaky_relu(h))
        return self.last(leaky_relu(h)).reshape(-1, 1)


class DCGAN(GAN):
    """A GAN whose networks are convolutions."""

    networks: ClassVar[Networks] = (Generator, Discriminator)
