"""The generator: a U-Net, and the autoencoder it is compared with (paper, section 3.2.1 and 6.1.1).

Down: 4x4 convolutions of stride 2 until one pixel (or as deep as asked), doubling the filters up
to eight times the first. Up: the mirror image. Skips hand each level's features across, so fine
structure need not pass through the bottleneck.
"""

import mindspore as ms
from mindspore import Tensor, nn, ops

from pix2pix_ms.config.pix2pix import Config
from pix2pix_ms.machine.randomness import Stream
from pix2pix_ms.pix2pix.nets import blocks


class Down(nn.Cell):
    """One level down: LeakyReLU, convolution, normalisation; [N, C, H, W] to [N, C', H/2, W/2]."""

    def __init__(
        self, channels_in: int, channels_out: int, config: Config, first: bool, last: bool
    ) -> None:
        super().__init__()
        self.first = first
        bias = blocks.has_bias(config.norm)
        self.conv = blocks.convolution(channels_in, channels_out, 2, bias)
        plain = first or last
        self.norm = blocks.normalisation("none" if plain else config.norm, channels_out)

    def construct(self, x: Tensor) -> Tensor:
        """Halve the image; the first level sees pixels and does not rectify them."""
        return self.norm(self.conv(x if self.first else blocks.leaky_relu(x)))


class Up(nn.Cell):
    """One level up: ReLU, transposed convolution, normalisation; to [N, C', 2H, 2W]."""

    def __init__(self, channels_in: int, channels_out: int, config: Config, last: bool) -> None:
        super().__init__()
        bias = last or blocks.has_bias(config.norm)
        composed = config.upsampling == "composed" or (config.upsampling == "inner" and not last)
        self.conv = blocks.upconvolution(channels_in, channels_out, bias, composed)
        self.norm = blocks.normalisation("none" if last else config.norm, channels_out)

    def construct(self, x: Tensor) -> Tensor:
        """Double the image."""
        return self.norm(self.conv(ops.relu(x)))


class UNet(nn.Cell):
    """The U-Net generator G: input image to generated image.

    Shapes: float32 [N, input channels, H, W] in [-1, 1] to [N, target channels, H, W] in [-1, 1];
    H and W multiples of 2**levels. Without `config.skips` it is the encoder-decoder of section
    6.1.1, same depth and widths. Another network built on it may give out other channels.
    """

    def __init__(self, config: Config, channels_out: int | None = None) -> None:
        super().__init__()
        channels_out = config.target_channels if channels_out is None else channels_out
        seen = [config.input_channels]
        self.skips = config.skips
        self.levels = config.depth
        widths = [config.ngf * min(2**level, 8) for level in range(self.levels)]
        self.downs = nn.CellList(
            [
                Down(before, after, config, first=level == 0, last=level == self.levels - 1)
                for level, (before, after) in enumerate(zip(seen + widths, widths, strict=False))
            ]
        )
        self.ups = nn.CellList(
            [
                Up(
                    widths[level] * (2 if self.skips and level < self.levels - 1 else 1),
                    widths[level - 1] if level else channels_out,
                    config,
                    last=level == 0,
                )
                for level in reversed(range(self.levels))
            ]
        )
        # As in the reference, the innermost block has no dropout and the next levels - 5 do: three
        # at 256x256, none at 32x32.
        dropped = range(1, 1 + max(self.levels - 5, 0)) if config.dropout else range(0)
        self.mask_of = {block: number for number, block in enumerate(dropped)}
        self.mask_channels = [widths[self.levels - 1 - block - 1] for block in dropped]
        self.update_parameters_name("generator.")

    def construct(self, x: Tensor, *masks: Tensor) -> Tensor:
        """Return G(x). Without masks there is no dropout; with them, one for each such block."""
        return ops.tanh(self.decoded(x, *masks))

    def decoded(self, x: Tensor, *masks: Tensor) -> Tensor:
        """Return what the last layer gives, float32 [N, channels_out, H, W], unbounded."""
        features = []
        for down in self.downs:
            x = down(x)
            features.append(x)
        for block in range(self.levels):
            x = self.ups[block](x)
            if len(masks) > 0 and block in self.mask_of:
                x = x * masks[self.mask_of[block]]
            if self.skips and block < self.levels - 1:
                x = ops.cat((features[self.levels - 2 - block], x), 1)
        return x

    def masks(
        self, images: tuple[int, ...], seed: int, stream: Stream, *position: int
    ) -> tuple[Tensor, ...]:
        """Draw the dropout masks of one forward pass, from seed and position.

        Args:
            images: the shape of the input images, (N, C, H, W).
        """
        batch, _, height, width = images
        halved = [self.levels - 1 - block for block in self.mask_of]
        shapes = [
            (batch, channels, height >> times, width >> times)
            for channels, times in zip(self.mask_channels, halved, strict=True)
        ]
        return tuple(
            blocks.dropout_mask(shape, seed, stream, *position, number)
            for number, shape in enumerate(shapes)
        )


def parameter_count(network: nn.Cell) -> int:
    """Return how many trained numbers a network has."""
    trained: list[ms.Parameter] = network.trainable_params()
    return sum(int(parameter.size) for parameter in trained)
