"""The generator of StarGAN v2 and its blocks: content from the image, style through AdaIN.

Choi et al. 2020, appendix A, table 5, in the form for images without a mask (AFHQ): instance
normalisation inside the blocks on the way down, adaptive instance normalisation on the way up,
which sets the style. The blocks' shortcuts pass features on unnormalised; there are no skips
across.
"""

import math
from itertools import pairwise

import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import StarGANConfig, halvings
from pix2pix_ms.pix2pix.nets.blocks import InstanceNorm, leaky_relu, parameter

UNIT = 1 / math.sqrt(2)  # the sum of two branches times this has the variance of one


def convolution(channels_in: int, channels_out: int) -> nn.Conv2d:
    """3x3 convolution that keeps the shape: [N, in, H, W] to [N, out, H, W]."""
    return nn.Conv2d(channels_in, channels_out, 3, 1, pad_mode="pad", padding=1, has_bias=True)


def shortcut(channels_in: int, channels_out: int) -> nn.Cell:
    """The identity, or a 1x1 convolution where the number of channels changes."""
    same = channels_in == channels_out
    return nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)


def halved(x: Tensor) -> Tensor:
    """Average 2x2 pixels: [N, C, H, W] to [N, C, H/2, W/2].

    Not with `AvgPool2d`, which has no second derivative (MindSpore 2.8); R1 needs it.
    """
    batch, channels, height, width = x.shape
    return x.reshape(batch, channels, height // 2, 2, width // 2, 2).mean((3, 5))


def doubled(x: Tensor) -> Tensor:
    """Repeat every pixel 2x2 times: [N, C, H, W] to [N, C, 2H, 2W]."""
    batch, channels, height, width = x.shape
    cells = x.reshape(batch, channels, height, 1, width, 1)
    cells = ops.broadcast_to(cells, (batch, channels, height, 2, width, 2))
    return cells.reshape(batch, channels, 2 * height, 2 * width)


class AffineInstanceNorm(nn.Cell):
    """Instance normalisation with a learned scale and shift for every channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = InstanceNorm()
        # Not "gamma" and "beta": MindSpore's optimisers do not decay parameters of these names.
        self.scale = parameter(np.ones((1, channels)), "scale")
        self.shift = parameter(np.zeros((1, channels)), "shift")

    def construct(self, x: Tensor) -> Tensor:
        each = (x.shape[0], 1)
        return self.norm(x, ops.tile(self.scale, each), ops.tile(self.shift, each))


class AdaIN(nn.Cell):
    """Adaptive instance normalisation (Huang and Belongie 2017): the style gives scale and shift.

    x, float32 [N, C, H, W], normalised over H and W, times 1 + gamma(s), plus beta(s); s, the
    style code, float32 [N, style_dim].
    """

    def __init__(self, style_dim: int, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.norm = InstanceNorm()
        self.affine = nn.Dense(style_dim, 2 * channels)

    def construct(self, x: Tensor, s: Tensor) -> Tensor:
        h = self.affine(s)
        return self.norm(x, 1 + h[:, : self.channels], h[:, self.channels :])


class ResidualBlock(nn.Cell):
    """Two 3x3 convolutions beside a shortcut: [N, C, H, W] to [N, C', H, W], or half of H and W."""

    def __init__(
        self, channels_in: int, channels_out: int, normalise: bool = False, halve: bool = False
    ) -> None:
        super().__init__()
        self.halve = halve
        self.norm1, self.norm2 = (
            AffineInstanceNorm(channels_in) if normalise else nn.Identity() for _ in range(2)
        )
        self.conv1 = convolution(channels_in, channels_in)
        self.conv2 = convolution(channels_in, channels_out)
        self.shortcut = shortcut(channels_in, channels_out)

    def construct(self, x: Tensor) -> Tensor:
        h = self.conv1(leaky_relu(self.norm1(x)))
        if self.halve:
            h, x = halved(h), halved(x)  # before the 1x1 convolution: the same, but cheaper
        h = self.conv2(leaky_relu(self.norm2(h)))
        return (self.shortcut(x) + h) * UNIT


class StyledBlock(nn.Cell):
    """The residual block of the way up, with AdaIN: to [N, C', H, W], or twice H and W."""

    def __init__(
        self, channels_in: int, channels_out: int, style_dim: int, double: bool = False
    ) -> None:
        super().__init__()
        self.double = double
        self.norm1 = AdaIN(style_dim, channels_in)
        self.norm2 = AdaIN(style_dim, channels_out)
        self.conv1 = convolution(channels_in, channels_out)
        self.conv2 = convolution(channels_out, channels_out)
        self.shortcut = shortcut(channels_in, channels_out)

    def construct(self, x: Tensor, s: Tensor) -> Tensor:
        h, x = leaky_relu(self.norm1(x, s)), self.shortcut(x)
        if self.double:
            h, x = doubled(h), doubled(x)
        h = self.conv2(leaky_relu(self.norm2(self.conv1(h), s)))
        return (x + h) * UNIT


def widths(config: StarGANConfig, side: int) -> list[int]:
    """Return the filters before and after each halving down to `side`: doubled to `max_filters`."""
    levels = range(halvings(config, side) + 1)
    return [min(config.ngf * 2**level, config.max_filters) for level in levels]


class StyledGenerator(nn.Cell):
    """The generator G: an image and a style code to the image in that style.

    Shapes: float32 [N, 3, H, W] in [-1, 1] and [N, style_dim] to [N, 3, H, W], near [-1, 1] but
    unbounded: as in the reference there is no tanh.
    """

    def __init__(self, config: StarGANConfig) -> None:
        super().__init__()
        wide = widths(config, config.bottleneck)
        steps, deepest, code = list(pairwise(wide)), wide[-1], config.style_dim
        self.first = convolution(3, wide[0])
        self.down = nn.CellList(
            [ResidualBlock(a, b, normalise=True, halve=True) for a, b in steps]
            + [ResidualBlock(deepest, deepest, normalise=True) for _ in range(2)]
        )
        self.up = nn.CellList(
            [StyledBlock(deepest, deepest, code) for _ in range(2)]
            + [StyledBlock(b, a, code, double=True) for a, b in reversed(steps)]
        )
        self.norm = AffineInstanceNorm(wide[0])
        self.last = nn.Conv2d(wide[0], 3, 1, has_bias=True)
        self.update_parameters_name("generator.")

    def construct(self, x: Tensor, s: Tensor) -> Tensor:
        h = self.first(x)
        for block in self.down:
            h = block(h)
        for block in self.up:
            h = block(h, s)
        return self.last(leaky_relu(self.norm(h)))
