"""What translates between styles: the averaged networks, and pictures of any size through them."""

from collections.abc import Callable, Iterable

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.family.config import StarGANConfig
from pix2pix_ms.nets.adain import StyledGenerator
from pix2pix_ms.nets.styles import MappingNetwork, StyleEncoder

PREFIX = "average."


class Averages:
    """Moving averages of the weights of G, F and E, which make better images than the last ones.

    Args:
        followed: G, F and E as they are trained, from which the averages start; unless given, they
            start as MindSpore starts layers, to be filled.
    """

    def __init__(self, config: StarGANConfig, followed: Iterable[nn.Cell] = ()) -> None:
        self.config = config
        self.generator = StyledGenerator(config)
        self.mapping = MappingNetwork(config)
        self.encoder = StyleEncoder(config)
        self.own, self.theirs = [], []
        for network in self.networks():
            network.update_parameters_name(PREFIX)
            network.set_train(False)
        for network, model in zip(self.networks(), followed, strict=False):
            self.own += list(network.get_parameters())
            self.theirs += list(model.get_parameters())
        for own, theirs in zip(self.own, self.theirs, strict=True):
            own.set_data(theirs.value().copy())
        self._generate, self._from, self._of = (
            forward(network, config) for network in self.networks()
        )

    def networks(self) -> tuple[nn.Cell, ...]:
        """Return the averaged G, F and E."""
        return self.generator, self.mapping, self.encoder

    def follow(self) -> Tensor:
        """Move every average a little towards what is trained."""
        for place in range(len(self.own)):  # a graph knows no strict zip (MindSpore 2.8)
            own, theirs = self.own[place], self.theirs[place]
            ops.assign(own, theirs + self.config.ema * (own - theirs))
        return Tensor(0)

    def generate(self, x: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Return images in a style.

        Args:
            x: float32 [N, 3, H, W] in [-1, 1].
            style: style codes, float32 [N, style_dim].

        Returns:
            float32 [N, 3, H, W], cut to [-1, 1].
        """
        return np.clip(self._generate(Tensor(x), Tensor(style)).asnumpy(), -1, 1)

    def style_of(self, reference: np.ndarray, domain: np.ndarray) -> np.ndarray:
        """Return the style codes, [N, style_dim], of images [N, 3, H, W] of a domain, int [N]."""
        return self._of(Tensor(reference), one_hot(domain, self.config)).asnumpy()

    def style_from(self, latent: np.ndarray, domain: np.ndarray) -> np.ndarray:
        """Return style codes, [N, style_dim], made of latent codes, float32 [N, latent_dim]."""
        return self._from(Tensor(latent), one_hot(domain, self.config)).asnumpy()


def one_hot(domain: np.ndarray, config: StarGANConfig) -> Tensor:
    """Return domains by number, int [N], as one-hot, float32 [N, K]."""
    return Tensor(np.eye(len(config.domains), dtype=np.float32)[np.asarray(domain)])


def forward(network: nn.Cell, config: StarGANConfig) -> Callable[..., Tensor]:
    """Return a network's forward pass, compiled where the config says so."""

    def run(*inputs: Tensor) -> Tensor:
        return network(*inputs)

    return ms.jit(run) if config.jit else run
