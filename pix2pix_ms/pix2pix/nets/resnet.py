"""The ResNet generator, above all of unpaired translation: residual blocks at a quarter size.

Johnson et al. 2016, as in Zhu et al. 2017, appendix 7.2: two convolutions of stride 2, residual
blocks, two transposed convolutions. It has no skips, since input and target image need not have the
same outlines. Convolutions of stride 1 have reflection padding. The reference offers it for pix2pix
too, with dropout in every block.
"""

from itertools import pairwise

import numpy as np
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.family import CycleGANConfig
from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.config.settings import Norm
from pix2pix_ms.machine.device import computes_on_cpu
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets import blocks

WIDE = 7  # kernel of the first and the last convolution
NARROW = 3  # kernel of all others


def unpadded(channels_in: int, channels_out: int, kernel: int, bias: bool) -> nn.Conv2d:
    """Convolution of a padded image: [N, in, H + k - 1, W + k - 1] to [N, out, H, W]."""
    return nn.Conv2d(channels_in, channels_out, kernel, pad_mode="valid", has_bias=bias)


def halving(channels_in: int, channels_out: int, bias: bool) -> nn.Conv2d:
    """3x3 convolution with stride 2: [N, in, H, W] to [N, out, H/2, W/2], padded with zeros."""
    return nn.Conv2d(channels_in, channels_out, NARROW, 2, pad_mode="pad", padding=1, has_bias=bias)


def doubling(channels_in: int, channels_out: int, bias: bool, composed: bool) -> nn.Conv2dTranspose:
    """3x3 transposed convolution with stride 2: [N, in, H, W] to [N, out, 2H, 2W].

    `composed`: nearest-neighbour upsampling and a 3x3 convolution instead, as one 4x4 kernel.
    Otherwise padded only on top and left, which is the reference's padding 1 with output_padding 1;
    MindSpore's `output_padding` gives other numbers on a CPU (2.8) and takes twice as long.
    """
    if composed:
        return blocks.ComposedUpconvolution(channels_in, channels_out, bias)
    return nn.Conv2dTranspose(
        channels_in, channels_out, NARROW, 2, pad_mode="pad", padding=(1, 0, 1, 0), has_bias=bias
    )


class ToImage(nn.Conv2d):
    """The 7x7 convolution that ends the generator: [N, C, H + 6, W + 6] to [N, out, H, W].

    On a CPU it is computed as a 1x7 convolution to 7 channels for each output channel, one for each
    row of the kernel, which a 7x1 convolution with one-hot kernels shifts and adds. oneDNN
    otherwise gathers 49 shifted copies of all C channels: for 32 channels at 128x128 (MindSpore
    2.8) 9.9 ms forwards and 44 ms with the gradient, against 4.0 and 32 ms.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, WIDE, pad_mode="valid", has_bias=True)
        self.rows = (channels_out * WIDE, channels_in, 1, WIDE)
        channel, row = np.eye(channels_out, dtype=np.float32), np.eye(WIDE, dtype=np.float32)
        places = channel[:, :, None, None] * row  # [out, channel, row of its kernel, of the image]
        self.places = Tensor(places.reshape(channels_out, channels_out * WIDE, WIDE, 1))
        self.by_rows = computes_on_cpu()

    def construct(self, x: Tensor) -> Tensor:
        if not self.by_rows:
            return super().construct(x)
        rows = ops.conv2d(x, self.weight.transpose(0, 2, 1, 3).reshape(self.rows))
        return ops.conv2d(rows, self.places) + self.bias.reshape(1, -1, 1, 1)


class Layer(nn.Cell):
    """Convolution, normalisation, ReLU."""

    def __init__(self, conv: nn.Cell, norm: Norm, channels: int) -> None:
        super().__init__()
        self.conv, self.norm = conv, blocks.normalisation(norm, channels)

    def construct(self, x: Tensor) -> Tensor:
        return ops.relu(self.norm(self.conv(x)))


class Residual(nn.Cell):
    """A residual block: x plus two padded 3x3 convolutions of it, [N, C, H, W].

    Between them x may be multiplied by a dropout mask.
    """

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        bias = blocks.has_bias(norm)
        self.pad = nn.ReflectionPad2d(NARROW // 2)
        self.first = Layer(unpadded(channels, channels, NARROW, bias), norm, channels)
        self.second = unpadded(channels, channels, NARROW, bias)
        self.norm = blocks.normalisation(norm, channels)

    def construct(self, x: Tensor, *mask: Tensor) -> Tensor:
        change = self.first(self.pad(x))
        if len(mask) > 0:
            change = change * mask[0]
        return x + self.norm(self.second(self.pad(change)))


class ResNet(nn.Cell):
    """The ResNet generator: c7s1-64, d128, d256, R256 n times, u128, u64, c7s1-3, tanh.

    Shapes: float32 [N, input channels, H, W] in [-1, 1] to [N, target channels, H, W] in [-1, 1];
    H and W multiples of 4.
    """

    def __init__(self, config: Config | CycleGANConfig) -> None:
        super().__init__()
        norm, ngf = config.norm, config.ngf
        self.dropped = config.n_blocks if config.dropout else 0  # blocks with dropout
        self.width = 4 * ngf
        self.multiple, self.least = 4, 8  # of the sides that it can halve twice, and then pad
        bias = blocks.has_bias(norm)
        self.pad = nn.ReflectionPad2d(WIDE // 2)
        self.first = Layer(unpadded(config.input_channels, ngf, WIDE, bias), norm, ngf)
        down, up = (ngf, 2 * ngf, 4 * ngf), (4 * ngf, 2 * ngf, ngf)
        downs = [Layer(halving(n, m, bias), norm, m) for n, m in pairwise(down)]
        composed = config.upsampling != "transposed"
        ups = [Layer(doubling(n, m, bias, composed), norm, m) for n, m in pairwise(up)]
        residuals = [Residual(4 * ngf, norm) for _ in range(config.n_blocks)]
        self.downs, self.residuals, self.ups = map(nn.CellList, (downs, residuals, ups))
        self.last = ToImage(ngf, config.target_channels)
        self.update_parameters_name("generator.")

    def construct(self, x: Tensor, *masks: Tensor) -> Tensor:
        """Return G(x): with a mask for each block that has dropout, or without dropout."""
        x = self.first(self.pad(x))
        for down in self.downs:
            x = down(x)
        for block in range(len(self.residuals)):
            x = self.residuals[block](x, *masks[block : block + 1])
        for up in self.ups:
            x = up(x)
        return ops.tanh(self.last(self.pad(x)))

    def masks(
        self, images: tuple[int, ...], seed: int, stream: Stream, *position: int
    ) -> tuple[Tensor, ...]:
        """Draw the dropout masks of one forward pass, as `UNet.masks` does."""
        batch, _, height, width = images
        shape = (batch, self.width, height // 4, width // 4)
        return tuple(
            blocks.dropout_mask(shape, seed, stream, *position, number)
            for number in range(self.dropped)
        )
