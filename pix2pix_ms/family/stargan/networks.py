"""The other three networks of StarGAN v2, each with a head for every domain.

Choi et al. 2020, section 2.1 and appendix A, tables 6 and 7. A domain is one-hot, float32 [N, K]:
all heads compute, and those of other domains have weight 0 in the result and in the gradient.
"""

from itertools import pairwise

from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.family.stargan.generator import ResidualBlock, convolution, pointwise, widths
from pix2pix_ms.pix2pix.nets.blocks import leaky_relu

SHARED, OWN = 4, 3  # hidden layers of the mapping network: for all domains, and for each
END = 4  # side of the features that the last convolution of D and the style encoder covers


def dense(before: int, after: int, layers: int) -> list[nn.Cell]:
    """Fully connected layers, each with ReLU."""
    pairs = pairwise([before, *[after] * layers])
    return [cell for pair in pairs for cell in (nn.Dense(*pair), nn.ReLU())]


def of_domain(heads: nn.CellList, h: Tensor, domain: Tensor) -> Tensor:
    """Apply the head of each image's domain: [N, features] and one-hot [N, K] to [N, out]."""
    outputs = ops.stack([head(h) for head in heads], 1)
    return (outputs * domain.expand_dims(2)).sum(1)


class MappingNetwork(nn.Cell):
    """F: a latent code, float32 [N, latent_dim], and a domain to a style, [N, style_dim]."""

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        width = config.mapping_dim
        self.shared = nn.SequentialCell(dense(config.latent_dim, width, SHARED))
        self.heads = nn.CellList(
            [
                nn.SequentialCell([*dense(width, width, OWN), nn.Dense(width, config.style_dim)])
                for _ in config.domains
            ]
        )
        self.update_parameters_name("mapping.")

    def construct(self, z: Tensor, domain: Tensor) -> Tensor:
        """Return F(z) of each image's domain."""
        return of_domain(self.heads, self.shared(z), domain)


def trunk(config: StarGANConfig) -> tuple[nn.SequentialCell, int]:
    """Return the layers that D and E begin with, [N, 3, H, W] to [N, width, 1, 1], and width."""
    wide = widths(config, END)
    blocks = [ResidualBlock(a, b, halve=True) for a, b in pairwise(wide)]
    last = nn.Conv2d(wide[-1], wide[-1], END, 1, pad_mode="valid", has_bias=True)
    return nn.SequentialCell([convolution(3, wide[0]), *blocks, Rectifier(), last]), wide[-1]


class Rectifier(nn.Cell):
    """LeakyReLU as a layer."""

    def construct(self, h: Tensor) -> Tensor:
        """Return leaky_relu(h)."""
        return leaky_relu(h)


class StyleEncoder(nn.Cell):
    """E: an image, float32 [N, 3, H, W], and a domain to its style there, [N, style_dim]."""

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.trunk, width = trunk(config)
        self.heads = nn.CellList([nn.Dense(width, config.style_dim) for _ in config.domains])
        self.update_parameters_name("encoder.")

    def construct(self, x: Tensor, domain: Tensor) -> Tensor:
        """Return E(x) of each image's domain."""
        h = leaky_relu(self.trunk(x))
        return of_domain(self.heads, h.reshape(h.shape[0], -1), domain)


class MultiTaskDiscriminator(nn.Cell):
    """D: an image, float32 [N, 3, H, W], and a domain to a logit, [N]: is it a real one of it?

    One network with a logit for every domain; each image is judged by that of its domain alone.
    """

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.trunk, width = trunk(config)
        self.heads = pointwise(width, len(config.domains), bias=True)
        self.update_parameters_name("discriminator.")

    def construct(self, x: Tensor, domain: Tensor) -> Tensor:
        """Return D(x) of each image's domain: above 0 where it looks real."""
        logits = self.heads(leaky_relu(self.trunk(x)))
        return (logits.reshape(x.shape[0], -1) * domain).sum(1)
