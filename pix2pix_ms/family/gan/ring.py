"""A ring of Gaussians: points in the plane, with which mode collapse can be counted.

Eight small Gaussians on a circle. A generator that misses some of them has collapsed; with images
one can only suspect it.
"""

from typing import ClassVar

import numpy as np
from mindspore import Tensor, nn

from pix2pix_ms.config.family import GANConfig
from pix2pix_ms.family.gan.gan import GAN, Networks, dense
from pix2pix_ms.pix2pix.nets.blocks import leaky_relu

MODES = 8
RADIUS = 2.0
SIGMA = 0.05
NEAR = 3  # a point this many sigma from a centre belongs to its mode
FEW = 0.05  # a mode with a larger fraction of the points is covered; even would be an eighth


def centres() -> np.ndarray:
    """Return the modes' centres, float64 [8, 2], counter-clockwise from (2, 0)."""
    angles = 2 * np.pi * np.arange(MODES) / MODES
    return RADIUS * np.stack([np.cos(angles), np.sin(angles)], 1)


def ring_points(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points of the ring, float32 [count, 2], every mode equally likely."""
    chosen = centres()[rng.integers(MODES, size=count)]
    return (chosen + SIGMA * rng.standard_normal((count, 2))).astype(np.float32)


def modes_of(points: np.ndarray) -> np.ndarray:
    """Count the points within 3 sigma of each mode: int [8], of points [N, 2]."""
    distances = np.linalg.norm(points[:, None] - centres(), axis=2)
    return (distances < NEAR * SIGMA).sum(0)


def modes_covered(points: np.ndarray) -> int:
    """Count the modes with more than 5 % of the points within 3 sigma: 0 to 8."""
    return int((modes_of(points) > FEW * len(points)).sum())


def share_near(points: np.ndarray) -> float:
    """Return the fraction of points within 3 sigma of any mode: 0.99 for the ring itself."""
    return float(modes_of(points).sum() / len(points))


class PointGenerator(nn.Cell):
    """G: noise to points, [N, latent_dim] to [N, 2], by two hidden layers ngf wide."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.layers = nn.SequentialCell(*dense(config.latent_dim, config.ngf, config.ngf, 2))
        self.update_parameters_name("generator.")

    def construct(self, z: Tensor) -> Tensor:
        return self.layers(z)


class PointDiscriminator(nn.Cell):
    """D: points to logits, [N, 2] to [N, 1], by two hidden layers ndf wide."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.first = nn.Dense(2, config.ndf)
        self.second = nn.Dense(config.ndf, config.ndf)
        self.last = nn.Dense(config.ndf, 1)
        self.update_parameters_name("discriminator.")

    def construct(self, points: Tensor) -> Tensor:
        return self.last(leaky_relu(self.second(leaky_relu(self.first(points)))))


POINT_NETWORKS: Networks = (PointGenerator, PointDiscriminator)


class RingGAN(GAN):
    """A GAN of points."""

    networks: ClassVar[Networks] = POINT_NETWORKS
