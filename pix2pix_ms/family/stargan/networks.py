"""The other three networks of StarGAN v2, each with a head for every domain.

Choi et al. 2020, section 2.1 and appendix A, tables 6 and 7. Domains are one-hot, float32 [N, K]:
all heads compute, and the output of other domains' heads is multiplied by 0.
"""

from itertools import pairwise

from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import StarGANConfig
from pix2pix_ms.family.gan.gan import dense
from pix2pix_ms.family.stargan.generator import ResidualBlock, convolution, widths
from pix2pix_ms.pix2pix.nets.blocks import leaky_relu

SHARED, OWN = 4, 3  # hidden layers of the mapping network: for all domains, and for each
END = 4  # side of the features that the last convolution of D and the style encoder covers


def of_domain(heads: nn.CellList, h: Tensor, domain: Tensor) -> Tensor:
    """Apply the head of each image's domain: [N, features] and one-hot [N, K] to [N, out]."""
    outputs = ops.stack([head(h) for head in heads], 1)
    return (outputs * domain.expand_dims(2)).sum(1)


class MappingNetwork(nn.Cell):
    """F: a latent code, float32 [N, latent_dim], and a domain to a style, [N, style_dim]."""

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        width = config.mapping_dim
        self.shared = nn.SequentialCell(*dense(config.latent_dim, *[width] * SHARED), nn.ReLU())
        head = *[width] * (OWN + 1), config.style_dim
        self.heads = nn.CellList([nn.SequentialCell(dense(*head)) for _ in config.domains])
        self.update_parameters_name("mapping.")

    def construct(self, z: Tensor, domain: Tensor) -> Tensor:
        return of_domain(self.heads, self.shared(z), domain)


def trunk(config: StarGANConfig) -> tuple[nn.SequentialCell, int]:
    """Return the layers that D and E begin with, [N, 3, H, W] to [N, width, 1, 1], and width."""
    first, *_, width = wide = widths(config, END)
    blocks = [ResidualBlock(*pair, halve=True) for pair in pairwise(wide)]
    last = nn.Conv2d(width, width, END, 1, pad_mode="valid", has_bias=True)
    return nn.SequentialCell([convolution(3, first), *blocks, Rectifier(), last]), width


class Rectifier(nn.Cell):
    """LeakyReLU as a layer."""

    def construct(self, h: Tensor) -> Tensor:
        return leaky_relu(h)


class StyleEncoder(nn.Cell):
    """E: an image, float32 [N, 3, H, W], and a domain to its style there, [N, style_dim]."""

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.trunk, width = trunk(config)
        self.heads = nn.CellList([nn.Dense(width, config.style_dim) for _ in config.domains])
        self.update_parameters_name("encoder.")

    def construct(self, x: Tensor, domain: Tensor) -> Tensor:
        h = leaky_relu(self.trunk(x))
        return of_domain(self.heads, h.reshape(h.shape[0], -1), domain)


class MultiTaskDiscriminator(nn.Cell):
    """D: an image, float32 [N, 3, H, W], and a domain to a logit, [N]: above 0 if it looks real.

    One network with a logit for every domain; each image is judged by that of its domain alone.
    """

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        self.trunk, width = trunk(config)
        self.heads = nn.Conv2d(width, len(config.domains), 1, has_bias=True)
        self.update_parameters_name("discriminator.")

    def construct(self, x: Tensor, domain: Tensor) -> Tensor:
        logits = self.heads(leaky_relu(self.trunk(x)))
        return (logits.reshape(x.shape[0], -1) * domain).sum(1)
