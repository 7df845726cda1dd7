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


class Generator(nn.Cell):
    """Noise, and one-hot labels where conditional, to images in [-1, 1]: G(z) or G(z|y).

    [N, latent_dim] and [N, classes] to [N, C, H, W]. A projection to 4x4 with ngf 2^(n-1) channels,
    then n transposed convolutions, each with half the channels and twice the side.
    """

    def __init__(self, config: DCGANConfig) -> None:
        super().__init__()
        widths = [config.ngf * 2**level for level in reversed(range(halvings(config, KERNEL)))]
        inputs = config.latent_dim + config.classes * config.conditional
        project = nn.Conv2dTranspose(inputs, widths[0], KERNEL, 1, pad_mode="pad", padding=0)
        layers = [project, normalisation("batch", widths[0]), nn.ReLU()]
        for pair in pairwise(widths):
            layers += [upconvolution(*pair, bias=False), normalisation("batch", pair[1]), nn.ReLU()]
        output = upconvolution(widths[-1], config.channels, bias=False)
        self.layers = nn.SequentialCell(*layers, output, nn.Tanh())
        self.update_parameters_name("generator.")

    def construct(self, z: Tensor, *given: Tensor) -> Tensor:
        h = ops.cat((z, *given), 1)
        return self.layers(h.reshape(*h.shape, 1, 1))


class Discriminator(nn.Cell):
    """Images, and one-hot labels where conditional, to logits: above 0 where one looks real.

    [N, C, H, W] and [N, classes] to [N, 1]. n strided convolutions halve the side to 4x4, which one
    more covers. The label enters as planes, ones for its class and zeros for the others.

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
        planes = [
            label.reshape(*label.shape, 1, 1).broadcast_to((*label.shape, *images.shape[2:]))
            for label in given
        ]
        h = self.first(ops.cat((images, *planes), 1))
        for layer in self.hidden:
            h = layer(leaky_relu(h))
        return self.last(leaky_relu(h)).reshape(-1, 1)


class DCGAN(GAN):
    """A GAN whose networks are convolutions."""

    networks: ClassVar[Networks] = (Generator, Discriminator)
