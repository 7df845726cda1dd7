"""Networks for points in the plane: the smallest game."""

from mindspore import Tensor, nn

from pix2pix_ms.config.family import GANConfig
from pix2pix_ms.family.gan.gan import Networks, dense
from pix2pix_ms.pix2pix.nets.blocks import leaky_relu


class PointGenerator(nn.Cell):
    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.layers = nn.SequentialCell(*dense(config.latent_dim, config.ngf, config.ngf, 2))
        self.update_parameters_name("generator.")

    def construct(self, z: Tensor) -> Tensor:
        return self.layers(z)


class PointDiscriminator(nn.Cell):
    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.first = nn.Dense(2, config.ndf)
        self.second = nn.Dense(config.ndf, config.ndf)
        self.last = nn.Dense(config.ndf, 1)
        self.update_parameters_name("discriminator.")

    def construct(self, points: Tensor) -> Tensor:
        return self.last(leaky_relu(self.second(leaky_relu(self.first(points)))))


POINT_NETWORKS: Networks = (PointGenerator, PointDiscriminator)
